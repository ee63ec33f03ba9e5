"""The one long-lived ClientSession with its bounded pool and prebuilt headers.

Whole answers may take a faster way over the same pool (direct.py), everything else goes by `ClientSession.request`.
It refuses to know what is asked and what an answer means.
"""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from typing import Any, Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from service import __version__
from service.settings import Settings
from service.tracing import traceparent
from service.upstream.bodies import BodyReader
from service.upstream.direct import DirectTransport
from service.upstream.exchange import Exchange
from service.upstream.transport import Request, Response

_SPARE_CONNECTIONS: Final = 32  # for pictures and balances beside the turns
_KEEP_ALIVE_SECONDS: Final = 30
_LARGE_BODY_BYTES: Final = 1 << 20

_made_anew: ContextVar[bool] = ContextVar("made_anew", default=True)


class UpstreamSession(BodyReader):
    """Sends requests to the base URL, each of them an Exchange. Open it before use, close it after."""

    def __init__(
        self,
        settings: Settings,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(settings)
        self.in_use = 0
        self.limit = settings.max_turns + _SPARE_CONNECTIONS
        self.sleep = sleep
        self.chance = chance
        self._headers = CIMultiDict({"User-Agent": f"mini-program-ai-backend/{__version__}"})
        if settings.openai_api_key:
            self._headers["Authorization"] = f"Bearer {settings.openai_api_key}"
        self._json_headers = self._headers.copy()
        self._json_headers["Content-Type"] = "application/json"
        self._session: aiohttp.ClientSession | None = None
        self._direct: DirectTransport | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=_Pool(limit=self.limit, keepalive_timeout=_KEEP_ALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            # All but the connect runs on our own clocks: aiohttp's default ends healthy streams after 300 s.
            timeout=aiohttp.ClientTimeout(total=None, connect=self.settings.connect_timeout_seconds),
            proxy=self.settings.upstream_proxy or None,
        )
        # The one switch between the two ways. A proxy is told other things than an upstream: the session knows how.
        if self.settings.upstream_transport == "direct" and not self.settings.upstream_proxy:
            seconds = self.settings.connect_timeout_seconds
            self._direct = DirectTransport(self._session, self._json_headers, connect_seconds=seconds)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        form: Callable[[], aiohttp.FormData] | None = None,
        params: Mapping[str, str] | None = None,
        base_url: str | None = None,
    ) -> AbstractAsyncContextManager[Response]:
        """Open an answer with a status of success; its body is still to be read.

        Shape: `body` is JSON; `form` makes the same form anew for each attempt. Raises UpstreamError, Unavailable;
        what aiohttp raises inside of the block becomes an UpstreamError too.
        """
        url = URL((base_url or self.settings.openai_base_url) + path)
        return Exchange(self, Request(method, url, body, form, params))

    async def send(self, request: Request, until: float) -> Response:
        """Send it once and wait for the head of the answer, whatever that says.

        Units: `until` is a time of the loop. Raises aiohttp.ClientError, TimeoutError.
        """
        if self._session is None:
            raise RuntimeError("the upstream session is not open")
        _made_anew.set(False)
        if self._direct is not None and self._direct.takes(request):
            return await self._direct.send(request, until)
        async with asyncio.timeout_at(until):
            return await self._session.request(
                request.method, request.url, allow_redirects=False, **self._options(request)
            )

    def _options(self, request: Request) -> dict[str, Any]:
        options: dict[str, Any] = {"headers": self._headers}
        if request.body is not None:
            # aiohttp warns of large bytes, and writes what looks like a file in parts.
            data = request.body if len(request.body) < _LARGE_BODY_BYTES else io.BytesIO(request.body)
            options = {"headers": self._json_headers, "data": data}
        elif request.form is not None:
            options["data"] = request.form()
        if request.params:
            options["params"] = request.params
        if trace := traceparent.get():
            options["headers"] = CIMultiDict(options["headers"], traceparent=trace)
        return options

    def reused_a_connection(self) -> bool:
        """Whether the last request that this task has sent went over a connection that had been idle."""
        return not _made_anew.get()


class _Pool(aiohttp.TCPConnector):
    """Notes for the task that asks when a connection is made for it.

    `_create_connection` is the hook that aiohttp documents for connectors; a TraceConfig tells the same for 15 µs.
    """

    async def _create_connection(self, *args: Any, **options: Any) -> Any:
        _made_anew.set(True)
        return await super()._create_connection(*args, **options)
