"""What becomes of a login code, whatever WeChat answers."""

from __future__ import annotations

import logging

import pytest

from service.errors import ServiceError
from service.settings import Settings
from service.wechat.client import WeChatClient, open_wechat
from service.wechat.errcodes import OPERATOR
from service.wechat.login import WeChatIdentity, WeChatLogin
from tests.fakes.wechat import LOGIN, FakeWeChat
from tests.fakes.wechat_scripts import Script, drops, redirects, refuses, says, writes
from tests.wechat.conftest import StillClock


@pytest.fixture
def login(client: WeChatClient, clock: StillClock) -> WeChatLogin:
    return WeChatLogin(client, clock)


async def refusal_of(login: WeChatLogin, code: str = "some-code") -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await login.code_to_session(code)
    return caught.value


async def test_a_code_gives_the_openid_behind_it(wechat: FakeWeChat, login: WeChatLogin) -> None:
    code = wechat.issue_code("oAbc-123_x")

    assert await login.code_to_session(code) == WeChatIdentity(openid="oAbc-123_x", unionid=None)


async def test_a_bound_account_gives_the_union_id_too(wechat: FakeWeChat, login: WeChatLogin) -> None:
    code = wechat.issue_code("oAbc", unionid="uXyz")

    assert (await login.code_to_session(code)).unionid == "uXyz"


async def test_the_session_key_stays_behind(wechat: FakeWeChat, login: WeChatLogin) -> None:
    identity = await login.code_to_session(wechat.issue_code("oAbc"))

    assert identity.__struct_fields__ == ("openid", "unionid")


@pytest.mark.parametrize("errcode", [{}, {"errcode": 0}, {"errcode": None}, {"errcode": "0"}])
async def test_no_errcode_and_zero_are_success(
    wechat: FakeWeChat, login: WeChatLogin, errcode: dict[str, object]
) -> None:
    wechat.next(LOGIN, says({"openid": "oAbc", "session_key": "k", **errcode}))

    assert (await login.code_to_session("some-code")).openid == "oAbc"


@pytest.mark.parametrize(
    ("errcode", "code", "type"),
    [
        (40029, 400, "login_code_invalid"),
        (41008, 400, "login_code_invalid"),
        (42003, 400, "login_code_invalid"),
        (40163, 400, "login_code_used"),
        (40226, 403, "login_blocked"),
        (45011, 429, "rate_limited"),
        (-1, 500, "login_unavailable"),
        (99999, 500, "login_unavailable"),
    ],
)
async def test_each_errcode_has_its_code_and_type(
    wechat: FakeWeChat, login: WeChatLogin, errcode: int, code: int, type: str
) -> None:
    wechat.next(LOGIN, refuses(errcode))

    error = await refusal_of(login)

    assert (error.code, error.type) == (code, type)


async def test_an_errcode_in_quotes_is_understood(wechat: FakeWeChat, login: WeChatLogin) -> None:
    wechat.next(LOGIN, says({"errcode": "40226", "errmsg": None, "openid": 5}))

    assert (await refusal_of(login)).type == "login_blocked"


async def test_a_code_that_is_refused_names_its_field(login: WeChatLogin) -> None:
    assert (await refusal_of(login)).details == {"field": "code"}


async def test_too_many_logins_say_when_to_come_again(wechat: FakeWeChat, login: WeChatLogin) -> None:
    wechat.next(LOGIN, refuses(45011))

    assert (await refusal_of(login)).retry_after_seconds == 60


@pytest.mark.parametrize("errcode", sorted(OPERATOR))
async def test_the_operators_mistakes_are_logged_and_not_shown(
    wechat: FakeWeChat, login: WeChatLogin, errcode: int, caplog: pytest.LogCaptureFixture
) -> None:
    wechat.next(LOGIN, refuses(errcode))

    error = await refusal_of(login)

    assert (error.code, error.type, error.details) == (500, "login_misconfigured", {"retryable": False})
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert OPERATOR[errcode] in caplog.text


async def test_a_wrong_secret_is_the_operators_mistake(wechat: FakeWeChat, clock: StillClock) -> None:
    variables = {**wechat.variables, "WECHAT_SECRET": "another"}
    async with open_wechat(Settings.from_mapping(variables)) as client:
        assert (await refusal_of(WeChatLogin(client, clock))).type == "login_misconfigured"


UNUSABLE: dict[str, Script] = {
    "a page": writes(b"<html>502</html>"),
    "a page with an error": writes(b"<html>502</html>", status=502),
    "a session with an error": says({"openid": "oAbc"}, status=500),
    "nothing": writes(b""),
    "cut": writes(b'{"openid": "oAb'),
    "not utf-8": writes(b'{"openid": "\xff\xfe"}'),
    "a list": writes(b"[]"),
    "nested": writes(b'{"openid": ' + b"[" * 60_000),
    "endless": writes(b'{"openid": "oAbc", "x": "' + b"x" * 300_000 + b'"}'),
    "no openid": says({"session_key": "k"}),
    "an empty openid": says({"openid": ""}),
    "an openid that is a number": says({"openid": 7}),
    "an openid that is a path": says({"openid": "../../etc"}),
    "a redirect": redirects("/elsewhere"),
    "no answer": drops,
}


@pytest.mark.parametrize("name", UNUSABLE)
async def test_an_unusable_answer_may_be_asked_for_again(wechat: FakeWeChat, login: WeChatLogin, name: str) -> None:
    wechat.next(LOGIN, UNUSABLE[name], UNUSABLE[name])

    error = await refusal_of(login)

    assert (error.code, error.type, error.details) == (500, "login_unavailable", {"retryable": True})


async def test_a_redirect_is_not_followed(wechat: FakeWeChat, login: WeChatLogin) -> None:
    wechat.next(LOGIN, redirects("/elsewhere"))

    await refusal_of(login)

    assert [asked.path for asked in wechat.asked] == [LOGIN]


async def test_a_wechat_that_does_not_answer_is_not_waited_for(
    wechat: FakeWeChat, clock: StillClock, caplog: pytest.LogCaptureFixture
) -> None:
    wechat.pause()
    async with open_wechat(Settings.from_mapping(wechat.variables), timeout_seconds=0.05) as client:
        assert (await refusal_of(WeChatLogin(client, clock))).type == "login_unavailable"

    assert "no answer in time" in caplog.text


async def test_without_appid_and_secret_nobody_is_asked(wechat: FakeWeChat, clock: StillClock) -> None:
    settings = Settings.from_mapping({"WECHAT_BASE_URL": wechat.base_url})
    async with open_wechat(settings) as client:
        error = await refusal_of(WeChatLogin(client, clock))

    assert (error.code, error.type, error.details) == (500, "login_not_configured", {"retryable": False})
    assert wechat.asked == []


@pytest.mark.parametrize("code", ["", "x" * 513, "a\nb", "a\x00b", "a\ud800b", "a\u200bb"])
async def test_a_code_that_cannot_be_one_is_not_sent(wechat: FakeWeChat, login: WeChatLogin, code: str) -> None:
    error = await refusal_of(login, code)

    assert (error.code, error.details) == (400, {"field": "code"})
    assert wechat.asked == []
