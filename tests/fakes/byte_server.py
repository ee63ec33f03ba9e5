"""A server of raw connections that leaves nothing behind: each is served by a task, and ends with the server."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import Self


class ByteServer:
    """`narrow` takes little at once, so that what is sent to it has to wait on the sender's side."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, narrow: bool = False) -> None:
        self.tls = tls
        self._narrow = narrow
        self._tasks: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        """Speak with the client of the connection with this number, from 1. It is closed afterwards."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        if self._narrow:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        limit_bytes = 4096 if self._narrow else 65536
        self._server = await asyncio.start_server(self._connected, sock=listener, ssl=self.tls, limit=limit_bytes)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)  # the loop closes the sockets

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        if self._server.is_serving():
            self._tasks.append(asyncio.ensure_future(self._run(reader, writer, len(self._tasks) + 1)))
        else:
            writer.transport.abort()

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # the client has left
            await self.serve(reader, writer, number)
        writer.close()
