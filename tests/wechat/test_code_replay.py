"""A code that comes twice, at once or later."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import ServiceError
from service.wechat.client import WeChatClient
from service.wechat.code_replay import CodeReplay
from service.wechat.login import WeChatLogin
from tests.fakes.wechat import LOGIN, FakeWeChat
from tests.fakes.wechat_scripts import refuses
from tests.wechat.conftest import StillClock


@pytest.fixture
def login(client: WeChatClient, clock: StillClock) -> WeChatLogin:
    return WeChatLogin(client, clock)


async def test_a_code_that_comes_again_gives_the_identity_again(
    wechat: FakeWeChat, login: WeChatLogin, clock: StillClock
) -> None:
    code = wechat.issue_code("oAbc")
    first = await login.code_to_session(code)
    clock.pass_seconds(299)

    assert await login.code_to_session(code) == first
    assert len(wechat.asked_for(LOGIN)) == 1


async def test_after_five_minutes_a_code_is_spent(wechat: FakeWeChat, login: WeChatLogin, clock: StillClock) -> None:
    code = wechat.issue_code("oAbc")
    await login.code_to_session(code)
    clock.pass_seconds(300)

    with pytest.raises(ServiceError) as caught:
        await login.code_to_session(code)

    assert caught.value.type == "login_code_used"


async def test_two_requests_with_one_code_share_one_question(wechat: FakeWeChat, login: WeChatLogin) -> None:
    code = wechat.issue_code("oAbc")
    wechat.pause()
    both = asyncio.gather(login.code_to_session(code), login.code_to_session(code))
    await wechat.until_asked(LOGIN)
    wechat.resume()

    assert [identity.openid for identity in await both] == ["oAbc", "oAbc"]
    assert len(wechat.asked_for(LOGIN)) == 1


async def test_two_codes_give_two_identities(wechat: FakeWeChat, login: WeChatLogin) -> None:
    codes = [wechat.issue_code("oAbc"), wechat.issue_code("oXyz")]

    assert [(await login.code_to_session(code)).openid for code in codes] == ["oAbc", "oXyz"]


async def test_a_failure_is_not_remembered(wechat: FakeWeChat, login: WeChatLogin) -> None:
    code = wechat.issue_code("oAbc")
    wechat.next(LOGIN, refuses(-1))
    with pytest.raises(ServiceError):
        await login.code_to_session(code)

    assert (await login.code_to_session(code)).openid == "oAbc"


async def test_a_failure_is_told_to_both_who_wait(wechat: FakeWeChat, login: WeChatLogin) -> None:
    wechat.pause()
    both = asyncio.gather(login.code_to_session("no-code"), login.code_to_session("no-code"), return_exceptions=True)
    await wechat.until_asked(LOGIN)
    wechat.resume()

    assert [getattr(error, "type", error) for error in await both] == ["login_code_invalid"] * 2


async def test_a_client_that_goes_away_does_not_lose_its_code(wechat: FakeWeChat, login: WeChatLogin) -> None:
    code = wechat.issue_code("oAbc")
    wechat.pause()
    gone = asyncio.create_task(login.code_to_session(code))
    await wechat.until_asked(LOGIN)
    gone.cancel()
    wechat.resume()

    assert (await login.code_to_session(code)).openid == "oAbc"


class Counter:
    """Gives the next number at each asking."""

    def __init__(self) -> None:
        self.times = 0

    async def ask(self) -> int:
        self.times += 1
        return self.times


@pytest.fixture
def counter() -> Counter:
    return Counter()


async def test_only_so_many_codes_are_remembered(clock: StillClock, counter: Counter) -> None:
    replay: CodeReplay[int] = CodeReplay(clock, limit=2)
    for code in ("a", "b", "c"):
        await replay.once(code, counter.ask)

    assert [await replay.once(code, counter.ask) for code in ("c", "b", "a")] == [3, 2, 4]


async def test_what_is_too_old_frees_its_place(clock: StillClock, counter: Counter) -> None:
    replay: CodeReplay[int] = CodeReplay(clock, keep_seconds=10)
    await replay.once("a", counter.ask)
    clock.pass_seconds(10)
    await replay.once("b", counter.ask)

    assert [await replay.once(code, counter.ask) for code in ("b", "a")] == [2, 3]
