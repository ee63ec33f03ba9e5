"""One request and its answer: a place in the pool, the clocks, and retries before the first answered byte."""

from __future__ import annotations

import logging
import time
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler

from service.errors import Unavailable
from service.upstream import failures
from service.upstream.failures import Failure
from service.upstream.retries import parse_retry_after, pause_seconds
from service.upstream.transport import Request, Response

if TYPE_CHECKING:
    from service.upstream.session import UpstreamSession

logger = logging.getLogger(__name__)

_REFUSAL_SECONDS: Final = 5.0


class Exchange(AbstractAsyncContextManager["Exchange"]):
    """Entered, it has sent the request and has an answer with a status of success; left, it lets the connection go.

    Raises UpstreamError, and Unavailable while every connection is out. Whoever sends it notes whether its connection
    was `reused`.
    """

    __slots__ = ("_deadline", "_head", "_retried", "_started", "request", "response", "reused", "session", "until")

    response: Response

    def __init__(self, session: UpstreamSession, request: Request) -> None:
        self.request = request
        self.reused = False
        self.session = session
        self._head: ResponseHandler | None = None
        self._retried = 0

    async def __aenter__(self) -> Exchange:
        session = self.session
        if session.in_use >= session.limit:
            raise Unavailable("overloaded")
        session.in_use += 1
        try:
            self._started = session.loop.time()
            self._deadline = self._started + session.settings.max_turn_seconds
            while True:
                until = min(self._started + session.settings.first_byte_timeout_seconds, self._deadline)
                try:
                    self.response = response = await session.send(self, until)
                except (aiohttp.ClientError, TimeoutError) as error:
                    failure = self._judge(error)
                else:
                    if response.status < 300:
                        break
                    failure = await self._refusal(response)
                await self._pause(failure)
        except BaseException:
            self._leave()
            raise
        self.request.forget_content()
        if not response.has_ended():
            session.deadlines.watch(self, self._deadline)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        self.response.close()

    async def read_some(self, seconds: float) -> bytes:
        """Read what has arrived, or wait so long for more. Nothing: the body has ended.

        Raises aiohttp.ClientError, TimeoutError.
        """
        response = self.response
        if data := response.read_nowait():
            return data
        if response.has_ended():
            return b""
        self.session.deadlines.watch(self, min(self.session.loop.time() + seconds, self._deadline))
        try:
            return await response.read()
        except RuntimeError:  # aiohttp's word for a connection that broke while nobody was reading
            raise aiohttp.ClientPayloadError("the connection is closed") from None
        finally:
            self.until = self._deadline  # which goes on while nobody reads

    def wait_for_head(self, protocol: ResponseHandler, until: float) -> None:
        """Set the clock for the head of an answer."""
        self._head = protocol
        self.session.deadlines.watch(self, until)

    def stop_waiting(self) -> None:
        self._head = None
        self.session.deadlines.forget(self)

    def expire(self) -> None:
        """End the wait, and the whole exchange if its time is over."""
        if self._head is not None:
            self._head.set_exception(TimeoutError("no head in time"))
        else:
            silent = self.until < self._deadline
            words = "nothing has come for too long" if silent else "the whole time is over"
            self.response.fail(TimeoutError(words))
            self.response.close()

    def _leave(self) -> None:
        self.session.in_use -= 1
        self.session.deadlines.forget(self)

    def _judge(self, error: Exception) -> Failure:
        session = self.session
        waited = session.loop.time() - self._started
        return failures.from_exception(error, session.mask, reused=self.reused, waited_seconds=waited)

    async def _refusal(self, response: Response) -> Failure:
        body = bytearray()
        try:
            while len(body) < failures.MOST_ERROR_BYTES:
                data = await self.read_some(_REFUSAL_SECONDS)
                if not data:
                    break
                body += data
        except (aiohttp.ClientError, TimeoutError):
            pass  # the status says enough
        finally:
            response.close()
        retry_after_seconds = parse_retry_after(response.headers, time.time())
        return failures.from_answer(response.status, bytes(body), self.session.mask, retry_after_seconds)

    async def _pause(self, failure: Failure) -> None:
        """Wait before the next attempt. Raises UpstreamError if there is to be none."""
        session = self.session
        pause = pause_seconds(
            failure.repeat,
            retried=self._retried,
            retry_after_seconds=failure.retry_after_seconds,
            left_seconds=self._deadline - session.loop.time(),
            chance=session.chance(),
        )
        if pause is None:
            raise session.report(failure, self.request)
        logger.info("asking again after %.1f s: %s", pause, failure.words)
        self._retried += 1
        await session.sleep(pause)
        self._started = session.loop.time()
