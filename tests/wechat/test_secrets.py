"""Nothing that the WeChat room says, raises or shows bears a secret, whatever goes wrong."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator

import pytest

from service.errors import ServiceError
from service.settings import Settings
from service.wechat.client import WeChatClient, WeChatError, open_wechat
from service.wechat.content_check import WeChatContentCheck
from service.wechat.login import WeChatLogin
from tests.fakes.wechat import CHECK, LOGIN, TOKEN, FakeWeChat
from tests.fakes.wechat_scripts import Script, drops, redirects, refuses, says, writes
from tests.wechat.conftest import StillClock

PLANTED = (
    "planted",
    "some-code",
    "0a3",
    "oSecretOpenid",
    "wx0123456789abcdef",
    "some text",
    "access_token=",
    "127.0.0.1",
)

MISHAPS: dict[str, Script] = {
    "wrong secret": refuses(40125),
    "busy": refuses(-1),
    "telling": says({"errcode": 40013, "errmsg": "invalid appid wx0123456789abcdef, planted"}),
    "telling success": says({"openid": "../planted", "result": "planted", "access_token": ""}),
    "page": writes(b"<html>planted</html>", status=502),
    "not json": writes(b"planted"),
    "redirect": redirects("http://127.0.0.1:1/planted"),
    "bad redirect": redirects("http://[planted"),
    "drop": drops,
}


@pytest.fixture
def login(client: WeChatClient, clock: StillClock) -> WeChatLogin:
    return WeChatLogin(client, clock)


@pytest.fixture
def check(client: WeChatClient, clock: StillClock) -> WeChatContentCheck:
    return WeChatContentCheck(client, clock)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and everything that hangs on to it, suppressed or not."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def assert_tells_nothing(error: BaseException, log: str) -> None:
    errors = list(chain(error))
    said = "".join(map(repr, errors)) + "".join(traceback.format_exception_only(error)) + log
    said += "".join(repr(vars(each)) for each in errors)
    assert [word for word in PLANTED if word in said] == []
    assert {type(each).__module__.split(".")[0] for each in errors} == {"service"}


@pytest.mark.parametrize("name", MISHAPS)
async def test_a_failed_login_tells_no_secret(
    wechat: FakeWeChat, login: WeChatLogin, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wechat.next(LOGIN, MISHAPS[name], MISHAPS[name])

    with pytest.raises(ServiceError) as caught:
        await login.code_to_session("some-code")

    assert_tells_nothing(caught.value, caplog.text)


@pytest.mark.parametrize("path", [TOKEN, CHECK])
@pytest.mark.parametrize("name", MISHAPS)
async def test_a_failed_check_tells_no_secret(
    wechat: FakeWeChat, check: WeChatContentCheck, path: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wechat.next(path, MISHAPS[name], MISHAPS[name])

    with pytest.raises(WeChatError) as caught:
        await check.passes("some text", openid="oSecretOpenid")

    assert_tells_nothing(caught.value, caplog.text)


async def test_a_wechat_that_is_away_tells_no_secret(clock: StillClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    settings = {"WECHAT_APPID": "planted-id", "WECHAT_SECRET": "planted", "WECHAT_BASE_URL": "http://127.0.0.1:1"}
    async with open_wechat(Settings.from_mapping(settings)) as client:
        with pytest.raises(ServiceError) as caught:
            await WeChatLogin(client, clock).code_to_session("some-code")

    assert_tells_nothing(caught.value, caplog.text)


async def test_a_timeout_tells_no_secret(
    wechat: FakeWeChat, clock: StillClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wechat.pause()
    async with open_wechat(Settings.from_mapping(wechat.variables), timeout_seconds=0.05) as client:
        with pytest.raises(ServiceError) as caught:
            await WeChatLogin(client, clock).code_to_session("some-code")

    assert_tells_nothing(caught.value, caplog.text)


async def test_nothing_shows_a_secret_when_printed(
    wechat: FakeWeChat, client: WeChatClient, login: WeChatLogin, check: WeChatContentCheck
) -> None:
    identity = await login.code_to_session(wechat.issue_code("oSecretOpenid"))
    await check.passes("some text", openid="oSecretOpenid")

    shown = repr([client, login, check, identity]) + str(identity)

    assert [word for word in PLANTED if word in shown] == []


async def test_a_failure_names_the_id_that_wechats_support_asks_for(
    wechat: FakeWeChat, login: WeChatLogin, caplog: pytest.LogCaptureFixture
) -> None:
    wechat.next(LOGIN, refuses(40125))

    with pytest.raises(ServiceError):
        await login.code_to_session("some-code")

    assert "65d7e94d-59b8e5d7-0dc0ad08" in caplog.text
