"""What the model is told before the new messages: the stored turns of the conversation, within a budget. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from service.models import ImagePart, Kind, Message, Turn

_MESSAGES = msgspec.json.Decoder(list[Message])
_DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,[\w+/=-]+", re.ASCII)
_PICTURE_CHARACTERS = 1000  # about what models count for one


def remembered(turns: Sequence[Turn], max_chars: int) -> list[Message]:
    """The messages of stored turns, given newest first, as far as they fit; returned oldest first.

    Units: characters of text. A turn goes in whole or not at all, and nothing older than one left out. Its pictures go
    in again, as the next question may be about them; those that the model drew do not.
    """
    kept: list[list[Message]] = []
    for turn in turns:
        if turn.kind != Kind.CHAT or not turn.reply:
            continue
        own = [message for message in _MESSAGES.decode(turn.messages) if message.role != "system"]
        messages = [*own, Message("assistant", _DATA_URL.sub("[image]", turn.reply))]
        max_chars -= sum(map(_cost, messages))
        if max_chars < 0:
            break
        kept.append(messages)
    return [message for messages in reversed(kept) for message in messages]


def assemble(system_prompt: str, context: Sequence[Message], messages: Sequence[Message]) -> list[Message]:
    """All that goes up: the operator's system prompt stands alone where there is one."""
    if not (system_prompt or context):
        return list(messages)
    if system_prompt:
        messages = [message for message in messages if message.role != "system"]
        return [Message("system", system_prompt), *context, *messages]
    leading = [message for message in messages if message.role == "system"]
    return [*leading, *context, *(message for message in messages if message.role != "system")]


def shortened(messages: Sequence[Message]) -> list[Message] | None:
    """The system messages and the newest half of the others; None where nothing can be left out."""
    system = [message for message in messages if message.role == "system"]
    others = [message for message in messages if message.role != "system"]
    if len(others) < 2:
        return None
    return [*system, *others[(len(others) + 1) // 2 :]]


def title_of(messages: Sequence[Message]) -> str:
    """One line of at most 40 characters from the newest user message."""
    for message in reversed(messages):
        if message.role == "user":
            text = message.text[:200]
            if not text.isprintable():
                text = "".join(c if c.isprintable() else " " for c in text)
            return text.strip()[:40]
    return ""


def _cost(message: Message) -> int:
    """Units: characters, and what a picture is taken for."""
    pictures = (
        [] if isinstance(message.content, str) else [part for part in message.content if isinstance(part, ImagePart)]
    )
    return len(message.text) + _PICTURE_CHARACTERS * len(pictures)
