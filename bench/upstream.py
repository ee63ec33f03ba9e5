"""The zero-delay upstream: OpenAI's chat completions on a bare asyncio protocol, in a process of its own.

It knows three paths of one call (plain, streamed, streamed slowly), draws one picture, and knows nothing else of
HTTP: it must never be what is measured. `PORT=… python -m bench.upstream`
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
from typing import cast

import uvloop

from bench.drawn import drawn
from bench.script import ORDER, STREAM_HEAD, chunks, completion

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STREAM = re.compile(rb'"stream": ?true')
_CHAT = b"POST /v1/chat/completions "
_DRAW = b"POST /v1/images/generations "
_REFUSED = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

_numbers = itertools.cycle(range(100))


class Upstream(asyncio.Protocol):
    """One connection: one request at a time, kept alive."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._rest: tuple[bytes, ...] = ()
        self._sent = 0
        self._pause_seconds = 0.0
        self._room = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer = data = self._buffer + data if self._buffer else data
        head_end = data.find(b"\r\n\r\n")
        if head_end < 0:
            return
        length = _LENGTH.search(data, 0, head_end)
        if not data.startswith((_CHAT, _DRAW)) or length is None:
            self._transport.write(_REFUSED)
            self._transport.close()
        elif len(data) >= head_end + 4 + int(length[1]):
            self._buffer = b""
            if data.startswith(_DRAW):
                self._send(drawn(next(_numbers)))
            else:
                self._answer(data[head_end + 4 :])

    def _answer(self, body: bytes) -> None:
        if not _STREAM.search(body):
            self._transport.write(completion())
            return
        wanted = ORDER.search(body)
        pieces, pause_ms = (int(wanted[1]), int(wanted[2])) if wanted else (5, 0)
        self._transport.write(STREAM_HEAD)
        self._send(chunks(pieces), pause_ms / 1000)

    def _send(self, pieces: tuple[bytes, ...], pause_seconds: float = 0.0) -> None:
        self._rest, self._sent, self._pause_seconds = pieces, 0, pause_seconds
        self._next_piece()

    def _next_piece(self) -> None:
        """One piece a turn of the loop: each is a write of its own, as a model's would be."""
        if not self._room or self._transport.is_closing():
            return
        self._transport.write(self._rest[self._sent])
        self._sent += 1
        if self._sent == len(self._rest):
            self._rest = ()
        elif self._pause_seconds:
            self._loop.call_later(self._pause_seconds, self._next_piece)
        else:
            self._loop.call_soon(self._next_piece)

    def pause_writing(self) -> None:
        self._room = False

    def resume_writing(self) -> None:
        self._room = True
        if self._rest:
            self._next_piece()


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(os.environ["PORT"])))
