"""What WeChat says about a text, however long."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.wechat.client import WeChatClient, WeChatError
from service.wechat.content_check import OVERLAP_CHARS, WINDOW_CHARS, WeChatContentCheck, windows
from tests.fakes.wechat import CHECK, TOKEN, FakeWeChat
from tests.fakes.wechat_scripts import refuses, says
from tests.wechat.conftest import StillClock


@pytest.fixture
def check(client: WeChatClient, clock: StillClock) -> WeChatContentCheck:
    return WeChatContentCheck(client, clock)


async def test_what_wechat_finds_harmless_passes(check: WeChatContentCheck) -> None:
    assert await check.passes("你好", openid="oAbc")


@pytest.mark.parametrize("suggest", ["risky", "review", "anything new"])
async def test_nothing_but_pass_passes(wechat: FakeWeChat, check: WeChatContentCheck, suggest: str) -> None:
    wechat.next(CHECK, says({"errcode": 0, "result": {"suggest": suggest, "label": 20001}}))

    assert not await check.passes("你好", openid="oAbc")


async def test_the_text_is_judged_for_its_user(wechat: FakeWeChat, check: WeChatContentCheck) -> None:
    wechat.openids = {"oAbc"}
    await check.passes("你好", openid="oAbc")

    with pytest.raises(WeChatError) as caught:
        await check.passes("你好", openid="guest")

    assert caught.value.errcode == 40003


async def test_a_phrase_across_the_border_of_two_windows_is_seen(wechat: FakeWeChat, check: WeChatContentCheck) -> None:
    wechat.risky = {"bad phrase"}
    text = "x" * (WINDOW_CHARS - 5) + "bad phrase" + "x" * WINDOW_CHARS

    assert not await check.passes(text, openid="oAbc")


async def test_after_a_refused_window_no_more_are_sent(wechat: FakeWeChat, check: WeChatContentCheck) -> None:
    wechat.risky = {"bad"}

    await check.passes("bad" + "x" * 10_000, openid="oAbc")

    assert len(wechat.asked_for(CHECK)) == 1


@pytest.mark.parametrize("text", ["", " \n", "\n" * 10_000])
async def test_a_blank_text_passes_unasked(wechat: FakeWeChat, check: WeChatContentCheck, text: str) -> None:
    assert await check.passes(text, openid="oAbc")
    assert wechat.asked == []


async def test_a_lone_surrogate_can_be_asked_about(wechat: FakeWeChat, check: WeChatContentCheck) -> None:
    await check.passes("a\ud83d", openid="oAbc")

    assert wechat.asked_for(CHECK)[0].body["content"] == "a?"


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
async def test_a_refused_token_is_replaced_once(wechat: FakeWeChat, check: WeChatContentCheck, errcode: int) -> None:
    wechat.next(CHECK, refuses(errcode))

    assert await check.passes("你好", openid="oAbc")


async def test_a_token_that_a_plain_request_keeps_giving_is_replaced_too(
    wechat: FakeWeChat, check: WeChatContentCheck
) -> None:
    await check.passes("你好", openid="oAbc")
    wechat.refuse_token()

    assert await check.passes("你好", openid="oAbc")


async def test_a_token_refused_again_is_given_up(wechat: FakeWeChat, check: WeChatContentCheck) -> None:
    wechat.next(CHECK, refuses(40001), refuses(40001))

    with pytest.raises(WeChatError) as caught:
        await check.passes("你好", openid="oAbc")

    assert caught.value.errcode == 40001
    assert len(wechat.asked_for(CHECK)) == 2


@pytest.mark.parametrize("errcode", [-1, 40003, 43104, 44991, 45002, 45009, 45011, 61010])
async def test_without_a_verdict_the_errcode_is_told(
    wechat: FakeWeChat, check: WeChatContentCheck, errcode: int
) -> None:
    wechat.next(CHECK, refuses(errcode))

    with pytest.raises(WeChatError) as caught:
        await check.passes("你好", openid="oAbc")

    assert caught.value.errcode == errcode
    assert len(wechat.asked_for(CHECK)) == 1


@pytest.mark.parametrize("answer", [{"errcode": 0}, {"result": None}, {"result": {}}, {"result": {"suggest": 1}}])
async def test_an_answer_without_a_verdict_is_none(
    wechat: FakeWeChat, check: WeChatContentCheck, answer: dict[str, object]
) -> None:
    wechat.next(CHECK, says(answer))

    with pytest.raises(WeChatError):
        await check.passes("你好", openid="oAbc")


async def test_many_checks_take_one_token(wechat: FakeWeChat, check: WeChatContentCheck) -> None:
    for _ in range(3):
        await check.passes("你好", openid="oAbc")

    assert len(wechat.asked_for(TOKEN)) == 1


@given(length=st.integers(1, 3 * WINDOW_CHARS), at=st.integers(0, 3 * WINDOW_CHARS), size=st.integers(1, OVERLAP_CHARS))
@example(length=WINDOW_CHARS + 1, at=WINDOW_CHARS, size=1)
def test_every_phrase_is_whole_in_a_window(length: int, at: int, size: int) -> None:
    text = "".join(chr(0x4E00 + number) for number in range(length))
    phrase = text[at : at + size]

    assert any(phrase in window for window in windows(text))
    assert max(map(len, windows(text))) <= WINDOW_CHARS
