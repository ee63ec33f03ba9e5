"""What the fake upstream can be told to answer, from a plain completion to a stream cut in mid-character."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

Step = bytes | asyncio.Event
Piece = str | asyncio.Event | dict[str, Any] | bytes


@dataclass(frozen=True)
class Answer:
    """What is answered to one call: a head, then steps; each bytes step is one write, an event holds the rest.

    `before` holds the head itself. `cut` ends the body in its middle: the connection closes without the last chunk.
    `dropped` closes it before any byte. `length` announces so many bytes instead of sending chunks.
    """

    steps: tuple[Step, ...] = ()
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    before: asyncio.Event | None = None
    cut: bool = False
    dropped: bool = False
    length: int | None = None

    @classmethod
    def completion(cls, text: str | None = "hello", **message: Any) -> Answer:
        """A whole chat completion; more fields of the message by name."""
        return cls.json(completion_body(text, **message))

    @classmethod
    def stream(
        cls,
        *pieces: Piece,
        finish_reason: str | None = "stop",
        usage: dict[str, Any] | None = None,
        done: bool = True,
    ) -> Answer:
        """An event stream. A piece is a text, a whole delta (dict), raw bytes, or an event to wait for.

        `finish_reason=None` and `done=False` leave out the end: a stream that looks cut, though its body is whole.
        """
        steps: list[Step] = [piece if isinstance(piece, bytes | asyncio.Event) else chunk(piece) for piece in pieces]
        if finish_reason:
            steps.append(chunk({}, finish_reason=finish_reason))
        if usage:
            steps.append(event({"choices": [], "usage": usage}))
        if done:
            steps.append(b"data: [DONE]\n\n")
        return cls.events(*steps)

    @classmethod
    def events(cls, *steps: Step) -> Answer:
        """Raw bytes as an event stream, each step one write: for splits within a line or a character."""
        return cls(steps, content_type="text/event-stream")

    @classmethod
    def json(cls, document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
        return cls((json.dumps(document).encode(),), status=status, headers=headers or {})

    @classmethod
    def error(cls, status: int, message: str = "no", headers: dict[str, str] | None = None, **fields: Any) -> Answer:
        """A failure in OpenAI's form; `code`, `type` and such by name."""
        return cls.json({"error": {"message": message, **fields}}, status, headers)

    @classmethod
    def raw(
        cls,
        *steps: Step,
        status: int = 200,
        headers: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        return cls(steps, status, content_type, headers or {})

    @classmethod
    def html(cls, status: int = 200, title: str = "502 Bad Gateway") -> Answer:
        page = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>nginx</body></html>"
        return cls((page.encode(),), status=status, content_type="text/html")

    @classmethod
    def stall(cls, gate: asyncio.Event | None = None) -> Answer:
        """Nothing at all, not even a head, until the gate opens; without one, forever."""
        return replace(cls.completion(), before=gate or asyncio.Event())

    @classmethod
    def drop(cls) -> Answer:
        """Take the request, close the connection."""
        return cls(dropped=True)

    def cut_after(self, size: int | None = None) -> Answer:
        """The same answer, cut after so many bytes, or after all that it has."""
        steps: list[Step] = []
        left = size
        for step in self.steps:
            if isinstance(step, asyncio.Event):
                steps.append(step)
            elif part := step[:left]:
                steps.append(part)
                left = None if left is None else left - len(part)
        return replace(self, steps=tuple(steps), cut=True)

    def held(self, gate: asyncio.Event) -> Answer:
        """The same answer, its head held back until the gate opens."""
        return replace(self, before=gate)

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Play it to the client that has asked."""
        if self.before is not None:
            await self.before.wait()
        response = web.StreamResponse(status=self.status, headers=self.headers)
        response.content_type = self.content_type
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        if self.dropped:
            transport.close()
            return response
        if self.length is None:
            response.enable_chunked_encoding()
        response.content_length = self.length
        await response.prepare(request)
        for step in self.steps:
            if isinstance(step, asyncio.Event):
                await step.wait()
            else:
                await response.write(step)
        if self.cut:
            transport.close()
        else:
            await response.write_eof()
        return response


def event(document: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n\n"


def chunk(delta: str | dict[str, Any], finish_reason: str | None = None, index: int = 0) -> bytes:
    """The event of one chunk of a streamed completion."""
    content = {"content": delta} if isinstance(delta, str) else delta
    choice = {"index": index, "delta": content, "finish_reason": finish_reason}
    return event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "fake-1", "choices": [choice]})


def completion_body(text: str | None, **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": "fake-1", "choices": [choice], "usage": usage}
