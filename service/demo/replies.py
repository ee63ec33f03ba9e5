"""Decides what the demo answers: a word in the last question picks a showcase, anything else gets a friendly reply.

Pure: questions in, a Reply out. Knows neither HTTP nor the form of the wire.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from service.demo import showcases
from service.demo.showcases import Text

LONG_BYTES = 100_000
SLOW_SECONDS = 60
_QUOTED_CHARACTERS = 300
_CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_DATA_URL = re.compile(r"data:([\w.+/-]{1,80})?[^,]{0,80},(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked. Shape: `text` and `images` (URLs) of the last user message, `messages` counts all of them."""

    text: str
    images: Sequence[str] = ()
    messages: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is answered. Shape: `pieces` in the order they are sent; `fails` ends the reply with an error."""

    pieces: Sequence[str]
    reasoning: Sequence[str] = ()
    seconds_a_piece: float = 0.025
    fails: bool = False


Draw = Callable[[str], str]
"""Gives the URL of a picture for a prompt."""

_Showcase = Callable[[Question, str, Draw], Reply]


def compose(question: Question, picture_url: Draw) -> Reply:
    """Choose the reply: Chinese where the question has Chinese characters, else English."""
    language = "zh" if _CJK.search(question.text) else "en"
    if question.images:
        return _received(question, language)
    for pattern, showcase in _SHOWCASES:
        if pattern.search(question.text):
            return showcase(question, language, picture_url)
    return _spoken(_in(showcases.HELLO, language).format(heard=_heard(question, language)))


def _in(text: Text, language: str) -> str:
    return text.zh if language == "zh" else text.en


def _spoken(text: str) -> Reply:
    return Reply(pieces=_cut(text))


def _cut(text: str) -> list[str]:
    """Cut a text into pieces as a model sends them: a few characters, more where the text would take too long."""
    length = max(2 if _CJK.search(text) else 4, min(8, len(text) // 100), len(text) // 400)
    return [text[start : start + length] for start in range(0, len(text), length)]


def _heard(question: Question, language: str) -> str:
    text = question.text.strip()
    if not text:
        return _in(showcases.HEARD_NOTHING, language)
    if len(text) > _QUOTED_CHARACTERS:
        text = text[:_QUOTED_CHARACTERS] + " …"
    quote = "\n".join(f"> {line}" for line in text.splitlines())
    return _in(showcases.HEARD, language).format(messages=question.messages) + "\n\n" + quote


def _received(question: Question, language: str) -> Reply:
    lines = [_describe(url, number, language) for number, url in enumerate(question.images, 1)]
    template = _in(showcases.RECEIVED, language)
    heard = _heard(question, language)
    return _spoken(template.format(count=len(lines), pictures="\n".join(lines), heard=heard))


def _describe(url: str, number: int, language: str) -> str:
    inline = _DATA_URL.match(url)
    if inline is None:
        host = urlsplit(url).hostname or "?"
        return _in(showcases.LINKED, language).format(number=number, host=host)
    size_bytes = len(inline[2].rstrip("=")) * 3 // 4
    size = f"{size_bytes / 1024:.1f} KB" if size_bytes >= 1024 else f"{size_bytes} B"
    return _in(showcases.INLINE, language).format(number=number, type=inline[1] or "?", size=size)


def _markdown(_question: Question, language: str, _draw: Draw) -> Reply:
    return _spoken(_in(showcases.MARKDOWN, language))


def _long(_question: Question, language: str, _draw: Draw) -> Reply:
    text = ""
    number = 0
    while len(text.encode()) < LONG_BYTES:
        number += 1
        text += _in(showcases.CHAPTER, language).format(number=number) + _in(showcases.PARAGRAPH, language) * 5
    return _spoken(text)


def _thinking(_question: Question, language: str, _draw: Draw) -> Reply:
    return Reply(
        reasoning=_cut(_in(showcases.REASONING, language)),
        pieces=_cut(_in(showcases.REASONED, language)),
    )


def _picture(question: Question, language: str, draw: Draw) -> Reply:
    alt = re.sub(r"[\[\]()\\`<>!\s]+", " ", question.text).strip()[:80]
    return _spoken(_in(showcases.PICTURE, language).format(alt=alt, url=draw(question.text)))


def _slow(_question: Question, language: str, _draw: Draw) -> Reply:
    seconds = range(1, SLOW_SECONDS + 1)
    return Reply(
        pieces=[_in(showcases.SLOW, language).format(second=second) for second in seconds],
        seconds_a_piece=1.0,
    )


def _script(_question: Question, language: str, _draw: Draw) -> Reply:
    return _spoken(_in(showcases.SCRIPT, language).format(attacks=showcases.ATTACKS))


def _emoji(_question: Question, language: str, _draw: Draw) -> Reply:
    return Reply(pieces=list(_in(showcases.EMOJI, language)))


def _error(_question: Question, language: str, _draw: Draw) -> Reply:
    return Reply(pieces=_cut(_in(showcases.BEFORE_FAILURE, language)), fails=True)


def _words(english: str, chinese: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{english})\b|{chinese}", re.IGNORECASE | re.ASCII)


_SHOWCASES: tuple[tuple[re.Pattern[str], _Showcase], ...] = (
    (_words("error", "错误"), _error),
    (_words("script|xss", "脚本"), _script),
    (_words("slow", "慢"), _slow),
    (_words("long", "长文"), _long),
    (_words("think", "思考"), _thinking),
    (_words("markdown", "表格"), _markdown),
    (_words("emoji", "表情"), _emoji),
    (_words("image|picture|draw", "画"), _picture),
)
