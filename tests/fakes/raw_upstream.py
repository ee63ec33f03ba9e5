"""An upstream that speaks bytes: for the answers, and the manners, that no HTTP server would have.

    async with RawUpstream([whole("a", "Connection: close")], [whole("half")[:-3], End.CLOSE]) as upstream:
        client = await make_client(openai_base_url=upstream.base_url)

Each request is read whole and played the next script; with none left it gets `whole()`.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Sequence
from enum import Enum, auto

from tests.fakes.byte_server import ByteServer
from tests.fakes.upstream_answers import completion_body


class End(Enum):
    """How a connection ends in the middle of a script."""

    CLOSE = auto()  # at once
    UNREAD = auto()  # reset, with most of the next request not read
    IDLE = auto()  # half, and `noticed` is set when the client has closed the other half


Step = bytes | asyncio.Event | End


class RawUpstream(ByteServer):
    """`asked` holds the number of the connection that each request came by, `heads` what was asked.

    `played` is set when a script has come to its end, `noticed` when a client has seen that it is closed.
    """

    def __init__(self, *scripts: Sequence[Step], tls: ssl.SSLContext | None = None, narrow: bool = False) -> None:
        super().__init__(tls=tls, narrow=narrow)
        self.asked: list[int] = []
        self.heads: list[bytes] = []
        self.noticed = asyncio.Event()
        self.played = asyncio.Event()
        self._scripts = list(scripts)

    @property
    def base_url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        while True:
            if self._scripts and self._scripts[0][:1] == [End.UNREAD]:
                await reader.readexactly(10)
                self._scripts.pop(0)
                writer.transport.abort()
                return
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
            await _skip(reader, int(length[1]) if length else 0)
            self.asked.append(number)
            self.heads.append(head)
            if not await self._play(self._scripts.pop(0) if self._scripts else [whole()], reader, writer):
                return

    async def _play(self, steps: Sequence[Step], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        for step in steps:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
                await asyncio.sleep(0)  # the next write is one by itself
            elif isinstance(step, asyncio.Event):
                await step.wait()
            elif step is End.IDLE:
                writer.write_eof()
                await reader.read()
                self.noticed.set()
                return False
            else:
                return False
        self.played.set()
        return True


async def _skip(reader: asyncio.StreamReader, size: int) -> None:
    """Read so much and keep nothing of it."""
    while size > 0:
        data = await reader.read(size)
        if not data:
            raise asyncio.IncompleteReadError(b"", size)
        size -= len(data)


def body(text: str = "hello") -> bytes:
    return json.dumps(completion_body(text)).encode()


def whole(text: str = "hello", *headers: str, version: str = "1.1") -> bytes:
    """A completion with its length."""
    lines = [f"HTTP/{version} 200 OK", f"Content-Length: {len(body(text))}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body(text)


def chunked(*parts: bytes, trailer: bytes = b"") -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + trailer + b"\r\n"
