"""JSON over the session's own connector: the fast one of the two ways to send.

ClientSession.request spends most of its time on what these calls never use: middlewares, redirects, cookies, payload
kinds, a task for the body. Here the head is made once, head and body are one write, and idle connections lie at
hand. Connecting, TLS, the limit of the pool and the parsing of HTTP stay aiohttp's.

The names used for that are not documented: with a version of aiohttp that this was not tested with, and with
UPSTREAM_TRANSPORT=session, everything goes without this module. See docs/adr/0005-the-connector-used-directly.md.
"""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_writer import _serialize_headers
from multidict import CIMultiDict
from yarl import URL

from service.tracing import traceparent
from service.upstream.direct_response import DirectResponse
from service.upstream.exchange import Exchange
from service.upstream.pool import IdleConnections, made_anew
from service.upstream.transport import Request

TESTED_WITH: Final = ("3.14.5",)  # the versions of aiohttp

# What a transport takes in one write before it asks for a pause: more is sent by the session, which heeds that.
LARGEST_BODY_BYTES: Final = 64 << 10


class DirectTransport:
    """Posts small JSON bodies to addresses below the base URL, over connections of an open session."""

    def __init__(
        self, session: aiohttp.ClientSession, headers: CIMultiDict[str], base_url: str, idle: IdleConnections
    ) -> None:
        self._session = session
        self._headers = headers
        self._base = base_url + "/"
        self._idle = idle
        self._loop = asyncio.get_running_loop()
        self._prepared: dict[str, tuple[aiohttp.ClientRequest, bytes]] = {}

    def takes(self, request: Request) -> bool:
        """Whether this way is meant for it; the session takes everything."""
        body = request.body
        return body is not None and len(body) <= LARGEST_BODY_BYTES and request.url.startswith(self._base)

    async def send(self, exchange: Exchange, until: float) -> DirectResponse:
        """Send it once and wait for the head of the answer, until that time of the loop.

        Raises aiohttp.ClientError and TimeoutError, as the session does.
        """
        url, body = exchange.request.url, exchange.request.body or b""
        target, head = self._prepared.get(url) or self._prepare(url)
        connection = self._idle.take()
        exchange.reused = connection is not None
        if connection is None:
            connection = await self._connect(target, exchange, until)
        try:
            protocol, transport = connection.protocol, connection.transport
            if protocol is None or transport is None:
                raise aiohttp.ClientConnectionResetError("closed before the request was written")
            if trace := traceparent.get():
                head = b"%btraceparent: %b\r\n" % (head, trace.encode("ascii"))
            # A new parser each time: what came half while nobody had asked must not become the head of this answer.
            protocol.set_response_params(read_until_eof=True)
            transport.write(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
            exchange.wait_for_head(protocol, until)
            try:
                message, content = await protocol.read()
                while 100 <= message.code < 200 and message.code != 101:  # interim answers
                    message, content = await protocol.read()
            finally:
                exchange.stop_waiting()
        except HttpProcessingError as error:
            connection.close()
            raise aiohttp.ClientResponseError(
                target.request_info, (), status=error.code, message=error.message
            ) from error
        except BaseException:
            connection.close()
            raise
        return DirectResponse(message, content, connection, self._idle)

    async def _connect(self, target: aiohttp.ClientRequest, exchange: Exchange, until: float) -> Connection:
        connector, timeout = self._session.connector, self._session.timeout
        if connector is None:
            raise RuntimeError("the upstream session is closed")
        left_seconds = until - self._loop.time()
        hurried = timeout.connect is None or left_seconds < timeout.connect
        if hurried:
            timeout = aiohttp.ClientTimeout(connect=max(left_seconds, 0.001))
        exchange.session.make_room()
        made_anew.set(False)
        while True:
            try:
                connection = await connector.connect(target, [], timeout)
            except TimeoutError:
                if hurried:
                    raise
                raise aiohttp.ConnectionTimeoutError("no connection in time") from None
            if connection.protocol is not None and not connection.protocol.should_close:
                exchange.reused = not made_anew.get()
                return connection
            connection.close()

    def _prepare(self, url: str) -> tuple[aiohttp.ClientRequest, bytes]:
        """Make what a connector asks for, and all of the head but what differs from request to request."""
        target = aiohttp.ClientRequest(
            "POST", URL(url), headers={**self._headers, "Accept-Encoding": "identity"}, session=self._session
        )
        del target.headers["Content-Length"]
        head = _serialize_headers(f"POST {target.url.raw_path_qs} HTTP/1.1", target.headers)
        prepared = self._prepared[url] = target, head.removesuffix(b"\r\n")
        return prepared
