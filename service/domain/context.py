"""What the model is told before the new messages: the stored turns of the conversation, within a budget. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from service.models import Kind, Message, TextPart, Turn

_MESSAGES = msgspec.json.Decoder(list[Message])


def remembered(turns: Sequence[Turn], max_chars: int) -> list[Message]:
    """The messages of stored turns, given newest first, as far as they fit; returned oldest first.

    Units: characters of text. A turn goes in whole or not at all, and nothing older than one left out.
    """
    kept: list[list[Message]] = []
    for turn in turns:
        if turn.kind != Kind.CHAT or not turn.reply:
            continue
        messages = [*_own_words(turn), Message("assistant", turn.reply)]
        max_chars -= sum(len(message.text) for message in messages)
        if max_chars < 0:
            break
        kept.append(messages)
    return [message for messages in reversed(kept) for message in messages]


def assemble(system_prompt: str, context: Sequence[Message], messages: Sequence[Message]) -> list[Message]:
    """All that goes up: the operator's system prompt stands alone where there is one."""
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
            return "".join(c if c.isprintable() else " " for c in message.text[:200]).strip()[:40]
    return ""


def _own_words(turn: Turn) -> list[Message]:
    """A stored turn's messages without its system messages and pictures: those are not told twice."""
    found = []
    for message in _MESSAGES.decode(turn.messages):
        if message.role == "system":
            continue
        if isinstance(message.content, str):
            found.append(message)
        elif texts := [part for part in message.content if isinstance(part, TextPart)]:
            found.append(Message(message.role, list(texts)))
    return found
