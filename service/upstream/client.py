"""Chat completions, whole and streamed, over the one session.

It refuses to know of turns: the caller keeps what has come, and decides what a failure means for it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

import aiohttp
from yarl import URL

from service.models import ChatAsk, Completion, Piece
from service.upstream.answers import read_completion
from service.upstream.exchange import Exchange
from service.upstream.failures import StreamOptionsRejected
from service.upstream.pieces import StreamReader
from service.upstream.session import UpstreamSession
from service.upstream.transport import Request, Response
from service.upstream.wire import Unusable, chat_body

_TAIL_SECONDS = 5.0  # after a finish_reason only the usage is still to come
_END_SECONDS = 0.2  # after [DONE] only the end of the body, which leaves the connection to the next request


class UpstreamClient(UpstreamSession):
    """The one long-lived ClientSession to the base URL."""

    _counts_usage = True

    async def complete(self, ask: ChatAsk) -> Completion:
        """Ask for one whole answer. Raises UpstreamError, Unavailable."""
        async with self._ask(chat_body(ask), whole=True) as response:
            body = await self.read_body(response)
            try:
                return read_completion(body)
            except Unusable as unusable:
                raise self.unusable(unusable, response) from None

    async def stream(self, ask: ChatAsk) -> AsyncGenerator[Piece, None]:
        """Ask for a streamed answer: one Piece for each read. Close the iterator to end the upstream call.

        Raises UpstreamError, Unavailable; a cut answer raises after the pieces that had come of it.
        """
        count_usage = self._counts_usage
        begun = False
        while True:
            try:
                async with aclosing(self._pieces(chat_body(ask, stream=True, count_usage=count_usage))) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
                return
            except StreamOptionsRejected:
                if begun or not count_usage:
                    raise
                count_usage = self._counts_usage = False

    async def _pieces(self, body: bytes) -> AsyncGenerator[Piece, None]:
        reader = StreamReader()
        async with self._ask(body) as response:
            seconds = self.settings.first_byte_timeout_seconds
            while not reader.done:
                try:
                    data = await self.read_some(response, seconds)
                except (aiohttp.ClientError, TimeoutError):
                    if not reader.finished:
                        raise
                    data = b""  # only the usage is missing, and nobody waits longer for that
                piece = reader.feed(data) if data else reader.end()
                if piece is not None:
                    yield piece
                idle_seconds = self.settings.idle_timeout_seconds
                seconds = min(idle_seconds, _TAIL_SECONDS) if reader.finished else idle_seconds
            if reader.failure is not None:
                raise self.unusable(reader.failure, response)
            await self._end(response)

    async def _end(self, response: Response) -> None:
        with suppress(aiohttp.ClientError, TimeoutError):  # then it is closed instead
            await self.read_some(response, _END_SECONDS)

    def _ask(self, body: bytes, *, whole: bool = False) -> Exchange:
        url = URL(self.settings.openai_base_url + "/chat/completions")
        return Exchange(self, Request("POST", url, body, whole=whole))
