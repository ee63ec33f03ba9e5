"""Clients that write bytes: for what no client library would send, and in no hurry."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.web.service_process import ServiceProcess

HEAD = b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


class Connection:
    """One of them: it sends what it likes, when it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.transport: asyncio.Transport = writer.transport  # type: ignore[assignment]

    async def rest(self, seconds: float = 10) -> bytes:
        """All that comes until the service closes."""
        try:
            async with asyncio.timeout(seconds):
                return await self.reader.read()
        except ConnectionError:
            return b""

    async def trickle(self, start: bytes, endless: bytes) -> tuple[float, bytes]:
        """Send on, byte by byte, until something is said or the service closes: after how many seconds, and what."""
        began, answer = time.monotonic(), asyncio.create_task(self.reader.read(65536))
        self.writer.write(start)
        async with asyncio.timeout(20):
            while not answer.done():
                self.writer.write(endless)
                await asyncio.wait([answer], timeout=0.1)
        return time.monotonic() - began, await answer

    async def is_answered(self) -> bool:
        self.writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(5):
            return (await self.reader.readline()).startswith(b"HTTP/1.1 200 ")


class Clients:
    """All connections of a test to one service."""

    def __init__(self, service: ServiceProcess) -> None:
        self._service = service
        self._opened: list[Connection] = []

    async def connect(self, address: str = "127.0.0.1") -> Connection:
        pair = await asyncio.open_connection("127.0.0.1", self._service.port, local_addr=(address, 0))
        self._opened.append(Connection(*pair))
        return self._opened[-1]

    async def ask(self, data: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
        """Send these bytes: the status, the headers and the envelope that come back."""
        connection = await self.connect()
        connection.writer.write(data)
        async with asyncio.timeout(5):
            head = (await connection.reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.rstrip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = await connection.reader.readexactly(int(headers["content-length"]))
        return int(first.split(" ")[1]), headers, json.loads(body)

    async def leave(self) -> None:
        for connection in self._opened:
            connection.transport.abort()
        closing = (connection.writer.wait_closed() for connection in self._opened)
        await asyncio.gather(*closing, return_exceptions=True)


@asynccontextmanager
async def clients_of(service: ServiceProcess) -> AsyncIterator[Clients]:
    clients = Clients(service)
    try:
        yield clients
    finally:
        await clients.leave()
