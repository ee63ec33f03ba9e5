"""Texts that pass and texts that do not, whole and while they arrive."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.domain.safety import (
    ContentCheck,
    ContentRefused,
    HeldText,
    hold,
    require_allowed,
)
from service.domain.safety_words import FOLD, WordList
from service.errors import StartError


class StillClock:
    def now_ms(self) -> int:
        return 1_700_000_000_000


def held_by(check: ContentCheck) -> HeldText:
    held = hold(check, openid="oAbc")
    assert held is not None
    return held


async def released_before_refusal(held: HeldText, pieces: list[str]) -> tuple[str, bool]:
    """What was given out, and whether the text was refused."""
    released = ""
    try:
        for piece in pieces:
            released += await held.feed(piece)
        released += await held.finish()
    except ContentRefused:
        return released, True
    return released, False


# No check


def test_without_a_check_nothing_is_held() -> None:
    assert hold(None, openid="oAbc") is None


# A list of words


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("bad", "this is bad."),
        ("bad", "BaDly"),
        ("bad", "ｂａｄ"),
        ("ＢＡＤ", "bad"),
        ("坏词", "这是坏词吗"),
        ("坏词", "坏\u200b词"),
        ("坏词", "坏\u00ad\ufe0f\u2060\ufeff词"),
        ("坏\u200b词", "坏词"),
        ("bad\u200b", "bad"),
        ("café", "cafe\u0301"),
        ("ｶﾞｽ", "ガス"),
        ("straße", "STRASSE"),
        ("kg", "㎏"),
        ("she", "ushers"),
        ("hers", "ushers"),
        ("he", "ushers"),
        ("a b", "A\u3000B"),
    ],
)
async def test_a_word_is_found_however_it_is_written(word: str, text: str) -> None:
    assert not await WordList(["zzz", word, "shy"]).allows(text, openid="oAbc")


@pytest.mark.parametrize(
    ("word", "text"),
    [("bad", "ba d"), ("bad", "b.a.d"), ("坏词", "坏的词"), ("가", "각"), ("ガス", "カス"), ("bad", "")],
)
async def test_what_is_not_the_word_passes(word: str, text: str) -> None:
    assert await WordList([word]).allows(text, openid="oAbc")


WORDS = st.lists(st.text("abcＡÉé\u200b́", min_size=1, max_size=4), min_size=1, max_size=6)
PIECES = st.lists(st.text("abcＡÉé\u200b́ ", max_size=6), max_size=6)


@given(words=WORDS, pieces=PIECES)
@example(words=["abab", "bac"], pieces=["ab", "a", "c"])
async def test_a_held_text_gives_all_or_stops_before_the_word(words: list[str], pieces: list[str]) -> None:
    folded = {word.translate(FOLD) for word in words} - {""}
    text = "".join(pieces)
    is_bad = any(word in text.translate(FOLD) for word in folded)

    released, refused = await released_before_refusal(held_by(WordList(words)), pieces)

    assert refused == is_bad == (not await WordList(words).allows(text, openid="oAbc"))
    assert text.startswith(released)
    assert refused or released == text
    assert not any(word in released.translate(FOLD) for word in folded)


async def test_only_the_beginning_of_a_word_is_held() -> None:
    held = held_by(WordList(["坏词语", "词典"]))

    assert [await held.feed(piece) for piece in ("好的", "坏", "\u200b词", "典故"[1:], "坏词")] == [
        "好的",
        "",
        "",
        "坏\u200b词故",
        "",
    ]
    assert await held.finish() == "坏词"


async def test_no_letter_of_a_refused_word_is_given_out() -> None:
    released, refused = await released_before_refusal(held_by(WordList(["secret"])), ["a se", "cr", "et b"])

    assert (released, refused) == ("a ", True)


async def test_what_was_refused_stays_refused() -> None:
    held = held_by(WordList(["bad"]))
    with pytest.raises(ContentRefused):
        await held.feed("bad")

    with pytest.raises(ContentRefused):
        await held.feed("good")
    with pytest.raises(ContentRefused):
        await held.finish()


async def test_a_long_text_does_not_keep_the_loop_from_others() -> None:
    checking = asyncio.create_task(WordList(["bad"]).allows("x" * 200_000, openid="oAbc"))
    turns_of_others = 0
    while not checking.done():
        await asyncio.sleep(0)
        turns_of_others += 1

    assert turns_of_others > 20


async def test_a_file_has_a_word_a_line(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeff# a comment\r\nbad\r\n\r\n  坏词  \n#no\n\u200b\n".encode())
    words = WordList.from_file(path)

    assert not await words.allows("a bad thing", openid="oAbc")
    assert not await words.allows("坏词", openid="oAbc")
    assert await words.allows("# a comment, no", openid="oAbc")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "cannot be read"), (b"", "no words"), (b"# only this\n\n", "no words"), ("坏".encode("gbk"), "not UTF-8")],
)
def test_a_file_without_words_stops_the_start(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "words.txt"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(StartError, match=reason):
        WordList.from_file(path)


def test_a_folder_is_no_file_of_words(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot be read"):
        WordList.from_file(tmp_path)


# Before a turn


async def test_a_request_that_does_not_pass_names_its_field() -> None:
    with pytest.raises(ContentRefused) as caught:
        await require_allowed(WordList(["bad"]), ["fine", "bad"], openid="oAbc", field="prompt")

    assert (caught.value.code, caught.value.type, caught.value.details) == (400, "content_refused", {"field": "prompt"})


async def test_a_word_does_not_arise_between_two_messages() -> None:
    await require_allowed(WordList(["bad"]), ["ba", "d"], openid="oAbc")
