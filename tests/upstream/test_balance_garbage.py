"""What is no balance is refused in every dialect, and never shown as a figure."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aiohttp import web
from aioresponses import aioresponses
from pytest_aiohttp import AiohttpServer

from service.errors import UpstreamError
from tests.upstream.balance_vendor import (
    ELSEWHERE,
    OPENROUTER,
    RELAY,
    SUBSCRIPTION,
    USAGE,
    Vendor,
    ask,
    deepseek,
    figures,
    fill,
    moonshot,
    openrouter_key,
    siliconflow,
    subscription,
    usage,
)

GARBAGE = ['"abc"', '"NaN"', '"Infinity"', '""', '"1_000"', '" 1"', '"１２"', "NaN", "-Infinity", "1e16", "1e400"]
NO_FIGURES = ["null", "true", "[]", "{}", '{"a": 1}', "[12.5]", "1e99999999999999999999"]


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with aioresponses() as mocked:
        yield Vendor(mocked)


@pytest.mark.parametrize("value", GARBAGE + NO_FIGURES)
async def test_a_one_api_limit_that_is_no_number_is_invalid(vendor: Vendor, value: str) -> None:
    for root in (RELAY, ELSEWHERE):
        vendor.answers(root + SUBSCRIPTION, subscription(value))
        vendor.answers(root + USAGE, usage("1"))
    assert await vendor.failure(RELAY) == "upstream_invalid"


@pytest.mark.parametrize("value", [value for value in GARBAGE + NO_FIGURES if value != "null"])
async def test_a_one_api_usage_that_is_no_number_is_invalid(vendor: Vendor, value: str) -> None:
    for root in (RELAY, ELSEWHERE):
        vendor.answers(root + SUBSCRIPTION, subscription("100"))
        vendor.answers(root + USAGE, usage(value))
    assert await vendor.failure(RELAY) == "upstream_invalid"


@pytest.mark.parametrize(
    "answer",
    [
        '{"error": {"message": "获取配额失败", "type": "upstream_error"}}',
        '{"error": "no", "hard_limit_usd": 100, "total_usage": 1}',
        '{"error": {"message": "", "type": "one_api_error"}, "hard_limit_usd": 100, "total_usage": 1}',
    ],
)
@pytest.mark.parametrize("path", [SUBSCRIPTION, USAGE])
async def test_an_error_inside_a_200_is_a_failure(vendor: Vendor, answer: str, path: str) -> None:
    vendor.answers(RELAY + path, answer)
    vendor.answers(RELAY + SUBSCRIPTION, subscription("100"))
    vendor.answers(RELAY + USAGE, usage("1"))
    vendor.answers(ELSEWHERE + SUBSCRIPTION, "", 404)
    assert await vendor.failure(RELAY) == "upstream_invalid"


@pytest.mark.parametrize("empty", ["null", "{}", '""', '{"message": "", "code": null}'])
async def test_an_empty_error_is_none(vendor: Vendor, empty: str) -> None:
    vendor.answers(RELAY + SUBSCRIPTION, fill('{"hard_limit_usd": 2, "error": EMPTY}', EMPTY=empty))
    vendor.answers(RELAY + USAGE, fill('\n\n{"total_usage": 100, "error": EMPTY}', EMPTY=empty))
    assert figures(await vendor.balance(RELAY)) == (2.0, 1.0, 1.0)


PLACES = {
    "deepseek": "https://relay.example/user/balance",
    "siliconflow": RELAY + "/user/info",
    "openrouter": RELAY + "/credits",
    "moonshot": RELAY + "/users/me/balance",
    "one-api": RELAY + SUBSCRIPTION,
}


@pytest.mark.parametrize("dialect", list(PLACES))
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"OK",
        b"<html><title>Welcome</title></html>",
        b"null",
        b"[]",
        b"5",
        b"{}",
        b'{"data": null}',
        b'{"data": []}',
        b'{"code": NaN, "status": true}',
        b'{"code": 20000, "status": true}',
        b'{"code": 0, "status": true, "data": "rich"}',
        b'{"is_available": true, "balance_infos": []}',
        b'{"is_available": true, "balance_infos": [7]}',
        b'{"is_available": true, "balance_infos": {"currency": "CNY"}}',
        b'{"hard_limit_usd": 1',
        b"\xff\xfe\xfd",
        b"[" * 100_000,
        b'{"error": {"message": "nope"}}',
        b'{"success": false, "message": "nope"}',
    ],
    ids=lambda answer: repr(answer[:40]),
)
async def test_what_is_no_balance_is_invalid_in_every_dialect(vendor: Vendor, dialect: str, answer: bytes) -> None:
    vendor.answers(PLACES[dialect], answer)
    vendor.answers(ELSEWHERE + SUBSCRIPTION, "", 404)
    assert await vendor.failure(RELAY, dialect) == "upstream_invalid"


@pytest.mark.parametrize("value", [*GARBAGE, *NO_FIGURES, "88.88"])
async def test_a_text_dialect_takes_decimal_texts_alone(vendor: Vendor, value: str) -> None:
    vendor.answers(PLACES["deepseek"], deepseek(("CNY", "TOTAL")).replace('"TOTAL"', value))
    vendor.answers(PLACES["siliconflow"], siliconflow(value))
    assert await vendor.failure(RELAY, "deepseek") == "upstream_invalid"
    assert await vendor.failure(RELAY, "siliconflow") == "upstream_invalid"


@pytest.mark.parametrize("value", [*GARBAGE, *NO_FIGURES, '"49.58"'])
async def test_a_number_dialect_takes_numbers_alone(vendor: Vendor, value: str) -> None:
    vendor.answers(PLACES["moonshot"], moonshot(value))
    vendor.answers(PLACES["openrouter"], fill('{"data": {"total_credits": VALUE, "total_usage": 1}}', VALUE=value))
    assert await vendor.failure(RELAY, "moonshot") == "upstream_invalid"
    assert await vendor.failure(RELAY, "openrouter") == "upstream_invalid"


@pytest.mark.parametrize("value", [value for value in [*GARBAGE, *NO_FIGURES, '"5"'] if value != "null"])
async def test_openrouters_key_has_numbers_or_nulls_alone(vendor: Vendor, value: str) -> None:
    vendor.answers(OPENROUTER + "/credits", "{}", 401)
    vendor.answers(OPENROUTER + "/key", openrouter_key(value, "1"))
    assert await vendor.failure(OPENROUTER) == "upstream_invalid"


async def test_a_wallet_in_an_unknown_currency_is_invalid(vendor: Vendor) -> None:
    vendor.answers(PLACES["deepseek"], deepseek(("<b>", "5.00")))
    assert await vendor.failure(RELAY, "deepseek") == "upstream_invalid"


@pytest.mark.parametrize(
    ("code", "status"), [("20001", "true"), ("20000", "false"), ("20000", '"true"'), ('"20000"', "true")]
)
async def test_siliconflows_failure_inside_a_200_is_a_failure(vendor: Vendor, code: str, status: str) -> None:
    vendor.answers(PLACES["siliconflow"], siliconflow('"88.88"', code, status))
    assert await vendor.failure(RELAY, "siliconflow") == "upstream_invalid"


@pytest.mark.parametrize(("code", "status"), [("5", "true"), ("0", "false"), ("null", "true"), ("false", "true")])
async def test_moonshots_failure_inside_a_200_is_a_failure(vendor: Vendor, code: str, status: str) -> None:
    vendor.answers(PLACES["moonshot"], moonshot("49.5", code, status))
    assert await vendor.failure(RELAY, "moonshot") == "upstream_invalid"


@pytest.mark.parametrize("dialect", [dialect for dialect in PLACES if dialect != "openrouter"])
async def test_a_wrong_key_is_a_refusal_in_every_dialect(vendor: Vendor, dialect: str) -> None:
    vendor.answers(PLACES[dialect], '{"error": {"message": "Incorrect API key"}}', 401)
    vendor.answers(ELSEWHERE + SUBSCRIPTION, "", 401)
    assert await vendor.failure(RELAY, dialect) == "upstream_rejected"


async def test_an_endless_answer_is_cut_off(aiohttp_server: AiohttpServer) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 65536)

    app = web.Application()
    app.router.add_get("/user/balance", endless)
    server = await aiohttp_server(app)
    with pytest.raises(UpstreamError) as caught:
        await ask(f"http://{server.host}:{server.port}/v1", "deepseek")
    assert caught.value.type == "upstream_invalid"
