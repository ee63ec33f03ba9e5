"""Answers that come faster than they are read, on both ways."""

from __future__ import annotations

import asyncio
import tracemalloc

import msgspec
import pytest

from service.models import ChatAsk, Piece
from tests.fakes.raw_upstream import RawUpstream, body, chunked
from tests.fakes.upstream import chunk
from tests.upstream.conftest import MakeClient, on_both_ways
from tests.upstream.reading import reading

pytestmark = on_both_ways

STREAM_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MOST_CHUNKS = 16_384  # that aiohttp holds before it pauses


def in_bytes(reply: str) -> bytes:
    """A completion in chunks of one byte."""
    return chunked(*(byte.to_bytes() for byte in body(reply)))


async def test_a_stream_that_is_read_slowly_waits_at_the_upstream(make_client: MakeClient, ask: ChatAsk) -> None:
    event = chunk("x" * 1000)
    script = chunked(*[event] * 10_000, chunk({}, finish_reason="stop") + b"data: [DONE]\n\n")
    async with RawUpstream([script], narrow=True) as upstream:
        client = await make_client(openai_base_url=upstream.base_url)
        received_characters = 0

        async def take(piece: Piece) -> None:
            nonlocal received_characters
            if not received_characters:
                for _ in range(500):
                    await asyncio.sleep(0)
                assert not upstream.played.is_set()
            received_characters += len(piece.reply)

        await client.stream(ask, take)
        assert received_characters == 10_000_000
        assert (await client.complete(ask)).reply == "hello"
        assert upstream.asked == [1, 1]


@pytest.mark.parametrize("more", [-1, 0, 1, 2])
async def test_a_body_of_very_many_chunks_leaves_its_connection_to_the_next(
    make_client: MakeClient, ask: ChatAsk, more: int
) -> None:
    reply = "x" * (MOST_CHUNKS + more - len(body("")))
    async with RawUpstream([in_bytes(reply)], [in_bytes(reply)]) as upstream:
        client = await make_client(openai_base_url=upstream.base_url, idle_timeout_seconds=1)
        for _ in range(2):
            assert (await client.complete(ask)).reply == reply
        assert (await client.complete(ask)).reply == "hello"
        assert upstream.asked == [1, 1, 1]


async def test_an_open_stream_does_not_hold_its_question(make_client: MakeClient, ask: ChatAsk) -> None:
    messages = b'[{"role":"user","content":"%b"}]' % (b"x" * 60_000)
    long = msgspec.structs.replace(ask, messages=msgspec.Raw(messages))
    first = chunk("first")
    opened = STREAM_HEAD + b"%x\r\n%b\r\n" % (len(first), first)
    async with RawUpstream([opened, asyncio.Event()], [opened, asyncio.Event()]) as upstream:
        client = await make_client(openai_base_url=upstream.base_url)
        async with reading(client, ask) as warming:
            assert await warming.next() == "first"
            tracemalloc.start()
            try:
                async with reading(client, long) as pieces:
                    assert await pieces.next() == "first"
                    held_bytes, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
    assert held_bytes < 55_000
