"""The check that asks WeChat: what it holds back, and what it does without a verdict."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.domain.safety import make_content_check
from service.domain.safety_wechat import FIRST_STEP_CHARS, WHOLE_TEXT_LIMIT_CHARS, WeChatCheck
from service.domain.safety_words import WordList
from service.errors import ServiceError, StartError
from service.settings import Settings
from service.wechat.client import open_wechat
from service.wechat.content_check import OVERLAP_CHARS, WeChatContentCheck
from tests.domain.test_safety import StillClock, held_by, released_before_refusal
from tests.fakes.wechat import CHECK, FakeWeChat
from tests.fakes.wechat_scripts import refuses


@pytest.fixture
async def wechat() -> AsyncIterator[FakeWeChat]:
    async with FakeWeChat() as fake:
        yield fake


@pytest.fixture
async def asking(wechat: FakeWeChat) -> AsyncIterator[WeChatContentCheck]:
    async with open_wechat(Settings.from_mapping(wechat.variables)) as client:
        yield WeChatContentCheck(client, StillClock())


@pytest.fixture
def check(asking: WeChatContentCheck) -> WeChatCheck:
    return WeChatCheck(asking, fail_open=False)


async def test_wechat_decides(wechat: FakeWeChat, check: WeChatCheck) -> None:
    wechat.risky = {"bad"}

    assert await check.allows("good", openid="oAbc")
    assert not await check.allows("so bad", openid="oAbc")


async def test_a_text_that_would_eat_the_quota_is_too_long(wechat: FakeWeChat, check: WeChatCheck) -> None:
    with pytest.raises(ServiceError) as caught:
        await check.allows("x" * (WHOLE_TEXT_LIMIT_CHARS + 1), openid="oAbc")

    assert (caught.value.code, caught.value.type) == (413, "content_too_long")
    assert wechat.asked == []


NO_VERDICT = [-1, 44991, 45009, 48001, 61010]


@pytest.mark.parametrize("errcode", NO_VERDICT)
async def test_failing_closed_lets_nothing_pass_without_a_verdict(
    wechat: FakeWeChat, check: WeChatCheck, errcode: int
) -> None:
    wechat.next(CHECK, refuses(errcode))

    with pytest.raises(ServiceError) as caught:
        await check.allows("text", openid="oAbc")

    assert (caught.value.code, caught.value.type) == (500, "content_check_unavailable")
    assert caught.value.details == {"retryable": True}


@pytest.mark.parametrize("errcode", NO_VERDICT)
async def test_failing_open_lets_pass_without_a_verdict(
    wechat: FakeWeChat, asking: WeChatContentCheck, errcode: int
) -> None:
    wechat.next(CHECK, refuses(errcode))

    assert await WeChatCheck(asking, fail_open=True).allows("text", openid="oAbc")


async def test_failing_open_still_refuses_what_wechat_refuses(wechat: FakeWeChat, asking: WeChatContentCheck) -> None:
    wechat.risky = {"bad"}

    assert not await WeChatCheck(asking, fail_open=True).allows("bad", openid="oAbc")


@pytest.mark.parametrize(("fail_open", "passes"), [(True, True), (False, False)])
async def test_a_timeout_is_no_verdict(wechat: FakeWeChat, fail_open: bool, passes: bool) -> None:
    wechat.pause()
    async with open_wechat(Settings.from_mapping(wechat.variables), timeout_seconds=0.05) as client:
        check = WeChatCheck(WeChatContentCheck(client, StillClock()), fail_open=fail_open)
        try:
            passed = await check.allows("text", openid="oAbc")
        except ServiceError:
            passed = False

    assert passed == passes


@pytest.mark.parametrize(("errcode", "level"), [(45009, logging.ERROR), (-1, logging.WARNING)])
async def test_what_the_operator_must_mend_is_logged_as_an_error(
    wechat: FakeWeChat, asking: WeChatContentCheck, errcode: int, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    wechat.next(CHECK, refuses(errcode))

    await WeChatCheck(asking, fail_open=True).allows("text", openid="oAbc")

    assert [record.levelno for record in caplog.records] == [level]


async def test_a_reply_is_given_out_in_growing_steps(wechat: FakeWeChat, check: WeChatCheck) -> None:
    held = held_by(check)

    released = [len(await held.feed("x" * 100)) for _ in range(14)]

    assert [size for size in released if size] == [100, 400, 800]
    assert len(wechat.asked_for(CHECK)) == 3


@pytest.mark.parametrize("piece_chars", [7, 10_000])
async def test_a_reply_that_passes_is_given_out_whole(wechat: FakeWeChat, check: WeChatCheck, piece_chars: int) -> None:
    pieces = [chr(0x4E00 + number) * piece_chars for number in range(20_000 // piece_chars)]

    released = await released_before_refusal(held_by(check), pieces)

    assert released == ("".join(pieces), False)


async def test_a_short_reply_is_asked_about_at_its_end(wechat: FakeWeChat, check: WeChatCheck) -> None:
    held = held_by(check)

    assert (await held.feed("short"), len(wechat.asked)) == ("", 0)
    assert await held.finish() == "short"
    assert len(wechat.asked_for(CHECK)) == 1


async def test_an_empty_reply_is_not_asked_about(wechat: FakeWeChat, check: WeChatCheck) -> None:
    assert await held_by(check).finish() == ""
    assert wechat.asked == []


async def test_no_letter_of_a_phrase_across_two_steps_is_given_out(wechat: FakeWeChat, check: WeChatCheck) -> None:
    wechat.risky = {"bad phrase"}
    pieces = ["x" * (FIRST_STEP_CHARS - 4), "bad ", "phrase"]

    released, refused = await released_before_refusal(held_by(check), pieces)

    assert (released, refused) == ("x" * (FIRST_STEP_CHARS - OVERLAP_CHARS), True)


async def test_a_step_that_is_refused_is_not_given_out(wechat: FakeWeChat, check: WeChatCheck) -> None:
    wechat.risky = {"bad"}

    released = await released_before_refusal(held_by(check), ["x" * FIRST_STEP_CHARS, "y bad y" * 100])

    assert released == ("x" * (FIRST_STEP_CHARS - OVERLAP_CHARS), True)


async def test_an_end_that_has_passed_is_not_asked_about_again(wechat: FakeWeChat, check: WeChatCheck) -> None:
    held = held_by(check)
    await held.feed("x" * FIRST_STEP_CHARS)

    assert await held.finish() == "x" * OVERLAP_CHARS
    assert len(wechat.asked_for(CHECK)) == 1


async def test_without_a_verdict_a_held_text_stays_held(wechat: FakeWeChat, check: WeChatCheck) -> None:
    held = held_by(check)
    wechat.next(CHECK, refuses(45009))
    with pytest.raises(ServiceError) as caught:
        await held.feed("x" * FIRST_STEP_CHARS)

    assert caught.value.type == "content_check_unavailable"
    assert await held.finish() == "x" * FIRST_STEP_CHARS


# The setting


def made_by(asking: WeChatContentCheck, **variables: str) -> object:
    return make_content_check(Settings.from_mapping(variables), asking)


def test_no_check_is_the_default(asking: WeChatContentCheck) -> None:
    assert made_by(asking) is None


async def test_words_are_read_from_the_file(asking: WeChatContentCheck, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("bad\n")
    check = made_by(asking, CONTENT_CHECK="words", CONTENT_WORDS_FILE=str(path))

    assert isinstance(check, WordList)
    assert not await check.allows("bad", openid="oAbc")


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({"CONTENT_CHECK": "words"}, "needs CONTENT_WORDS_FILE"),
        ({"CONTENT_CHECK": "wechat"}, "WECHAT_APPID and WECHAT_SECRET"),
        ({"CONTENT_CHECK": "wechat", "WECHAT_APPID": "wx"}, "WECHAT_APPID and WECHAT_SECRET"),
    ],
)
def test_a_check_that_lacks_something_stops_the_start(
    asking: WeChatContentCheck, variables: dict[str, str], names: str
) -> None:
    with pytest.raises(StartError, match=names):
        made_by(asking, **variables)


@pytest.mark.parametrize(("setting", "passes"), [({}, False), ({"CONTENT_CHECK_FAIL": "open"}, True)])
async def test_the_setting_says_what_holds_without_a_verdict(
    wechat: FakeWeChat, asking: WeChatContentCheck, setting: dict[str, str], passes: bool
) -> None:
    wechat.next(CHECK, refuses(45009))
    check = made_by(asking, CONTENT_CHECK="wechat", **wechat.variables, **setting)
    assert isinstance(check, WeChatCheck)

    try:
        passed = await check.allows("text", openid="oAbc")
    except ServiceError:
        passed = False

    assert passed == passes
