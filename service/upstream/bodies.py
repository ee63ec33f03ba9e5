"""Reading what an answer brings: bounded, under the clocks for the first byte and for silence.

It refuses to know what was asked and what the bytes mean; a body that stalls, breaks off or is too large is told as an
UpstreamError, and as one masked line in the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator

import aiohttp

from service.errors import UpstreamError
from service.settings import Settings
from service.upstream import failures
from service.upstream.failures import Failure, Mask
from service.upstream.transport import Response
from service.upstream.wire import LARGEST_ANSWER_BYTES, Unusable

logger = logging.getLogger(__name__)


class BodyReader:
    """Reads the bodies of opened answers."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.mask = Mask(settings.secrets, settings.openai_base_url)

    async def read_some(self, response: Response, seconds: float) -> bytes:
        """Read what has arrived, or wait so long for more. Nothing: the body has ended.

        Raises aiohttp.ClientError, TimeoutError.
        """
        content = response.content
        if data := content.read_nowait():
            return data
        if content.at_eof():
            return b""
        # A timer of the loop: asyncio.timeout costs four times as much, and this waits for every piece of a stream.
        silence = TimeoutError("nothing has come for too long")
        clock = asyncio.get_running_loop().call_later(seconds, content.set_exception, silence)
        try:
            return await content.readany()
        finally:
            clock.cancel()

    async def chunks(self, response: Response) -> AsyncGenerator[bytes, None]:
        """Read a body as it arrives. Raises UpstreamError."""
        seconds = self.settings.first_byte_timeout_seconds
        try:
            while data := await self.read_some(response, seconds):
                yield data
                seconds = self.settings.idle_timeout_seconds
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self.broken(error, response) from None

    async def read_body(self, response: Response, limit_bytes: int = LARGEST_ANSWER_BYTES) -> bytes:
        """Read a whole body. Raises UpstreamError, also where it is larger than the limit."""
        parts: list[bytes] = []
        size = 0
        seconds = self.settings.first_byte_timeout_seconds
        try:
            while data := await self.read_some(response, seconds):
                parts.append(data)
                size += len(data)
                if size > limit_bytes:
                    raise self.unusable(Unusable(f"a body above {limit_bytes} bytes"), response)
                seconds = self.settings.idle_timeout_seconds
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self.broken(error, response) from None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def unusable(self, unusable: Unusable, response: Response) -> UpstreamError:
        """Judge and log an answer that is none."""
        return self.report(failures.from_unusable(unusable, self.mask), response.method, response.url.path)

    def broken(self, error: Exception, response: Response) -> UpstreamError:
        """Judge and log an answer that stopped coming."""
        return self.report(failures.from_broken_body(error, self.mask), response.method, response.url.path)

    def report(self, failure: Failure, method: str, path: str) -> UpstreamError:
        logger.warning("%s: %s %s: %s", failure.error.type, method, path, failure.words)
        return failure.error
