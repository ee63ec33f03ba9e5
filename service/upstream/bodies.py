"""Reading what an answer brings: bounded, under the clocks for the first byte and for silence.

It refuses to know what was asked and what the bytes mean; a body that stalls, breaks off or is too large is told as an
UpstreamError, and as one masked line in the log.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from service.errors import UpstreamError
from service.settings import Settings
from service.upstream import failures
from service.upstream.failures import Failure, Mask
from service.upstream.transport import Request
from service.upstream.wire import LARGEST_ANSWER_BYTES, Unusable

if TYPE_CHECKING:
    from service.upstream.exchange import Exchange

logger = logging.getLogger(__name__)


class BodyReader:
    """Reads the bodies of opened answers."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.mask = Mask(settings.secrets, settings.openai_base_url)

    async def chunks(self, answer: Exchange) -> AsyncGenerator[bytes, None]:
        """Read a body as it arrives. Raises UpstreamError."""
        seconds = self.settings.first_byte_timeout_seconds
        try:
            while data := await answer.read_some(seconds):
                yield data
                seconds = self.settings.idle_timeout_seconds
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self.broken(error, answer) from None

    async def read_body(self, answer: Exchange, limit_bytes: int = LARGEST_ANSWER_BYTES) -> bytes:
        """Read a whole body. Raises UpstreamError, also where it is larger than the limit."""
        response = answer.response
        parts: list[bytes] = []
        size = 0
        seconds = self.settings.first_byte_timeout_seconds
        try:
            while data := response.read_nowait() if response.has_ended() else await answer.read_some(seconds):
                parts.append(data)
                size += len(data)
                if size > limit_bytes:
                    raise self.unusable(Unusable(f"a body above {limit_bytes} bytes"), answer)
                seconds = self.settings.idle_timeout_seconds
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self.broken(error, answer) from None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def unusable(self, unusable: Unusable, answer: Exchange) -> UpstreamError:
        """Judge and log an answer that is none."""
        return self.report(failures.from_unusable(unusable, self.mask), answer.request)

    def broken(self, error: Exception, answer: Exchange) -> UpstreamError:
        """Judge and log an answer that stopped coming."""
        return self.report(failures.from_broken_body(error, self.mask), answer.request)

    def report(self, failure: Failure, request: Request) -> UpstreamError:
        logger.warning("%s: %s %s: %s", failure.error.type, request.method, URL(request.url).path, failure.words)
        return failure.error
