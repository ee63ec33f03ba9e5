"""A stateful stand-in for an OpenAI-compatible upstream: a real server on loopback that does what it is told.

    async with FakeUpstream() as upstream:
        settings = Settings(openai_base_url=upstream.base_url, openai_api_key="sk-test")
        upstream.answer_with(Answer.error(429, headers={"Retry-After": "1"}), Answer.completion("hello"))
        ...
        assert upstream.calls[-1].json["model"] == "gpt-4o-all"

Answers are taken from the queue in order; `path=` keeps one for a path (the end of it is enough). An empty queue means
a default: an echo for chat, a tiny PNG for images, figures for billing, a list of models.

Time is told by events, never by sleeping: an `asyncio.Event` among the steps of an answer holds it until it is set.

    gate = asyncio.Event()
    upstream.answer_with(Answer.stream("first", gate, "second"))
    ...                                   # "first" has arrived, nothing else can have
    gate.set()

`await upstream.called()` waits for a call, `await upstream.hung_up()` until a client has left in mid-answer.
"""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.fakes.upstream_answers import Answer, chunk, completion_body, event

__all__ = ["PNG", "Answer", "Call", "FakeUpstream", "chunk", "completion_body", "event"]


def _png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


PNG = _png()  # one red pixel


@dataclass(frozen=True)
class Call:
    """One request as it arrived. `json` is None where the body was none; `connection` is the client's own port."""

    connection: int
    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, str]
    body: bytes
    json: Any


class FakeUpstream:
    """The server. `calls` are the requests so far, `base_url` ends with /v1, `origin` is without it."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.disconnects = 0
        self._queue: list[tuple[str, Answer]] = []
        self._always: dict[str, Answer] = {}
        self._changed = asyncio.Event()
        self._port = 0
        self._defaults: dict[str, Callable[[Call], Answer]] = {
            "/chat/completions": _echo,
            "/images/generations": self._draw,
            "/images/edits": self._draw,
            "/dashboard/billing/subscription": lambda _: Answer.json({"hard_limit_usd": 100.0}),
            "/dashboard/billing/usage": lambda _: Answer.json({"total_usage": 1234.5}),
            "/models": lambda _: Answer.json({"object": "list", "data": [{"id": "fake-1", "object": "model"}]}),
            "/picture.png": lambda _: Answer((PNG,), content_type="image/png"),
        }

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        return self.origin + "/v1"

    def answer_with(self, *answers: Answer, path: str = "") -> None:
        """Queue answers, for the next calls or only for those to a path."""
        self._queue += [(path, answer) for answer in answers]

    def answer_always(self, answer: Answer, path: str = "") -> None:
        """Answer so whenever the queue has nothing, instead of the default."""
        self._always[path] = answer

    async def called(self, times: int = 1) -> Call:
        """Wait until so many calls have arrived in all; give the last of these."""
        await self._wait_until(lambda: len(self.calls) >= times)
        return self.calls[times - 1]

    async def hung_up(self, times: int = 1) -> None:
        """Wait until so many clients have left in the middle of their answers."""
        await self._wait_until(lambda: self.disconnects >= times)

    async def __aenter__(self) -> FakeUpstream:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.05)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _wait_until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not true():
                await self._changed.wait()

    def _note(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            call = await _record(request)
            self.calls.append(call)
            self._note()
            return await self._choose(call).send(request)
        except (asyncio.CancelledError, ConnectionError):
            self.disconnects += 1
            self._note()
            raise

    def _choose(self, call: Call) -> Answer:
        for index, (path, answer) in enumerate(self._queue):
            if call.path.endswith(path):
                del self._queue[index]
                return answer
        for path, answer in self._always.items():
            if call.path.endswith(path):
                return answer
        for path, make in self._defaults.items():
            if call.path.endswith(path):
                return make(call)
        return Answer.error(404, f"Invalid URL ({call.method} {call.path})")

    def _draw(self, call: Call) -> Answer:
        asked = call.json if isinstance(call.json, dict) else {}
        url = {"url": self.origin + "/picture.png"}
        picture = url if asked.get("response_format") == "url" else {"b64_json": base64.b64encode(PNG).decode()}
        return Answer.json({"created": 1, "data": [picture] * int(asked.get("n") or 1)})


async def _record(request: web.Request) -> Call:
    body = await request.read()
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return Call(
        peer[1] if peer else 0, request.method, request.path, dict(request.headers), dict(request.query), body, document
    )


def _echo(call: Call) -> Answer:
    asked = call.json if isinstance(call.json, dict) else {}
    messages: list[dict[str, Any]] = asked.get("messages") or [{}]
    last = messages[-1].get("content") or ""
    text = last if isinstance(last, str) else "".join(_texts(last))
    if not asked.get("stream"):
        return Answer.completion(text)
    usage = completion_body(text)["usage"] if asked.get("stream_options") else None
    return Answer.stream(*[text[at : at + 4] for at in range(0, len(text), 4)], usage=usage)


def _texts(parts: Iterable[dict[str, Any]]) -> Iterable[str]:
    return (part.get("text", "") for part in parts)
