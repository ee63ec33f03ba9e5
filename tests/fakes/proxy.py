"""An HTTP proxy that relays: tunnels by CONNECT, and requests with a whole address in their first line."""

from __future__ import annotations

import asyncio
import base64
import re
from urllib.parse import urlsplit

from tests.fakes.byte_server import ByteServer


class Proxy(ByteServer):
    """`asked` holds the first line of each connection, `logins` what came with it as `user:password`."""

    def __init__(self, *, refuses: bool = False) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.logins: list[str] = []
        self._refuses = refuses

    def url(self, login: str = "") -> str:
        return f"http://{login}127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head.partition("\r\n")[0])
        if login := re.search(r"Proxy-Authorization: Basic (\S+)", head):
            self.logins.append(base64.b64decode(login[1]).decode())
        if self._refuses:
            writer.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
            return
        method, target, _ = head.split(" ", 2)
        address = urlsplit("//" + target if method == "CONNECT" else target)
        there, back = await asyncio.open_connection(address.hostname, address.port)
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                back.write(head.encode())
            await asyncio.gather(_pipe(reader, back), _pipe(there, writer))
        finally:
            back.transport.abort()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
