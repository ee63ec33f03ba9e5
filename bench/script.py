"""What is asked and what the upstream says: both ends know it by heart, so that every answer can be checked.

The last message of a request tells the upstream how to stream, so that it means the same through every subject.
"""

from __future__ import annotations

import json
import re
from functools import cache

MODEL = "gpt-4o-all"
REPLY = "A zero-delay answer of ordinary length, said by the benchmark's own upstream. " * 2 + "End."
ORDER = re.compile(rb"pieces=(\d+) pause_ms=(\d+)")
FIRST_PIECE = b"piece00000"
_PIECE_TEXT = re.compile(rb'"(?:content|delta)": ?"([^"\\]*)"')
_FACTS = {"id": "chatcmpl-bench000000000000000000", "created": 1700000000, "model": MODEL}
_USAGE = {"prompt_tokens": 9, "completion_tokens": 31, "total_tokens": 40}


def order(pieces: int, pause_ms: int = 0) -> str:
    """The message that asks for so many pieces with so much time between them; 0 is as fast as it goes."""
    return f"pieces={pieces} pause_ms={pause_ms}"


@cache
def said(pieces: int) -> bytes:
    """The whole text of a stream of so many pieces."""
    return b"".join(b"piece%05d " % number for number in range(pieces))


def heard(events: bytes) -> bytes:
    """The text that an event stream carried, in OpenAI's form or in the service's own."""
    return b"".join(_PIECE_TEXT.findall(events))


@cache
def completion() -> bytes:
    """The plain answer as a whole HTTP response; its body has about 400 bytes."""
    choice = {"index": 0, "message": {"role": "assistant", "content": REPLY}, "finish_reason": "stop"}
    body = _json(_FACTS | {"object": "chat.completion", "choices": [choice], "usage": _USAGE})
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@cache
def chunks(pieces: int) -> tuple[bytes, ...]:
    """A streamed answer as HTTP chunks: one for each piece, and one for all that ends it."""
    parts = [_chunk(_event({"content": f"piece{number:05d} "})) for number in range(pieces)]
    end = _event({}, finish_reason="stop", usage=_USAGE) + b"data: [DONE]\n\n"
    return (*parts, _chunk(end) + b"0\r\n\r\n")


def _event(delta: dict[str, str], finish_reason: str | None = None, usage: dict[str, int] | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    event = _FACTS | {"object": "chat.completion.chunk", "choices": [choice]} | ({"usage": usage} if usage else {})
    return b"data: " + _json(event) + b"\n\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
