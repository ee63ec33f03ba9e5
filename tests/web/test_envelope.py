"""Every answer has one shape, an id, the reader's language, and nothing of our insides."""

from __future__ import annotations

import re
from typing import Any

import pytest
from aiohttp import ServerDisconnectedError, web

from service.errors import TooLarge
from service.storage.database import StepRefused
from tests.fakes.upstream import Answer, FakeUpstream
from tests.web.conftest import Api, Start
from tests.web.refusals import check_refusal

CHAT: dict[str, Any] = {"openid": "ann", "messages": [{"role": "user", "content": "hi"}]}
BROKEN: list[Exception] = [
    ValueError("planted-secret"),
    KeyError("planted-secret"),
    RuntimeError("/srv/planted-secret/service.py"),
    TimeoutError("planted-secret"),
    ConnectionResetError("planted-secret"),
    RecursionError("planted-secret"),
    UnicodeDecodeError("utf-8", b"planted-secret", 0, 1, "planted-secret"),
    StepRefused(1),
    web.HTTPInternalServerError(text="planted-secret"),
    web.HTTPBadGateway(text="planted-secret"),
]


def failing(error: Exception) -> web.RouteDef:
    """A route whose handler raises."""

    async def fail(request: web.Request) -> web.StreamResponse:
        raise error

    return web.get("/fails", fail)


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/user/ann", "/nothing", "/api/chat"])
async def test_every_answer_bears_an_id_and_no_name_of_a_server(api: Api, path: str):
    async with api.client.get(path) as response:
        assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}", response.headers["X-Request-ID"])
        assert "Server" not in response.headers
        assert "Set-Cookie" not in response.headers


async def test_success_is_code_0_and_the_word_ok(api: Api):
    async with api.client.post("/api/chat", json=CHAT) as response:
        envelope = await response.json()
        assert (response.status, list(envelope), envelope["code"], envelope["msg"]) == (
            200,
            ["code", "msg", "data"],
            0,
            "ok",
        )
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"


async def test_chinese_is_written_as_it_is(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.completion("你好"))
    async with api.client.post("/api/chat", json=CHAT) as response:
        assert "你好".encode() in await response.read()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/nothing", "/api", "/api/", "/api/chat/", "/index.php"])
async def test_an_unknown_path_is_a_404(start: Start, method: str, path: str):
    api = await start(MSG_LANGUAGE="zh")
    async with api.client.request(method, path) as response:
        await check_refusal(response, 404, "route_not_found")
        assert (await response.json())["msg"] == "接口不存在"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/chat", {"POST", "OPTIONS"}),
        ("PUT", "/api/user/ann", {"GET", "POST", "OPTIONS"}),
        ("DELETE", "/api/history/ann", {"GET", "OPTIONS"}),
        ("PATCH", "/api/balance", {"GET", "OPTIONS"}),
        ("POST", "/healthz", {"GET", "OPTIONS"}),
        ("TRACE", "/api/chat", {"POST", "OPTIONS"}),
    ],
)
async def test_another_method_is_a_405_that_tells_which_are_allowed(
    api: Api, method: str, path: str, allowed: set[str]
):
    async with api.client.request(method, path) as response:
        data = await check_refusal(response, 405, "method_not_allowed")
        assert set(response.headers["Allow"].split(", ")) == allowed
        assert data["allow"] == response.headers["Allow"]


async def test_a_head_is_a_405_without_a_body(api: Api):
    async with api.client.head("/healthz") as response:
        assert (response.status, await response.read()) == (405, b"")


async def test_a_sane_request_id_is_kept_and_given_back(api: Api):
    async with api.client.get("/nothing", headers={"X-Request-ID": "Trace.of_my-own.1"}) as response:
        assert response.headers["X-Request-ID"] == "Trace.of_my-own.1"
        assert (await response.json())["data"]["request_id"] == "Trace.of_my-own.1"


@pytest.mark.parametrize("own", ["", " ", "a b", "x" * 65, "<script>", "a;b", "ид", "a\tb"])
async def test_another_request_id_is_replaced(api: Api, own: str):
    async with api.client.get("/nothing", headers={"X-Request-ID": own}) as response:
        made = response.headers["X-Request-ID"]
        assert made != own
        assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}", made)


async def test_two_requests_have_two_ids(api: Api):
    ids = set()
    for _ in range(50):
        async with api.client.get("/healthz") as response:
            ids.add(response.headers["X-Request-ID"])
    assert len(ids) == 50


@pytest.mark.parametrize(
    ("default", "accepted", "message"),
    [
        ("zh", None, "接口不存在"),
        ("en", None, "No such endpoint."),
        ("zh", "en-US,en;q=0.9", "No such endpoint."),
        ("en", "zh-CN,zh;q=0.9,en;q=0.8", "接口不存在"),
        ("zh", "zh;q=0.4, en;q=0.5", "No such endpoint."),
        ("zh", "EN", "No such endpoint."),
        ("zh", "en;q=0", "接口不存在"),
        ("zh", "fr-FR, de", "接口不存在"),
        ("en", "*", "No such endpoint."),
        ("zh", "english", "接口不存在"),
        ("zh", "en;q=nonsense", "接口不存在"),
        ("zh", ";;;,,,q=", "接口不存在"),
        ("zh", "x" * 5000, "接口不存在"),
    ],
)
async def test_the_language_is_the_one_that_is_preferred(
    start: Start, default: str, accepted: str | None, message: str
):
    api = await start(MSG_LANGUAGE=default)
    headers = {} if accepted is None else {"Accept-Language": accepted}
    assert (await api.get("/nothing", headers=headers))[1]["msg"] == message


async def test_who_has_to_wait_is_told_how_long_twice(start: Start):
    api = await start(RATE_LIMIT="1/minute")
    await api.chat()
    async with api.client.post("/api/chat", json=CHAT) as response:
        data = await check_refusal(response, 429, "rate_limited")
        assert 1 <= data["retry_after_seconds"] <= 60
        assert response.headers["Retry-After"] == str(data["retry_after_seconds"])


@pytest.mark.parametrize("error", BROKEN, ids=lambda error: type(error).__name__)
async def test_a_bug_of_ours_is_a_500_that_tells_nothing_of_it(
    start: Start, caplog: pytest.LogCaptureFixture, error: Exception
):
    api = await start(routes=[failing(error)])
    async with api.client.get("/fails", headers={"Accept": "text/html"}) as response:
        await check_refusal(response, 500, "internal_error")
        assert "planted" not in await response.text()
        assert "planted" not in str(response.headers)
    if not isinstance(error, web.HTTPException):
        assert response.headers["X-Request-ID"] in caplog.text
    await api.data("/healthz")


async def test_a_failure_keeps_its_code_and_its_details(start: Start):
    api = await start(routes=[failing(TooLarge(limit_bytes=7))])
    async with api.client.get("/fails") as response:
        assert (await check_refusal(response, 413, "body_too_large"))["limit_bytes"] == 7


async def test_what_fails_beyond_the_envelope_is_logged_all_the_same(start: Start, caplog: pytest.LogCaptureFixture):
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(headers={"X-Split": "a\r\nb"})

    api = await start(routes=[web.get("/splits", answer)])
    with pytest.raises(ServerDisconnectedError):
        await api.client.get("/splits")
    assert "Unhandled exception" in caplog.text
    await api.data("/healthz")
