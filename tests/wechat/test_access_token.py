"""The access token: how seldom it is asked for, and what happens when WeChat refuses it."""

from __future__ import annotations

import asyncio

import pytest

from service.wechat.access_token import AccessToken
from service.wechat.client import WeChatClient, WeChatError
from tests.fakes.wechat import TOKEN, FakeWeChat
from tests.fakes.wechat_scripts import drops, refuses, says
from tests.wechat.conftest import StillClock


@pytest.fixture
def token(client: WeChatClient, clock: StillClock) -> AccessToken:
    return AccessToken(client, clock)


def forced(wechat: FakeWeChat) -> list[bool]:
    return [asked.body["force_refresh"] for asked in wechat.asked_for(TOKEN)]


async def test_a_token_is_kept(wechat: FakeWeChat, token: AccessToken, clock: StillClock) -> None:
    first = await token.get()
    clock.pass_seconds(6899)

    assert await token.get() == first == wechat.token
    assert forced(wechat) == [False]


async def test_a_token_is_renewed_five_minutes_before_its_end(
    wechat: FakeWeChat, token: AccessToken, clock: StillClock
) -> None:
    await token.get()
    wechat.renew_token()
    clock.pass_seconds(6900)

    assert await token.get() == wechat.token


@pytest.mark.parametrize(("expires_in", "kept_seconds"), [(60, 30), (310, 155), (10**12, 6900)])
async def test_an_odd_lifetime_is_kept_within_bounds(
    wechat: FakeWeChat, token: AccessToken, clock: StillClock, expires_in: int, kept_seconds: int
) -> None:
    wechat.expires_in = expires_in
    await token.get()
    clock.pass_seconds(kept_seconds - 1)
    await token.get()
    asked_before = len(forced(wechat))
    clock.pass_seconds(1)
    await token.get()

    assert (asked_before, len(forced(wechat))) == (1, 2)


async def test_callers_at_once_share_one_request(wechat: FakeWeChat, token: AccessToken) -> None:
    wechat.pause()
    callers = asyncio.gather(*(token.get() for _ in range(20)))
    await wechat.until_asked(TOKEN)
    wechat.resume()

    assert set(await callers) == {wechat.token}
    assert forced(wechat) == [False]


async def test_callers_at_once_share_a_failure_and_the_next_asks_again(wechat: FakeWeChat, token: AccessToken) -> None:
    wechat.next(TOKEN, refuses(-1))
    wechat.pause()
    callers = asyncio.gather(*(token.get() for _ in range(20)), return_exceptions=True)
    await wechat.until_asked(TOKEN)
    wechat.resume()

    assert {type(error) for error in await callers} == {WeChatError}
    assert await token.get() == wechat.token
    assert forced(wechat) == [False, False]


async def test_a_caller_that_goes_away_does_not_take_the_token_along(wechat: FakeWeChat, token: AccessToken) -> None:
    wechat.pause()
    gone = asyncio.create_task(token.get())
    await wechat.until_asked(TOKEN)
    stays = asyncio.create_task(token.get())
    gone.cancel()
    wechat.resume()

    assert await stays == wechat.token


async def test_a_token_that_another_process_replaced_is_not_forced(wechat: FakeWeChat, token: AccessToken) -> None:
    refused = await token.get()
    wechat.renew_token()

    assert await token.replace(refused) == wechat.token
    assert forced(wechat) == [False, False]


async def test_a_refused_token_that_wechat_still_gives_is_replaced_by_force(
    wechat: FakeWeChat, token: AccessToken
) -> None:
    refused = await token.get()

    assert await token.replace(refused) == wechat.token != refused
    assert forced(wechat) == [False, False, True]


async def test_who_is_refused_late_gets_the_token_that_is_there(wechat: FakeWeChat, token: AccessToken) -> None:
    refused = await token.get()
    renewed = await token.replace(refused)

    assert await token.replace(refused) == renewed
    assert len(forced(wechat)) == 3


async def test_force_is_used_once_in_five_minutes(wechat: FakeWeChat, token: AccessToken, clock: StillClock) -> None:
    await token.replace(await token.get())
    await token.replace(await token.get())
    clock.pass_seconds(299)
    await token.replace(await token.get())
    forced_early = forced(wechat).count(True)
    clock.pass_seconds(1)
    await token.replace(await token.get())

    assert (forced_early, forced(wechat).count(True)) == (1, 2)


@pytest.mark.parametrize(
    "answer",
    [{}, {"access_token": "", "expires_in": 7200}, {"access_token": "x", "expires_in": 0}, {"access_token": "x"}],
)
async def test_an_answer_without_a_token_is_a_failure(
    wechat: FakeWeChat, token: AccessToken, answer: dict[str, object]
) -> None:
    wechat.next(TOKEN, says(answer))

    with pytest.raises(WeChatError):
        await token.get()


async def test_a_connection_that_was_closed_meanwhile_is_made_again(wechat: FakeWeChat, token: AccessToken) -> None:
    wechat.next(TOKEN, drops)

    assert await token.get() == wechat.token
