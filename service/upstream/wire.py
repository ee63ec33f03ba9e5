"""Chat completions on the wire: the body that asks, and the JSON that relays answer with, brought into one shape.

Pure: it refuses to know how bytes travel and what an answer means. The usual shapes are decoded by type, which is
fast; whatever is stranger (wrong types, half characters, broken UTF-8) is read a second time, forgivingly.
Source: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
from typing import Any, Final, TypeVar

import msgspec

from service.models import ChatAsk

LARGEST_ANSWER_BYTES: Final = 32 << 20

Count = int | float | str | None
_T = TypeVar("_T")


class Unusable(Exception):
    """An answer that is none. `reason` is ours, for the log; `body` holds the upstream's words, if there are any."""

    def __init__(self, reason: str, body: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.body = body


class Message(msgspec.Struct, gc=False):
    """A `message`, or the `delta` of one."""

    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    images: list[Any] | None = None


class Choice(msgspec.Struct, gc=False):
    index: int | None = 0
    delta: Message | None = None
    message: Message | None = None
    finish_reason: str | None = None


class Counts(msgspec.Struct, gc=False):
    prompt_tokens: Count = None
    completion_tokens: Count = None
    total_tokens: Count = None


class Answer(msgspec.Struct, gc=False):
    """A whole completion, or a chunk of a streamed one."""

    choices: list[Choice] | None = None
    usage: Counts | None = None
    model: str | None = None
    error: Any = None


class _Ask(msgspec.Struct, omit_defaults=True, gc=False):
    model: str
    messages: msgspec.Raw
    user: str
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stream: bool = False
    stream_options: dict[str, bool] | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Answer).decode


def chat_body(ask: ChatAsk, *, stream: bool = False, count_usage: bool = False) -> bytes:
    """Write the body of POST /chat/completions; `count_usage` asks a stream to tell its usage."""
    return _encode(
        _Ask(
            model=ask.model,
            messages=ask.messages,
            user=ask.user,
            temperature=ask.temperature,
            top_p=ask.top_p,
            max_tokens=ask.max_tokens,
            stream=stream,
            stream_options={"include_usage": True} if count_usage else None,
        )
    )


def read_answer(body: bytes) -> Answer:
    """Read a completion or a chunk. Raises Unusable for what is none, and for an error inside of it."""
    try:
        answer = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _read_forgivingly(body)
    if answer.error and (not isinstance(answer.error, dict) or any(answer.error.values())):
        raise Unusable("an error inside the answer", body)
    return answer


def read_json(body: bytes) -> object:
    """Read JSON as relays send it: blank lines or a BOM before it, bytes that are no UTF-8, control characters.

    Raises Unusable. The strings may hold lone surrogates.
    """
    try:
        return json.loads(body.decode("utf-8", "replace").strip("\ufeff \t\r\n\0"), strict=False)
    except (ValueError, RecursionError):
        raise Unusable("not JSON", body) from None


def only_choice(answer: Answer) -> Choice | None:
    """Give the choice with index 0, the only one that was asked for."""
    choices = answer.choices
    if not choices:
        return None
    return choices[0] if not choices[0].index else next((choice for choice in choices if not choice.index), None)


def _read_forgivingly(body: bytes) -> Answer:
    document = read_json(body)
    if not isinstance(document, dict):
        raise Unusable("not a JSON object", body)
    choices = _typed(list, document.get("choices"))
    return Answer(
        choices=None if choices is None else [_choice(choice) for choice in choices if isinstance(choice, dict)],
        usage=_counts(document.get("usage")),
        model=_typed(str, document.get("model")),
        error=document.get("error"),
    )


def _choice(choice: dict[str, Any]) -> Choice:
    return Choice(
        index=0 if choice.get("index") in (0, "0", None) else 1,
        delta=_message(choice.get("delta")),
        message=_message(choice.get("message")),
        finish_reason=_typed(str, choice.get("finish_reason")),
    )


def _message(message: object) -> Message | None:
    if not isinstance(message, dict):
        return None
    content = message.get("content")
    return Message(
        content=content if isinstance(content, str | list) else None,
        reasoning_content=_typed(str, message.get("reasoning_content")),
        reasoning=_typed(str, message.get("reasoning")),
        refusal=_typed(str, message.get("refusal")),
        images=_typed(list, message.get("images")),
    )


def _counts(usage: object) -> Counts | None:
    if not isinstance(usage, dict):
        return None
    return Counts(usage.get("prompt_tokens"), usage.get("completion_tokens"), usage.get("total_tokens"))


def _typed(kind: type[_T], value: object) -> _T | None:
    return value if isinstance(value, kind) else None
