"""Whole JSON answers over the session's own connector: the fast one of the two ways to send.

ClientSession.request spends most of its time on what these calls never use: middlewares, redirects, cookies, payload
kinds, a task for the body. Here the head is made once, head and body are one write, and the connection's own parser
reads the answer. Connecting, TLS, the pool with its limits and the parsing of HTTP stay aiohttp's.

The names used for that are not documented: setup.cfg holds aiohttp to the versions this was tested with, and
UPSTREAM_TRANSPORT=session does without this module. See docs/adr/0005-the-connector-used-directly.md.
"""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from aiohttp.http_writer import _serialize_headers
from multidict import CIMultiDict
from yarl import URL

from service.tracing import traceparent
from service.upstream.transport import Request

# What a transport takes in one write before it asks for a pause: more is sent by the session, which heeds that.
LARGEST_BODY_BYTES: Final = 64 << 10


class DirectTransport:
    """Posts small JSON bodies over the connections of an open session."""

    def __init__(self, session: aiohttp.ClientSession, headers: CIMultiDict[str], *, connect_seconds: float) -> None:
        self._session = session
        self._headers = headers
        self._connect_seconds = connect_seconds
        self._loop = asyncio.get_running_loop()
        self._prepared: dict[URL, tuple[aiohttp.ClientRequest, bytes]] = {}

    def takes(self, request: Request) -> bool:
        """Whether this way is meant for it; the session takes everything."""
        return request.whole and request.body is not None and len(request.body) <= LARGEST_BODY_BYTES

    async def send(self, request: Request, until: float) -> DirectResponse:
        """Send it once and wait for the head of the answer, until that time of the loop.

        Raises aiohttp.ClientError and TimeoutError, as the session does.
        """
        target, head = self._prepared.get(request.url) or self._prepare(request.url)
        connection = await self._connect(target, until)
        try:
            protocol = _write(connection, head, request.body or b"")
            clock = self._loop.call_at(until, protocol.set_exception, TimeoutError("no head in time"))
            try:
                message, content = await protocol.read()
                while 100 <= message.code < 200 and message.code != 101:  # interim answers
                    message, content = await protocol.read()
            except HttpProcessingError as error:
                raise aiohttp.ClientResponseError(
                    target.request_info, (), status=error.code, message=error.message
                ) from error
            finally:
                clock.cancel()
        except BaseException:
            connection.close()
            raise
        return DirectResponse(request, message, content, connection)

    async def _connect(self, target: aiohttp.ClientRequest, until: float) -> Connection:
        connector = self._session.connector
        if connector is None:
            raise RuntimeError("the upstream session is closed")
        left_seconds = until - self._loop.time()
        hurried = left_seconds < self._connect_seconds
        timeout = aiohttp.ClientTimeout(connect=max(left_seconds, 0.001)) if hurried else self._session.timeout
        while True:
            try:
                connection = await connector.connect(target, [], timeout)
            except TimeoutError:
                if hurried:
                    raise
                raise aiohttp.ConnectionTimeoutError("no connection in time") from None
            # Proxies say 408 on an idle connection before they close it: an answer from before the question.
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection
            connection.close()

    def _prepare(self, url: URL) -> tuple[aiohttp.ClientRequest, bytes]:
        """Make what a connector asks for, and all of the head but what differs from request to request."""
        target = aiohttp.ClientRequest(
            "POST", url, headers={**self._headers, "Accept-Encoding": "identity"}, session=self._session
        )
        del target.headers["Content-Length"]
        head = _serialize_headers(f"POST {url.raw_path_qs} HTTP/1.1", target.headers)
        prepared = self._prepared[url] = target, head.removesuffix(b"\r\n")
        return prepared


class DirectResponse:
    """An answer whose head has come. The connection goes back to the pool with the last byte of the body."""

    __slots__ = ("_connection", "content", "headers", "method", "status", "url")

    def __init__(
        self, request: Request, message: RawResponseMessage, content: aiohttp.StreamReader, connection: Connection
    ) -> None:
        self.method = request.method
        self.url = request.url
        self.status = message.code
        self.headers = message.headers
        self.content = content
        self._connection: Connection | None = connection
        content.on_eof(self._release)

    def close(self) -> None:
        """Give the connection up, unless the body has come whole."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()  # closes what cannot be kept: HTTP/1.0, `Connection: close`, bytes too many


def _write(connection: Connection, head: bytes, body: bytes) -> ResponseHandler:
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None or transport.is_closing():
        raise aiohttp.ClientConnectionResetError("closed before the request was written")
    protocol.set_response_params(read_until_eof=True)
    if trace := traceparent.get():
        head = b"%btraceparent: %b\r\n" % (head, trace.encode("ascii"))
    transport.write(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
    return protocol
