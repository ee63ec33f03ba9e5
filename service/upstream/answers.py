"""What an answer says: its text, its thoughts, its pictures, why it ended and what it counts.

Pure. Every text it gives can be stored and sent on, whatever the upstream has put into it.
Source: https://platform.openai.com/docs/api-reference/chat/object,
https://openrouter.ai/docs/features/multimodal/image-generation
"""

from __future__ import annotations

from typing import Any

from service.models import Completion, Usage
from service.upstream.wire import Choice, Count, Counts, Message, Unusable, only_choice, read_answer

_MOST_TOKENS = 10**12
_LONGEST_NAME = 200
_USUAL_REASONS = frozenset((None, "stop", "length", "content_filter", "tool_calls"))


def read_completion(body: bytes) -> Completion:
    """Read a whole, unstreamed answer. Raises Unusable."""
    answer = read_answer(body)
    choice = only_choice(answer)
    if choice is None:
        raise Unusable("no choice in the answer", body)
    message = choice.message or choice.delta
    if message is None:
        raise Unusable("no message in the answer", body)
    reply, reasoning, images = read_message(message)
    return Completion(
        reply=clean(reply),
        reasoning=clean(reasoning) if reasoning else "",
        finish_reason=read_finish_reason(choice, body),
        model=read_name(answer.model),
        usage=read_usage(answer.usage),
        images=images,
    )


def read_message(message: Message) -> tuple[str, str, tuple[str, ...]]:
    """Give reply, reasoning and pictures of a message or a delta. The texts are not clean yet: they may be halves."""
    reasoning = message.reasoning_content or message.reasoning or ""
    content = message.content
    attached: list[Any] = message.images or []
    if isinstance(content, list):
        attached = [*(part for part in content if isinstance(part, dict)), *attached]
        reasoning += "".join(map(_thought, content))
        content = "".join(map(_text, content))
    return content or message.refusal or "", reasoning, _find_pictures(attached) if attached else ()


def read_finish_reason(choice: Choice, body: bytes) -> str | None:
    """Give the upstream's word, None while there is none. Raises Unusable where the word is `error`."""
    reason = choice.finish_reason
    if reason in _USUAL_REASONS:
        return reason
    if reason == "error":  # OpenRouter: the provider behind it has failed in mid-answer
        raise Unusable("finish_reason is error", body)
    return read_name(reason) if reason and reason != "null" else None


def read_usage(counts: Counts | None) -> Usage | None:
    """Read counts given as numbers or as texts, the missing one from the total. None where nothing is told."""
    if counts is None:
        return None
    prompt, completion = _tokens(counts.prompt_tokens), _tokens(counts.completion_tokens)
    if prompt is None or completion is None:
        total = _tokens(counts.total_tokens)
        if prompt is None and completion is None and total is None:
            return None
        if completion is None:
            completion = max((total or 0) - (prompt or 0), 0)
        if prompt is None:
            prompt = max((total or 0) - completion, 0)
    return Usage(prompt, completion)


def read_name(name: str | None) -> str:
    return clean(name[:_LONGEST_NAME]) if name else ""


def clean(text: str) -> str:
    """Make a text that can be stored and sent: halves of a character joined or replaced, no NUL."""
    if "\0" in text:
        text = text.replace("\0", "")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _tokens(count: Count) -> int | None:
    if type(count) is int and 0 <= count < _MOST_TOKENS:
        return count
    try:
        number = float(count)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if 0 <= number < _MOST_TOKENS else None


def _text(part: object) -> str:
    if isinstance(part, dict):
        part = part.get("text")
    return part if isinstance(part, str) else ""


def _thought(part: object) -> str:
    """A part of kind `thinking`; Mistral puts parts into the part."""
    thinking = part.get("thinking") if isinstance(part, dict) else None
    return "".join(map(_text, thinking)) if isinstance(thinking, list) else _text(thinking)


def _find_pictures(parts: list[Any]) -> tuple[str, ...]:
    urls = map(_picture, parts)
    return tuple(dict.fromkeys(clean(url) for url in urls if url.startswith(("https://", "http://", "data:image/"))))


def _picture(part: object) -> str:
    if isinstance(part, dict):
        if isinstance(encoded := part.get("b64_json"), str):
            return f"data:image/png;base64,{encoded}"
        part = part.get("image_url") or part.get("url")
        if isinstance(part, dict):
            part = part.get("url")
    return part if isinstance(part, str) else ""
