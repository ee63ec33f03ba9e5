"""One request and its answer: a place in the pool, the clocks, and retries before the first answered byte."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Final

import aiohttp

from service.errors import Unavailable
from service.upstream import failures
from service.upstream.failures import Failure
from service.upstream.retries import parse_retry_after, pause_seconds
from service.upstream.transport import Request, Response

if TYPE_CHECKING:
    from service.upstream.session import UpstreamSession

logger = logging.getLogger(__name__)

_REFUSAL_SECONDS: Final = 5.0


class Exchange(AbstractAsyncContextManager[Response]):
    """Entered, it has sent the request and gives an answer with a status of success; left, it lets the connection go.

    Raises UpstreamError, and Unavailable while every connection is out.
    """

    __slots__ = ("_deadline", "_guard", "_loop", "_request", "_response", "_session")

    def __init__(self, session: UpstreamSession, request: Request) -> None:
        self._session = session
        self._request = request

    async def __aenter__(self) -> Response:
        session = self._session
        if session.in_use >= session.limit:
            raise Unavailable("overloaded")
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + session.settings.max_turn_seconds
        session.in_use += 1
        try:
            self._response = await self._succeed()
        except BaseException:
            session.in_use -= 1
            raise
        # A timer, not asyncio.timeout: the block may lie inside of a generator, which other tasks can leave.
        whole = self._response.content.is_eof()
        self._guard = None if whole else self._loop.call_at(self._deadline, self._give_up)
        return self._response

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._guard is not None:
            self._guard.cancel()
        self._session.in_use -= 1
        self._response.close()  # a connection whose body has come whole is back in the pool already
        if isinstance(error, aiohttp.ClientError | TimeoutError):
            raise self._session.broken(error, self._response) from None

    def _give_up(self) -> None:
        self._response.content.set_exception(TimeoutError("the whole time is over"))
        self._response.close()

    async def _succeed(self) -> Response:
        retried = 0
        while True:
            answer = await self._attempt()
            if not isinstance(answer, Failure):
                return answer
            pause = pause_seconds(
                answer.repeat,
                retried=retried,
                retry_after_seconds=answer.retry_after_seconds,
                left_seconds=self._deadline - self._loop.time(),
                chance=self._session.chance(),
            )
            if pause is None:
                raise self._session.report(answer, self._request.method, self._request.url.path)
            logger.info("asking again after %.1f s: %s", pause, answer.words)
            retried += 1
            await self._session.sleep(pause)

    async def _attempt(self) -> Response | Failure:
        session, started = self._session, self._loop.time()
        try:
            until = min(started + session.settings.first_byte_timeout_seconds, self._deadline)
            response = await session.send(self._request, until)
        except (aiohttp.ClientError, TimeoutError) as error:
            waited = self._loop.time() - started
            reused = session.reused_a_connection()
            return failures.from_exception(error, session.mask, reused=reused, waited_seconds=waited)
        return response if response.status < 300 else await self._refusal(response)

    async def _refusal(self, response: Response) -> Failure:
        body = bytearray()
        try:
            while len(body) < failures.MOST_ERROR_BYTES:
                data = await self._session.read_some(response, _REFUSAL_SECONDS)
                if not data:
                    break
                body += data
        except (aiohttp.ClientError, TimeoutError):
            pass  # the status says enough
        finally:
            response.close()
        retry_after_seconds = parse_retry_after(response.headers, time.time())
        return failures.from_answer(response.status, bytes(body), self._session.mask, retry_after_seconds)
