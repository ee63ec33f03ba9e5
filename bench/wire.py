"""HTTP/1.1 as the load generator speaks it: one connection, one request at a time, every byte of the answer kept.

It refuses to know what an answer should say; only that it is whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import cast

from bench.script import FIRST_PIECE


class BadAnswerError(Exception):
    """An answer that is not the expected one; the text says what came instead."""


def dechunk(data: bytes) -> bytes:
    """The content of a chunked body. Raises BadAnswerError. Source: RFC 9112, 7.1."""
    parts: list[bytes] = []
    start = 0
    while True:
        line_end = data.find(b"\r\n", start)
        size = int(data[start:line_end].partition(b";")[0], 16) if line_end > start else -1
        start = line_end + 2
        if size < 0 or data[start + size : start + size + 2] != b"\r\n":
            raise BadAnswerError(f"the chunked body is broken at byte {start}")
        if size == 0:
            return b"".join(parts)
        parts.append(data[start : start + size])
        start += size + 2


class Connection(asyncio.Protocol):
    """A kept-alive connection that calls back for every whole answer, and once if it breaks.

    Units: the `_at` in seconds of perf_counter; `first_piece_at` is of the last request, 0.0 until a piece was seen.
    """

    def __init__(self, on_answer: Callable[[Connection], None], on_broken: Callable[[BadAnswerError], None]) -> None:
        self._on_answer, self._on_broken = on_answer, on_broken
        self._parts: list[bytes] = []
        self._head: bytes | None = None
        self._missing = 0
        self._tail = b""
        self._busy = False
        self.asked_at = self.heard_at = self.first_piece_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes) -> None:
        self._parts, self._head, self._tail = [], None, b""
        self._busy = True
        self.first_piece_at = 0.0
        self.asked_at = self.heard_at = perf_counter()
        if self._transport.is_closing():
            self.connection_lost(None)
        else:
            self._transport.write(request)

    @property
    def status(self) -> int:
        return int((self._head or b"HTTP/1.1 000")[9:12])

    def body(self) -> bytes:
        """The body of the whole answer. Raises BadAnswerError for a broken one."""
        body = b"".join(self._parts)
        return dechunk(body) if self._missing < 0 else body

    def data_received(self, data: bytes) -> None:
        self.heard_at = perf_counter()
        if self._head is None:
            data = b"".join((*self._parts, data))
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._parts = [head]
                return
            self._head, self._parts = head, []
            self._missing = _content_length(head)
        self._parts.append(data)
        if self._missing < 0 and not self.first_piece_at and FIRST_PIECE in b"".join(self._parts):
            self.first_piece_at = self.heard_at
        if self._is_whole(data):
            self._busy = False
            self._on_answer(self)

    def _is_whole(self, data: bytes) -> bool:
        if self._missing >= 0:
            self._missing -= len(data)
            return self._missing <= 0
        # No subject sends a carriage return inside its content, so these bytes can only be the end.
        self._tail = data[-7:] if len(data) >= 7 else (self._tail + data)[-7:]
        return self._tail in (b"\r\n0\r\n\r\n", b"0\r\n\r\n")

    def connection_lost(self, error: Exception | None) -> None:
        if self._busy:
            self._on_broken(BadAnswerError(f"the connection was closed before the answer was whole ({error or 'EOF'})"))


def _content_length(head: bytes) -> int:
    """Units: bytes, or -1 for a chunked body."""
    fields = head.lower()
    if b"\r\ntransfer-encoding: chunked" in fields:
        return -1
    _, found, rest = fields.partition(b"\r\ncontent-length:")
    if not found:
        raise BadAnswerError("an answer with neither a length nor chunks")
    return int(rest.split(b"\r\n", 1)[0])
