"""The balance of the upstream's account, in every dialect. The answers are those that the vendors document."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aioresponses import aioresponses

from service.demo import DemoUpstream
from service.errors import UpstreamError
from tests.upstream.balance_vendor import (
    ELSEWHERE,
    NOW_MS,
    OPENROUTER,
    RELAY,
    SUBSCRIPTION,
    USAGE,
    Vendor,
    ask,
    deepseek,
    figures,
    moonshot,
    openrouter_key,
    siliconflow,
    subscription,
    usage,
)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with aioresponses() as mocked:
        yield Vendor(mocked)


@pytest.mark.parametrize(
    ("limit", "cents", "expected"),
    [
        ("100.0", "2500.0", (100.0, 25.0, 75.0)),
        ("100", "0", (100.0, 0.0, 100.0)),
        ("1.1", "30", (1.1, 0.3, 0.8)),  # 1.1 - 0.3 is 0.8000000000000002 in floats
        ("20.000002", "1234.0000000000002", (20.000002, 12.34, 7.660002)),
        ("5", "700.5", (5.0, 7.005, -2.005)),
        ("0", "0", (0.0, 0.0, 0.0)),
        ("99999999.99", "1", (99999999.99, 0.01, 99999999.98)),
        ("100000001", "0", (100000001.0, 0.0, 100000001.0)),
        ("1e-300", "1e-999999", (0.0, 0.0, 0.0)),
    ],
)
async def test_one_api_figures_are_exact(vendor: Vendor, limit: str, cents: str, expected: tuple[float, ...]) -> None:
    vendor.answers(RELAY + SUBSCRIPTION, subscription(limit))
    vendor.answers(RELAY + USAGE, usage(cents))
    balance = await vendor.balance(RELAY)
    assert figures(balance) == expected
    assert (balance.currency, balance.source, balance.unlimited, balance.as_of) == ("USD", "one-api", False, NOW_MS)


@pytest.mark.parametrize("limit", ["100000000", "100000000.0", "1e8"])
async def test_a_key_without_a_limit_is_unlimited_and_not_rich(vendor: Vendor, limit: str) -> None:
    vendor.answers(RELAY + SUBSCRIPTION, subscription(limit))
    vendor.answers(RELAY + USAGE, usage("123.45"))
    balance = await vendor.balance(RELAY)
    assert figures(balance) == (None, 1.2345, None)
    assert balance.unlimited


@pytest.mark.parametrize("answer", ['{"object": "list"}', '{"object": "list", "total_usage": null}'])
async def test_a_usage_that_is_not_given_is_none_and_never_zero(vendor: Vendor, answer: str) -> None:
    vendor.answers(RELAY + SUBSCRIPTION, subscription("100"))
    vendor.answers(RELAY + USAGE, answer)
    assert figures(await vendor.balance(RELAY)) == (100.0, None, None)


@pytest.mark.parametrize(
    ("base_url", "elsewhere"),
    [
        ("https://relay.example/v1", "https://relay.example"),
        ("https://relay.example/openai/v1", "https://relay.example/openai"),
        ("https://relay.example/chat/completions", "https://relay.example/v1"),
    ],
)
@pytest.mark.parametrize(("body", "status"), [("<!doctype html><title>One API</title>", 200), ("{}", 404)])
async def test_the_other_path_form_is_tried_where_the_first_is_not_known(
    vendor: Vendor, base_url: str, elsewhere: str, body: str, status: int
) -> None:
    vendor.answers(elsewhere + SUBSCRIPTION, subscription("3"))
    vendor.answers(elsewhere + USAGE, usage("100"))
    vendor.answers(base_url.removesuffix("/chat/completions") + SUBSCRIPTION, body, status)
    assert figures(await vendor.balance(base_url)) == (3.0, 1.0, 2.0)


async def test_the_first_form_tells_why_where_both_fail(vendor: Vendor) -> None:
    vendor.answers(RELAY + SUBSCRIPTION, '{"error": {"message": "Invalid token"}}', 401)
    vendor.answers(ELSEWHERE + SUBSCRIPTION, "<html>")
    assert await vendor.failure(RELAY) == "upstream_rejected"


async def test_a_relay_that_is_down_is_not_asked_in_another_form(vendor: Vendor) -> None:
    vendor.answers(RELAY + SUBSCRIPTION, "", 503)
    assert await vendor.failure(RELAY) == "upstream_unavailable"
    assert set(vendor.asked()) == {RELAY + SUBSCRIPTION}


async def test_the_usage_is_asked_for_the_last_hundred_days(vendor: Vendor) -> None:
    vendor.answers(RELAY + SUBSCRIPTION, subscription("1"))
    vendor.answers(RELAY + USAGE, usage("1"))
    await vendor.balance(RELAY)
    assert vendor.query(RELAY + USAGE) == {"start_date": ["2025-07-03"], "end_date": ["2025-10-10"]}


@pytest.mark.parametrize(
    ("wallets", "expected"),
    [
        ([("CNY", "110.00")], (110.0, "CNY")),
        ([("CNY", "0.00"), ("USD", "12.34")], (12.34, "USD")),
        ([("USD", "1.50"), ("CNY", "20.00")], (1.5, "USD")),
        ([("USD", "0.00"), ("CNY", "0.00")], (0.0, "USD")),
        ([("CNY", "-0.07")], (-0.07, "CNY")),
    ],
)
@pytest.mark.parametrize(
    "base_url",
    ["https://api.deepseek.com", "https://api.deepseek.com/v1", "https://api.deepseek.com/beta/chat/completions"],
)
async def test_deepseek_tells_the_wallet_that_holds_money(
    vendor: Vendor, base_url: str, wallets: list[tuple[str, str]], expected: tuple[float, str]
) -> None:
    vendor.answers("https://api.deepseek.com/user/balance", deepseek(*wallets))
    balance = await vendor.balance(base_url)
    assert (balance.remaining, balance.currency) == expected
    assert (balance.total_limit, balance.total_usage, balance.unlimited) == (None, None, False)
    assert (balance.source, balance.as_of) == ("deepseek", NOW_MS)


@pytest.mark.parametrize(
    ("base_url", "currency"),
    [
        ("https://api.siliconflow.cn/v1", "CNY"),
        ("https://api.siliconflow.com", "USD"),
    ],
)
async def test_siliconflow_tells_the_whole_balance(vendor: Vendor, base_url: str, currency: str) -> None:
    vendor.answers(base_url.removesuffix("/v1") + "/v1/user/info", siliconflow('"88.88"'))
    balance = await vendor.balance(base_url)
    assert figures(balance) == (None, None, 88.88)
    assert (balance.currency, balance.source) == (currency, "siliconflow")


async def test_openrouter_tells_the_credits_of_the_account(vendor: Vendor) -> None:
    vendor.answers(OPENROUTER + "/credits", '{"data": {"total_credits": 100.5, "total_usage": 25.75}}')
    balance = await vendor.balance(OPENROUTER)
    assert figures(balance) == (100.5, 25.75, 74.75)
    assert (balance.currency, balance.source) == ("USD", "openrouter")


@pytest.mark.parametrize(
    ("limit", "remaining", "expected"), [("100", "74.5", (100.0, 25.5, 74.5)), ("null", "null", (None, 25.5, None))]
)
async def test_openrouter_tells_of_the_key_where_it_may_not_see_the_credits(
    vendor: Vendor, limit: str, remaining: str, expected: tuple[float | None, ...]
) -> None:
    vendor.answers(OPENROUTER + "/credits", '{"error": {"message": "Only management keys", "code": 403}}', 403)
    vendor.answers(OPENROUTER + "/key", openrouter_key(limit, remaining))
    balance = await vendor.balance(OPENROUTER)
    assert figures(balance) == expected
    assert not balance.unlimited


@pytest.mark.parametrize(
    ("base_url", "currency"), [("https://api.moonshot.cn/v1", "CNY"), ("https://api.moonshot.ai/v1", "USD")]
)
async def test_moonshot_tells_what_is_available(vendor: Vendor, base_url: str, currency: str) -> None:
    vendor.answers(base_url + "/users/me/balance", moonshot("49.58894"))
    balance = await vendor.balance(base_url)
    assert figures(balance) == (None, None, 49.58894)
    assert (balance.currency, balance.source) == (currency, "moonshot")


@pytest.mark.parametrize(
    "base_url", ["", "https://api.openai.com", "https://eu.api.openai.com/v1", "https://API.OpenAI.com./v1"]
)
async def test_openai_is_not_even_asked(vendor: Vendor, base_url: str) -> None:
    assert await vendor.failure(base_url) == "balance_unsupported"
    assert vendor.asked() == []


def test_the_refusal_of_openai_can_be_told_to_people() -> None:
    error = UpstreamError("balance_unsupported")
    assert (error.code, error.details["retryable"]) == (500, False)
    assert error.message("en") == "The upstream offers no balance query."


@pytest.mark.parametrize(
    ("dialect", "path", "answer"),
    [
        ("deepseek", "/user/balance", deepseek(("CNY", "7"))),
        ("siliconflow", "/v1/user/info", siliconflow('"7"')),
        ("openrouter", "/v1/credits", '{"data": {"total_credits": 8, "total_usage": 1}}'),
        ("moonshot", "/v1/users/me/balance", moonshot("7")),
    ],
)
async def test_a_dialect_can_be_forced_on_any_host(vendor: Vendor, dialect: str, path: str, answer: str) -> None:
    vendor.answers(ELSEWHERE + path, answer)
    balance = await vendor.balance(RELAY, dialect)
    assert (balance.remaining, balance.source) == (7.0, dialect)


@pytest.mark.parametrize("base_url", ["https://api.openai.com/v1", "https://api.deepseek.com/v1"])
async def test_one_api_can_be_forced_on_a_known_host(vendor: Vendor, base_url: str) -> None:
    vendor.answers(base_url + SUBSCRIPTION, subscription("2"))
    vendor.answers(base_url + USAGE, usage("50"))
    assert figures(await vendor.balance(base_url, "one-api")) == (2.0, 0.5, 1.5)


async def test_openai_can_be_forced_on_any_host(vendor: Vendor) -> None:
    assert await vendor.failure(RELAY, "openai") == "balance_unsupported"


@pytest.mark.parametrize(
    "base_url",
    ["https://notdeepseek.com/v1", "https://api.deepseek.com.relay.example/v1", "https://relay.example/openai.com/v1"],
)
async def test_a_host_that_only_looks_like_a_vendor_is_a_relay(vendor: Vendor, base_url: str) -> None:
    vendor.answers(base_url + SUBSCRIPTION, subscription("2"))
    vendor.answers(base_url + USAGE, usage("50"))
    assert (await vendor.balance(base_url)).source == "one-api"


async def test_the_key_goes_to_the_configured_host_only(vendor: Vendor) -> None:
    vendor.answers("https://relay.example:8443/deepseek/user/balance", deepseek(("CNY", "1")))
    await vendor.balance("https://relay.example:8443/deepseek/v1", "deepseek")
    assert vendor.asked() == ["https://relay.example:8443/deepseek/user/balance"]


async def test_the_demo_has_a_balance() -> None:
    demo = DemoUpstream()
    balance = await ask(await demo.start())
    await demo.close()
    assert figures(balance) == (100.0, 12.345, 87.655)
    assert (balance.currency, balance.source, balance.as_of) == ("USD", "one-api", NOW_MS)
