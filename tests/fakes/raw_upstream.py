"""An upstream that speaks bytes: for the answers, and the manners, that no HTTP server would have.

    async with RawUpstream([whole("a", "Connection: close")], [whole("half")[:-3], End.CLOSE]) as upstream:
        client = await make_client(openai_base_url=upstream.base_url)

Each request is read whole and played the next script; with none left it gets `whole()`. `asked` holds the number of the
connection that each request came by, `heads` what was asked.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum, auto

from tests.fakes.upstream_answers import completion_body


class End(Enum):
    """How a connection ends in the middle of a script."""

    CLOSE = auto()  # at once
    UNREAD = auto()  # reset, with most of the next request not read
    IDLE = auto()  # half, and `noticed` is set when the client has closed the other half


Step = bytes | asyncio.Event | End


class RawUpstream:
    def __init__(self, *scripts: Sequence[Step], tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.asked: list[int] = []
        self.heads: list[bytes] = []
        self.noticed = asyncio.Event()
        self._scripts = list(scripts)
        self._tls = tls
        self._host = host
        self._connections = 0
        self._tasks: list[asyncio.Task[None] | None] = []
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def base_url(self) -> str:
        return f"http{'s' if self._tls else ''}://{self._host}:{self.port}/v1"

    async def __aenter__(self) -> RawUpstream:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in filter(None, self._tasks):
            task.cancel()  # it may wait for an event
            await task

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        self._writers.append(writer)
        self._tasks.append(asyncio.current_task())
        with suppress(asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            await self._serve(reader, writer, self._connections)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        while True:
            if self._scripts and self._scripts[0][:1] == [End.UNREAD]:
                await reader.readexactly(10)
                self._scripts.pop(0)
                writer.transport.abort()
                return
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
            await reader.readexactly(int(length[1]) if length else 0)
            self.asked.append(number)
            self.heads.append(head)
            for step in self._scripts.pop(0) if self._scripts else [whole()]:
                if isinstance(step, bytes):
                    writer.write(step)
                    await writer.drain()
                elif isinstance(step, asyncio.Event):
                    await step.wait()
                elif step is End.IDLE:
                    writer.write_eof()
                    await reader.read()
                    self.noticed.set()
                    return
                else:
                    return


def body(text: str = "hello") -> bytes:
    return json.dumps(completion_body(text)).encode()


def whole(text: str = "hello", *headers: str, version: str = "1.1") -> bytes:
    """A completion with its length."""
    lines = [f"HTTP/{version} 200 OK", f"Content-Length: {len(body(text))}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body(text)


def chunked(*parts: bytes, trailer: bytes = b"") -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + trailer + b"\r\n"
