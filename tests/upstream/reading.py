"""Answers as tests read them: all at once, or piece by piece while they go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from service.errors import UpstreamError
from service.models import ChatAsk, Piece
from service.upstream.client import UpstreamClient

ReplyTo = Callable[[UpstreamClient, ChatAsk], Awaitable[str]]


class Reader:
    """Takes pieces, and hands them on one by one."""

    def __init__(self) -> None:
        self._came: asyncio.Queue[Piece | UpstreamError | None] = asyncio.Queue()

    async def run(self, client: UpstreamClient, ask: ChatAsk) -> None:
        try:
            await client.stream(ask, self._came.put)
        except UpstreamError as error:
            self._came.put_nowait(error)
        else:
            self._came.put_nowait(None)

    async def next(self) -> str | None:
        """Give the text of the next piece, None at the end. Raises what the stream has raised."""
        came = await self._came.get()
        if isinstance(came, UpstreamError):
            raise came
        return came.reply if came else None

    async def rest(self) -> str:
        reply = ""
        while (text := await self.next()) is not None:
            reply += text
        return reply


@asynccontextmanager
async def reading(client: UpstreamClient, ask: ChatAsk) -> AsyncIterator[Reader]:
    """Read a stream in a task of its own, which is cancelled at the end of the block."""
    reader = Reader()
    running = asyncio.ensure_future(reader.run(client, ask))
    try:
        yield reader
    finally:
        running.cancel()
        await asyncio.wait([running])


async def read_pieces(client: UpstreamClient, ask: ChatAsk) -> list[Piece]:
    pieces: list[Piece] = []

    async def take(piece: Piece) -> None:
        pieces.append(piece)

    await client.stream(ask, take)
    return pieces


async def whole_reply(client: UpstreamClient, ask: ChatAsk) -> str:
    return (await client.complete(ask)).reply


async def streamed_reply(client: UpstreamClient, ask: ChatAsk) -> str:
    return "".join([piece.reply for piece in await read_pieces(client, ask)])
