"""Both ways of asking for a whole answer, on the wire: they read, keep and give up connections alike."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from service.errors import UpstreamError
from service.models import ChatAsk, Piece
from service.tracing import traceparent
from tests.fakes.byte_server import ByteServer
from tests.fakes.raw_upstream import End, RawUpstream, Step, body, chunked, whole
from tests.fakes.upstream import FakeUpstream
from tests.fakes.upstream_answers import chunk
from tests.upstream.conftest import MakeClient, on_both_ways
from tests.upstream.reading import ReplyTo, read_pieces

pytestmark = on_both_ways

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"


async def replies(
    make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo, upstream: RawUpstream, times: int = 2
) -> list[str]:
    client = await make_client(openai_base_url=upstream.base_url)
    came = [await reply_to(client, ask) for _ in range(times)]
    assert client.in_use == 0
    return came


@pytest.mark.parametrize(
    "script",
    [
        [whole("first")],
        [whole("first")[:-20], whole("first")[-20:]],
        [chunked(body("first"))],
        [chunked(body("first")[:9], body("first")[9:], trailer=b"X-Sum: 1\r\n")],
        [whole("first", "Connection: keep-alive", version="1.0")],
        [CONTINUE + whole("first")],
        [CONTINUE, HINTS, HINTS, whole("first")],
    ],
    ids=["length", "two writes", "chunked", "two chunks, trailer", "1.0 kept", "100", "100, 103, 103"],
)
async def test_a_whole_answer_leaves_its_connection_to_the_next(
    make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo, script: list[Step]
) -> None:
    async with RawUpstream(script) as upstream:
        assert await replies(make_client, ask, reply_to, upstream) == ["first", "hello"]
        assert upstream.asked == [1, 1]


@pytest.mark.parametrize(
    "script",
    [
        [b"HTTP/1.1 200 OK\r\n\r\n" + body("first"), End.CLOSE],
        [whole("first", "Connection: close")],
        [whole("first", version="1.0")],
        [whole("first") + whole("of somebody else")],
    ],
    ids=["until the end", "close", "1.0", "two answers"],
)
async def test_a_connection_that_cannot_be_kept_is_not(
    make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo, script: list[Step]
) -> None:
    async with RawUpstream(script) as upstream:
        assert await replies(make_client, ask, reply_to, upstream) == ["first", "hello"]
        assert upstream.asked == [1, 2]


@pytest.mark.parametrize(
    "script",
    [
        [b"SSH-2.0-OpenSSH_9.2\r\n"],
        [b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 20_000 + b"\r\n\r\n"],
        [CONTINUE + b"garbage\r\n\r\n"],
        [whole()[:-3], End.CLOSE],
        [chunked(body())[:-9], End.CLOSE],
        [chunked(body()).replace(b"\r\n{", b"\r\n\r\n{", 1)],
        [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\nfoo"],
        [b"HTTP/1.1 204 No Content\r\n\r\n"],
    ],
    ids=["ssh", "tls", "length", "long head", "after 100", "half", "half chunked", "bad chunk", "upgrade", "empty"],
)
async def test_what_is_no_answer_is_invalid_and_told_once(
    make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo, script: list[Step]
) -> None:
    async with RawUpstream(script) as upstream:
        client = await make_client(openai_base_url=upstream.base_url)
        with pytest.raises(UpstreamError) as caught:
            await reply_to(client, ask)
        assert (caught.value.type, caught.value.details) == ("upstream_invalid", {"retryable": True})
        assert client.in_use == 0
        assert await reply_to(client, ask) == "hello"
        assert len(upstream.asked) == 2


async def test_a_connection_closed_while_idle_is_not_used(
    make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo, pauses: list[float]
) -> None:
    async with RawUpstream([whole("first"), End.IDLE]) as upstream:
        client = await make_client(openai_base_url=upstream.base_url)
        await reply_to(client, ask)
        await upstream.noticed.wait()
        assert await reply_to(client, ask) == "hello"
        assert upstream.asked == [1, 2]
    assert pauses == []


async def test_a_connection_reset_while_it_is_written_to_costs_no_answer(
    make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo, pauses: list[float]
) -> None:
    async with RawUpstream([whole("first")], [End.UNREAD]) as upstream:
        assert await replies(make_client, ask, reply_to, upstream) == ["first", "hello"]
        assert upstream.asked == [1, 2]
    assert pauses == [0.0]


async def test_interim_answers_do_not_stop_the_clock(make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo) -> None:
    class Hints(ByteServer):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
            while not writer.is_closing():
                writer.write(HINTS)
                await asyncio.sleep(0.01)

    async with Hints() as server:
        url = f"http://127.0.0.1:{server.port}/v1"
        client = await make_client(openai_base_url=url, first_byte_timeout_seconds=0.1)
        with pytest.raises(UpstreamError, match="upstream_timeout"):
            await reply_to(client, ask)
        assert client.in_use == 0


async def test_a_compressed_answer_is_read(make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo) -> None:
    packed = gzip.compress(body("packed"))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with RawUpstream([head + packed]) as upstream:
        assert await replies(make_client, ask, reply_to, upstream) == ["packed", "hello"]
        assert upstream.asked == [1, 1]


async def test_the_trace_goes_on_to_the_upstream(
    make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo, upstream: FakeUpstream
) -> None:
    client = await make_client()
    await reply_to(client, ask)
    traceparent.set(TRACE)
    await reply_to(client, ask)
    await read_pieces(client, ask)
    async with client.request("GET", "/models"):
        pass
    assert [call.headers.get("traceparent") for call in upstream.calls] == [None, TRACE, TRACE, TRACE]


@pytest.mark.parametrize(("finish_reason", "failure"), [(None, "upstream_invalid"), ("stop", None)])
async def test_garbage_that_comes_while_a_piece_is_looked_at_breaks_only_what_is_not_finished(
    make_client: MakeClient, ask: ChatAsk, finish_reason: str | None, failure: str | None
) -> None:
    gate, told = asyncio.Event(), chunked(chunk("text", finish_reason)).removesuffix(b"0\r\n\r\n")
    async with RawUpstream([told, gate, b"ZZ\r\n", End.IDLE]) as upstream:
        client = await make_client(openai_base_url=upstream.base_url)
        replies: list[str] = []

        async def take(piece: Piece) -> None:
            replies.append(piece.reply)
            gate.set()
            await upstream.noticed.wait()  # by then the connection has been given up

        try:
            await client.stream(ask, take)
            came = None
        except UpstreamError as error:
            came = error.type
        assert (came, "".join(replies), client.in_use) == (failure, "text", 0)
