"""An answer that comes over a connection of direct.py, read as it lies in aiohttp's StreamReader.

StreamReader's own reads ask the parser and the socket to go on after each chunk of a chunked body, which costs more
than all else about a piece of a stream. Here everything that has arrived is taken at once, and they are asked to go on
only if they had been told to pause. Its attributes are not documented; UPSTREAM_TRANSPORT=session needs none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http_parser import RawResponseMessage

from service.upstream.pool import IdleConnections

_UNASKED: Final[Mapping[str, str]] = {}  # of a success: a stream need not hold them


class DirectResponse:
    """An answer whose head has come. The connection is kept if its body has come whole when it is closed."""

    __slots__ = ("_connection", "_content", "_idle", "headers", "status")

    def __init__(
        self,
        message: RawResponseMessage,
        content: aiohttp.StreamReader,
        connection: Connection,
        idle: IdleConnections,
    ) -> None:
        self.status = message.code
        self.headers: Mapping[str, str] = message.headers if message.code >= 300 else _UNASKED
        self._content = content
        self._connection: Connection | None = connection
        self._idle = idle

    def has_ended(self) -> bool:
        return self._content.is_eof()

    def read_nowait(self) -> bytes:
        content = self._content
        if content.at_eof():
            return b""
        buffer = content._buffer
        if not buffer:
            if (error := content.exception()) is not None:
                raise error
            return b""
        # Emptied by popleft: `clear` would leave each deque of each open stream with a spare block.
        data = buffer.popleft() if len(buffer) == 1 else b"".join([buffer.popleft() for _ in range(len(buffer))])
        content._size = 0
        content._cursor = content.total_bytes
        splits = content._http_chunk_splits
        while splits:
            splits.popleft()
        if content._protocol._reading_paused:
            content._protocol.resume_reading()
        return data

    async def read(self) -> bytes:
        content = self._content
        while not (content.is_eof() or content._buffer or content.exception()):  # a chunk's end wakes it for nothing
            await content._wait("read")
        return self.read_nowait()

    def fail(self, error: Exception) -> None:
        self._content.set_exception(error)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if connection.protocol is None or connection.protocol.should_close:
            connection.close()  # HTTP/1.0, `Connection: close`, bytes too few or too many
        else:
            self._idle.give(connection)
