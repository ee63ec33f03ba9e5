"""The one long-lived ClientSession with its bounded pool and prebuilt headers.

JSON may take a faster way over its connections (direct.py), everything else goes by `ClientSession.request`.
It refuses to know what is asked and what an answer means.
"""

from __future__ import annotations

import asyncio
import io
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import aiohttp
from multidict import CIMultiDict

from service import __version__
from service.settings import Settings
from service.tracing import traceparent
from service.upstream.bodies import BodyReader
from service.upstream.deadlines import Deadlines
from service.upstream.direct import TESTED_WITH, DirectTransport
from service.upstream.exchange import Exchange
from service.upstream.pool import IdleConnections, Pool, made_anew
from service.upstream.transport import Request, Response

logger = logging.getLogger(__name__)

_SPARE_CONNECTIONS: Final = 32  # for pictures and balances beside the turns
_KEEP_ALIVE_SECONDS: Final = 30
_LARGE_BODY_BYTES: Final = 1 << 20


class UpstreamSession(BodyReader):
    """Sends requests to the base URL, each of them an Exchange. Open it before use, close it after."""

    loop: asyncio.AbstractEventLoop
    deadlines: Deadlines
    _idle: IdleConnections

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
        self.loop = asyncio.get_running_loop()
        self.deadlines = Deadlines(self.loop)
        self._idle = IdleConnections(self.loop, self.deadlines, keep_seconds=_KEEP_ALIVE_SECONDS)
        self._session = aiohttp.ClientSession(
            connector=Pool(limit=self.limit, keepalive_timeout=_KEEP_ALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            # All but the connect runs on our own clocks: aiohttp's default ends healthy streams after 300 s.
            timeout=aiohttp.ClientTimeout(total=None, connect=self.settings.connect_timeout_seconds),
            proxy=self.settings.upstream_proxy or None,
        )
        # The one switch between the two ways. A proxy is told other things than an upstream: the session knows how.
        if self.settings.upstream_transport == "direct" and not self.settings.upstream_proxy and _knows_aiohttp():
            base_url = self.settings.openai_base_url
            self._direct = DirectTransport(self._session, self._json_headers, base_url, self._idle)

    async def close(self) -> None:
        if self._session is not None:
            self.deadlines.close()
            self._idle.shrink_to(0)
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
    ) -> Exchange:
        """Open an answer with a status of success; its body is still to be read.

        Shape: `body` is JSON, to be posted; `form` makes the same form anew for each attempt.
        Raises UpstreamError, Unavailable.
        """
        url = (base_url or self.settings.openai_base_url) + path
        return Exchange(self, Request(method, url, body, form, params))

    def send(self, exchange: Exchange, until: float) -> Awaitable[Response]:
        """Send it once and wait for the head of the answer, whatever that says.

        Units: `until` is a time of the loop. Raises aiohttp.ClientError, TimeoutError.
        """
        if self._direct is not None and self._direct.takes(exchange.request):
            return self._direct.send(exchange, until)
        return self._send_by_session(exchange, until)

    async def _send_by_session(self, exchange: Exchange, until: float) -> Response:
        if self._session is None:
            raise RuntimeError("the upstream session is not open")
        self.make_room()
        request = exchange.request
        made_anew.set(False)
        try:
            async with asyncio.timeout_at(until):
                return SessionResponse(
                    await self._session.request(
                        request.method, request.url, allow_redirects=False, **self._options(request)
                    )
                )
        finally:
            exchange.reused = not made_anew.get()

    def make_room(self) -> None:
        """Let idle connections of the direct way go, where they stand in the way of a new one."""
        self._idle.shrink_to(self.limit - self.in_use)

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


def _knows_aiohttp() -> bool:
    """Whether this aiohttp is one that the direct way was tested with: it leans on names that may change."""
    known = aiohttp.__version__ in TESTED_WITH
    if not known:
        logger.warning("aiohttp %s is new to UPSTREAM_TRANSPORT=direct: all goes by the session", aiohttp.__version__)
    return known


class SessionResponse:
    """An answer that came by `ClientSession.request`: aiohttp keeps its connection when the body has come whole."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.close = response.close
        self.has_ended = response.content.is_eof
        self.read_nowait = response.content.read_nowait
        self.read = response.content.readany
        self.fail = response.content.set_exception
