"""Chat completions, whole and streamed, over the one session.

It refuses to know of turns: the caller keeps what has come, and decides what a failure means for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp

from service.models import ChatAsk, Completion, Piece
from service.settings import Settings
from service.upstream.answers import read_completion
from service.upstream.exchange import Exchange
from service.upstream.failures import StreamOptionsRejected
from service.upstream.pieces import StreamReader
from service.upstream.session import UpstreamSession
from service.upstream.transport import Request
from service.upstream.wire import Unusable, chat_body

_TAIL_SECONDS = 5.0  # after a finish_reason only the usage is still to come
_END_SECONDS = 0.2  # after [DONE] only the end of the body, which leaves the connection to the next request


class UpstreamClient(UpstreamSession):
    """The one long-lived ClientSession to the base URL."""

    _counts_usage = True

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__(settings, **options)
        self._chat_url = settings.openai_base_url + "/chat/completions"

    async def complete(self, ask: ChatAsk) -> Completion:
        """Ask for one whole answer. Raises UpstreamError, Unavailable."""
        async with self._ask(chat_body(ask)) as answer:
            body = await self.read_body(answer)
            try:
                return read_completion(body)
            except Unusable as unusable:
                raise self.unusable(unusable, answer) from None

    async def stream(self, ask: ChatAsk, take: Callable[[Piece], Awaitable[None]]) -> None:
        """Ask for a streamed answer, and give one Piece for each read to `take`. Cancelled, it ends the upstream call.

        Raises UpstreamError, Unavailable, and whatever `take` does; a cut answer raises after the pieces that had
        come of it.
        """
        again: ChatAsk | None = ask
        del ask
        while again is not None:
            count_usage = self._counts_usage
            try:
                async with self._ask(chat_body(again, stream=True, count_usage=count_usage)) as answer:
                    reader = StreamReader()
                    while not reader.done:
                        piece = await self._read(answer, reader)
                        if piece is not None:
                            again = None  # nothing is asked twice once it was answered: the prompt can go
                            await take(piece)
                    if reader.failure is not None:
                        raise self.unusable(reader.failure, answer)
                    await self._end(answer)
                return
            except StreamOptionsRejected:
                if again is None or not count_usage:
                    raise
                self._counts_usage = False

    async def _read(self, answer: Exchange, reader: StreamReader) -> Piece | None:
        seconds = self.settings.idle_timeout_seconds if reader.begun else self.settings.first_byte_timeout_seconds
        try:
            data = await answer.read_some(min(seconds, _TAIL_SECONDS) if reader.finished else seconds)
        except (aiohttp.ClientError, TimeoutError) as error:
            if not reader.finished:
                raise self.broken(error, answer) from None
            data = b""  # only the usage is missing, and nobody waits longer for that
        return reader.feed(data) if data else reader.end()

    async def _end(self, answer: Exchange) -> None:
        if not answer.response.has_ended():
            with suppress(aiohttp.ClientError, TimeoutError):  # then it is closed instead
                await answer.read_some(_END_SECONDS)

    def _ask(self, body: bytes) -> Exchange:
        return Exchange(self, Request("POST", self._chat_url, body))
