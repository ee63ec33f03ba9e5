"""Logging in with WeChat: a code of wx.login for a session, whatever WeChat says to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout

from service.wechat.errcodes import OPERATOR
from tests.fakes.wechat import LOGIN, FakeWeChat
from tests.fakes.wechat_scripts import refuses, says, writes
from tests.web.conftest import Api, Start
from tests.web.ownership import bearer


@pytest.fixture
async def wechat() -> AsyncIterator[FakeWeChat]:
    async with FakeWeChat() as fake:
        yield fake


@pytest.fixture
async def api(start: Start, wechat: FakeWeChat) -> Api:
    return await start(AUTH="required", **wechat.variables)


async def test_a_code_gives_a_session_that_works(api: Api, wechat: FakeWeChat):
    session = await api.data("/api/login", {"code": wechat.issue_code("oAnn-1")})
    assert set(session) == {"openid", "token", "refreshToken", "expires_in", "is_new"}
    assert (session["openid"], session["expires_in"], session["is_new"]) == ("oAnn-1", 7200, True)
    ask = {"openid": "oAnn-1", "messages": [{"role": "user", "content": "hi"}]}
    assert (await api.data("/api/chat", ask, headers=bearer(session["token"])))["reply"] == "hi"
    assert (await api.post("/api/token/refresh", {"refreshToken": session["refreshToken"]}))[0] == 200


async def test_the_same_code_works_again_for_five_minutes(api: Api, wechat: FakeWeChat):
    code = wechat.issue_code("oAnn-1")
    first, again = [await api.data("/api/login", {"code": code}) for _ in range(2)]
    assert (again["openid"], first["is_new"], again["is_new"]) == ("oAnn-1", True, False)
    assert again["refreshToken"] != first["refreshToken"]
    assert len(wechat.asked_for(LOGIN)) == 1
    api.clock.ahead_ms += 301_000
    status, envelope = await api.post("/api/login", {"code": code})
    assert (status, envelope["data"]["type"]) == (400, "login_code_used")


async def test_one_who_comes_back_is_not_new(api: Api, wechat: FakeWeChat):
    assert (await api.data("/api/login", {"code": wechat.issue_code("oAnn-1")}))["is_new"] is True
    assert (await api.data("/api/login", {"code": wechat.issue_code("oAnn-1")}))["is_new"] is False


@pytest.mark.parametrize(
    ("errcode", "code", "type"),
    [
        (-1, 500, "login_unavailable"),
        (40029, 400, "login_code_invalid"),
        (40163, 400, "login_code_used"),
        (40226, 403, "login_blocked"),
        (45011, 429, "rate_limited"),
        (77777, 500, "login_unavailable"),
    ],
)
async def test_each_errcode_is_a_code_and_a_sentence(api: Api, wechat: FakeWeChat, errcode: int, code: int, type: str):
    wechat.next(LOGIN, refuses(errcode))
    async with api.client.post("/api/login", json={"code": "c"}) as response:
        envelope = await response.json()
        assert (response.status, envelope["code"], envelope["data"]["type"]) == (code, code, type)
        assert ("Retry-After" in response.headers) == (code == 429)
    assert envelope["msg"]
    assert str(errcode) not in envelope["msg"]
    assert "scripted" not in str(envelope)


@pytest.mark.parametrize("errcode", sorted(OPERATOR))
async def test_the_operators_mistakes_are_logged_and_never_shown(
    api: Api, wechat: FakeWeChat, errcode: int, caplog: pytest.LogCaptureFixture
):
    wechat.next(LOGIN, refuses(errcode))
    status, envelope = await api.post("/api/login", {"code": "c"})
    assert (status, envelope["data"]["type"]) == (500, "login_misconfigured")
    assert OPERATOR[errcode] in caplog.text
    for told in (str(envelope), caplog.text):
        assert wechat.secret not in told
        assert wechat.appid not in told
    assert OPERATOR[errcode] not in str(envelope)


@pytest.mark.parametrize("success", [{}, {"errcode": 0}, {"errcode": None}])
async def test_an_answer_without_an_errcode_is_success(api: Api, wechat: FakeWeChat, success: dict[str, Any]):
    wechat.next(LOGIN, says({"openid": "oAnn-1", "session_key": "planted-key", **success}))
    assert (await api.data("/api/login", {"code": "c"}))["openid"] == "oAnn-1"


async def test_the_session_key_never_leaves(start: Start, wechat: FakeWeChat, caplog: pytest.LogCaptureFixture):
    caplog.set_level("DEBUG")
    api = await start(AUTH="required", LOG_LEVEL="debug", **wechat.variables)
    session = await api.data("/api/login", {"code": wechat.issue_code("oAnn-1")})
    wechat.next(LOGIN, writes(b'{"session_key": "planted-session-key==", "openid"'))
    _, failed = await api.post("/api/login", {"code": "c"})
    assert "planted-session-key" not in f"{session}{failed}{caplog.text}"


async def test_a_failed_login_may_be_tried_again_with_the_same_code(api: Api, wechat: FakeWeChat):
    code = wechat.issue_code("oAnn-1")
    wechat.next(LOGIN, writes(b"<html>502</html>", status=502))
    status, envelope = await api.post("/api/login", {"code": code})
    assert (status, envelope["data"]["type"], envelope["data"]["retryable"]) == (500, "login_unavailable", True)
    assert (await api.data("/api/login", {"code": code}))["openid"] == "oAnn-1"


async def test_a_wrong_secret_is_the_operators_and_a_missing_one_is_told(start: Start, wechat: FakeWeChat):
    api = await start(AUTH="required", **{**wechat.variables, "WECHAT_SECRET": "another-secret"})
    assert (await api.post("/api/login", {"code": "c"}))[1]["data"]["type"] == "login_misconfigured"
    api = await start(AUTH="required")
    assert (await api.post("/api/login", {"code": "c"}))[1]["data"]["type"] == "login_not_configured"


@pytest.mark.parametrize("body", [{}, {"code": ""}, {"code": None}, {"code": 7}, {"code": "x" * 513}, {"code": "a\nb"}])
async def test_a_code_that_can_be_none_is_a_bad_parameter(api: Api, wechat: FakeWeChat, body: dict[str, Any]):
    status, envelope = await api.post("/api/login", body)
    assert (status, envelope["data"]["field"]) == (400, "code")
    assert wechat.asked == []


async def test_a_client_that_leaves_does_not_lose_the_code(api: Api, wechat: FakeWeChat):
    code = wechat.issue_code("oAnn-1")
    wechat.pause()
    async with ClientSession() as impatient:
        asking = impatient.post(
            api.client.make_url("/api/login"), json={"code": code}, timeout=ClientTimeout(total=0.2)
        )
        with pytest.raises(TimeoutError):
            await asking
    await wechat.until_asked(LOGIN)
    wechat.resume()
    assert (await api.data("/api/login", {"code": code}))["openid"] == "oAnn-1"
