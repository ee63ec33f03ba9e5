"""The four clocks: connect, first byte, silence, whole."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from service.errors import UpstreamError
from service.models import ChatAsk, Piece
from service.upstream.client import UpstreamClient
from tests.fakes.upstream import Answer, FakeUpstream
from tests.upstream.conftest import MakeClient, on_both_ways
from tests.upstream.reading import ReplyTo, reading

pytestmark = on_both_ways


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue of connections is full: the next one is never taken."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filling in (first, second):
            filling.setblocking(False)
            filling.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def times_out(client: UpstreamClient, ask: ChatAsk, reply_to: ReplyTo, type_: str) -> None:
    started = time.monotonic()
    with pytest.raises(UpstreamError) as caught:
        await reply_to(client, ask)
    assert (caught.value.type, caught.value.details) == (type_, {"retryable": True})
    assert time.monotonic() - started < 3
    assert client.in_use == 0


async def test_a_connect_that_hangs_is_tried_three_times(
    make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo, full_port: int, pauses: list[float]
) -> None:
    client = await make_client(openai_base_url=f"http://127.0.0.1:{full_port}/v1", connect_timeout_seconds=0.1)
    await times_out(client, ask, reply_to, "upstream_unavailable")
    assert len(pauses) == 2


async def test_a_connect_ends_with_the_time_for_the_first_byte(
    make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo, full_port: int, pauses: list[float]
) -> None:
    client = await make_client(openai_base_url=f"http://127.0.0.1:{full_port}/v1", first_byte_timeout_seconds=0.1)
    await times_out(client, ask, reply_to, "upstream_timeout")
    assert pauses == []


async def test_a_head_that_does_not_come_is_not_asked_for_again(
    make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk, reply_to: ReplyTo
) -> None:
    upstream.answer_with(Answer.stall())
    await times_out(await make_client(first_byte_timeout_seconds=0.1), ask, reply_to, "upstream_timeout")
    assert len(upstream.calls) == 1
    await upstream.hung_up()


async def test_the_first_byte_of_a_body_has_the_limit_of_the_first_byte(
    make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk, reply_to: ReplyTo
) -> None:
    upstream.answer_with(Answer.raw(asyncio.Event()))
    await times_out(await make_client(first_byte_timeout_seconds=0.1), ask, reply_to, "upstream_timeout")
    upstream.answer_with(Answer.raw(gate := asyncio.Event(), *Answer.completion("late").steps))
    client = await make_client(idle_timeout_seconds=0.1)
    asking = asyncio.ensure_future(reply_to(client, ask))
    await upstream.called(2)
    asyncio.get_running_loop().call_later(0.2, gate.set)
    assert await asking == "late"


async def test_a_body_that_falls_silent_is_given_up(
    make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk, reply_to: ReplyTo
) -> None:
    upstream.answer_with(Answer.raw(b'{"choices":', asyncio.Event()))
    await times_out(await make_client(idle_timeout_seconds=0.1), ask, reply_to, "upstream_timeout")
    await upstream.hung_up()


async def test_a_stream_that_falls_silent_is_given_up_after_what_came(
    make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    upstream.answer_with(Answer.stream("first", asyncio.Event(), "second"))
    client = await make_client(idle_timeout_seconds=0.1)
    async with reading(client, ask) as pieces:
        assert await pieces.next() == "first"
        with pytest.raises(UpstreamError, match="upstream_timeout"):
            await pieces.next()
    await upstream.hung_up()


async def test_a_body_that_trickles_on_is_given_up_when_the_whole_time_is_over(
    make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk, reply_to: ReplyTo
) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            while not writer.is_closing():
                writer.write(b" ")
                await asyncio.sleep(0.05)
        finally:
            writer.close()

    async with await asyncio.start_server(trickle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = await make_client(openai_base_url=f"http://127.0.0.1:{port}/v1", max_turn_seconds=0.2)
        await times_out(client, ask, reply_to, "upstream_timeout")


async def test_no_answer_at_all_is_given_up_when_the_whole_time_is_over(
    make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk, reply_to: ReplyTo
) -> None:
    upstream.answer_with(Answer.stall())
    await times_out(await make_client(max_turn_seconds=0.2), ask, reply_to, "upstream_timeout")


async def test_the_clock_for_silence_stands_still_while_nobody_reads(
    make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    upstream.answer_with(Answer.stream("waited for by nobody ", gates[0], "waited for ", gates[1], "late"))
    came = ""

    async def take(piece: Piece) -> None:
        nonlocal came
        came += piece.reply
        gates[0].set()
        if came.endswith("waited for "):
            await asyncio.sleep(0.2)
            gates[1].set()

    await (await make_client(idle_timeout_seconds=0.1)).stream(ask, take)
    assert came == "waited for by nobody waited for late"


async def test_the_whole_time_ends_an_answer_that_is_never_read(
    make_client: MakeClient, upstream: FakeUpstream
) -> None:
    upstream.answer_with(Answer.raw(b"some", asyncio.Event()))
    client = await make_client(max_turn_seconds=0.1)
    async with client.request("POST", "/images/generations", body=b"{}") as answer, asyncio.timeout(2):
        await upstream.hung_up()
        with pytest.raises(UpstreamError, match="upstream_timeout"):
            await client.read_body(answer)
