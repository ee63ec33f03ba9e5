"""Fetch one picture from a url that somebody else chose, bounded in bytes and time.

Nobody's cookies, key, proxy or redirect goes with it; the address is judged by the guard. What the bytes are is the
sink's question: the Content-Type that the far end claims is never looked at.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from service.errors import ServiceError, UpstreamError
from service.upstream.guard import as_written, check_url, guarded_socket

logger = logging.getLogger(__name__)

Sink = Callable[[bytes], Awaitable[None]]

_CONNECTIONS: Final = 20
_WORTH_RETRYING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
# A compressed picture gains nothing and might be a bomb.
_HEADERS: Final = {"Accept": "image/*", "Accept-Encoding": "identity"}


class Downloader:
    """Shape: `trusted_origins` such as `http://127.0.0.1:8080`: reached unguarded, over http too, for urls that the
    upstream gave; the operator named them. Units: `timeout_seconds` for a whole picture."""

    def __init__(
        self,
        *,
        max_bytes: int,
        timeout_seconds: float,
        trusted_origins: frozenset[str] = frozenset(),
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._max_bytes = max_bytes
        self._timeout_seconds = timeout_seconds
        self._trusted = frozenset(URL(origin).origin() for origin in trusted_origins)
        self._resolver = resolver

    async def open(self) -> None:
        self._guarded = _session(
            aiohttp.TCPConnector(limit=_CONNECTIONS, socket_factory=guarded_socket, resolver=self._resolver)
        )
        self._unguarded = _session(aiohttp.TCPConnector(limit=_CONNECTIONS))

    async def close(self) -> None:
        await self._guarded.close()
        await self._unguarded.close()

    async def fetch(self, url: str, sink: Sink, *, from_upstream: bool = False) -> None:
        """Stream the body to the sink.

        Raises: UpstreamError (`picture_unavailable`, `upstream_timeout`); so is what the sink refuses as bad input.
        """
        session, checked = self._route(url, from_upstream)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._stream(session, checked, sink)
        except TimeoutError:
            raise _unavailable(checked, "timeout", retryable=True, type="upstream_timeout") from None
        except (aiohttp.ClientError, OSError) as error:
            cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
            refused = isinstance(cause, PermissionError | aiohttp.InvalidURL)
            raise _unavailable(checked, type(cause).__name__, retryable=not refused) from None
        except ServiceError as error:
            if error.code >= 500:
                raise
            raise _unavailable(checked, error.type, retryable=False) from None

    def _route(self, text: str, from_upstream: bool) -> tuple[aiohttp.ClientSession, URL]:
        with suppress(ValueError):
            if from_upstream and URL(text).origin() in self._trusted:
                return self._unguarded, as_written(text)
        try:
            return self._guarded, check_url(text)
        except ValueError:
            raise UpstreamError("picture_unavailable") from None

    async def _stream(self, session: aiohttp.ClientSession, url: URL, sink: Sink) -> None:
        async with session.get(url, allow_redirects=False) as response:
            if response.status != 200:
                raise _unavailable(url, str(response.status), retryable=response.status in _WORTH_RETRYING)
            if (response.content_length or 0) > self._max_bytes:
                raise _unavailable(url, "too large", retryable=False)
            received_bytes = 0
            async for chunk in response.content.iter_any():
                received_bytes += len(chunk)
                if received_bytes > self._max_bytes:
                    raise _unavailable(url, "too large", retryable=False)
                await sink(chunk)


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        headers=_HEADERS,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        timeout=aiohttp.ClientTimeout(total=None),
    )


def _unavailable(url: URL, reason: str, *, retryable: bool, type: str = "picture_unavailable") -> UpstreamError:
    """The host is told to the operator; the rest of the url may hold a signature."""
    logger.info("a picture of %s was not fetched: %s", url.host, reason)
    return UpstreamError(type, retryable=retryable)
