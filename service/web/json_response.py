"""JSON answers of success. A small one to a plain request leaves in one write, its head made in one go.

aiohttp makes a head as a multidict, hands it to every signal and serialises it, which costs as much as all that we do
with a request beside its turn. An answer that is not plain goes that way all the same.
"""

from __future__ import annotations

import functools
import time
from email.utils import formatdate
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from service.web.answer_headers import told_lines

JSON: Final = "application/json; charset=utf-8"
_HEAD: Final = f"HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\n"

# What a transport takes in one write before it asks for a pause: aiohttp heeds that.
_LARGEST_BYTES: Final = 64 << 10


class JsonResponse(web.StreamResponse):
    """HTTP 200 with a head that has nothing but what every answer has."""

    def __init__(self, json: bytes) -> None:  # aiohttp's own part is made where it is needed, in `prepare`
        self._json = json
        self._usual: web.Response | None = None
        self._request: web.BaseRequest | None = None

    @property
    def status(self) -> int:
        return 200

    @property
    def keep_alive(self) -> bool | None:
        return True if self._usual is None else self._usual.keep_alive

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        if len(self._json) <= _LARGEST_BYTES and _is_plain(request):
            self._request = request
            return None
        self._usual = web.Response(body=self._json, headers={"Content-Type": JSON})
        return await self._usual.prepare(request)

    async def write_eof(self, data: bytes = b"") -> None:
        if self._usual is not None:
            await self._usual.write_eof(data)
        elif self._request is not None and (transport := self._request.transport) is not None:
            transport.write(_head(self._request, len(self._json)) + self._json)


def _is_plain(request: web.BaseRequest) -> bool:
    """HTTP/1.1 on a connection that stays, no other origin, and nothing of an earlier answer left to be taken."""
    transport = request.transport
    return (
        request.keep_alive
        and request.version == HttpVersion11
        and "Origin" not in request.headers
        and transport is not None
        and not transport.is_closing()
        and not transport.get_write_buffer_size()
    )


def _head(request: web.BaseRequest, length: int) -> bytes:
    date = _date(int(time.time()))
    return f"{_HEAD}{told_lines(request)}Date: {date}\r\nContent-Length: {length}\r\n\r\n".encode("ascii")


@functools.lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
