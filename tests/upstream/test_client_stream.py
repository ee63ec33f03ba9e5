"""Streamed answers over a real connection."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import UpstreamError
from service.models import ChatAsk, Piece, Usage
from service.upstream.client import UpstreamClient
from tests.fakes.upstream import Answer, FakeUpstream, chunk, event
from tests.upstream.conftest import MakeClient, on_both_ways
from tests.upstream.reading import read_pieces, reading

pytestmark = on_both_ways


async def read(client: UpstreamClient, ask: ChatAsk) -> tuple[str, UpstreamError | None]:
    came = ""

    async def take(piece: Piece) -> None:
        nonlocal came
        came += piece.reply

    try:
        await client.stream(ask, take)
    except UpstreamError as error:
        return came, error
    return came, None


async def test_a_stream_is_asked_for_and_read(client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk) -> None:
    pieces = await read_pieces(client, ask)
    assert "".join(piece.reply for piece in pieces) == "你好"
    assert [piece.usage for piece in pieces if piece.usage] == [Usage(5, 7)]
    assert upstream.calls[0].json["stream"] is True
    assert upstream.calls[0].json["stream_options"] == {"include_usage": True}
    assert client.in_use == 0


async def test_pieces_come_as_they_arrive(client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk) -> None:
    gate = asyncio.Event()
    upstream.answer_with(Answer.stream("first", gate, "second"))
    async with reading(client, ask) as pieces:
        assert await pieces.next() == "first"
        assert client.in_use == 1
        gate.set()
        assert await pieces.next() == "second"


async def test_a_character_split_between_two_writes_comes_whole(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    whole = chunk("😀")
    at, gate = whole.index("😀".encode()) + 2, asyncio.Event()
    upstream.answer_with(Answer.stream("a", whole[:at], gate, whole[at:]))
    async with reading(client, ask) as pieces:
        assert await pieces.next() == "a"
        gate.set()
        assert await pieces.rest() == "😀"


async def test_a_line_of_700_kb_comes_whole(client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk) -> None:
    upstream.answer_with(Answer.stream("x" * 700_000))
    assert await read(client, ask) == ("x" * 700_000, None)


async def test_a_stream_leaves_its_connection_to_the_next_request(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    for _ in range(3):
        await read(client, ask)
    assert len({call.connection for call in upstream.calls}) == 1


async def test_a_body_that_ends_a_little_after_its_done_leaves_its_connection_too(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    gate = asyncio.Event()
    upstream.answer_with(Answer.events(chunk("whole"), chunk({}, finish_reason="stop"), b"data: [DONE]\n\n", gate))

    async def take(piece: Piece) -> None:
        if piece.finish_reason:
            gate.set()

    await client.stream(ask, take)
    await read(client, ask)
    assert upstream.calls[0].connection == upstream.calls[1].connection


async def test_silence_after_the_finish_reason_is_an_end(
    make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    upstream.answer_with(Answer.events(chunk("whole"), chunk({}, finish_reason="stop"), asyncio.Event()))
    async with asyncio.timeout(2):
        assert await read(await make_client(idle_timeout_seconds=0.1), ask) == ("whole", None)


async def test_a_missing_done_is_no_cut(client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk) -> None:
    upstream.answer_with(Answer.stream("whole", done=False))
    assert await read(client, ask) == ("whole", None)


async def test_a_connection_that_breaks_after_the_finish_reason_is_no_cut(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    upstream.answer_with(Answer.stream("whole", done=False).cut_after())
    assert await read(client, ask) == ("whole", None)


async def test_an_upstream_that_never_ends_its_body_does_not_hold_up_the_end(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    upstream.answer_with(Answer.stream("whole", b"data: [DONE]\n\n", asyncio.Event()))
    async with asyncio.timeout(2):
        assert await read(client, ask) == ("whole", None)
    await upstream.hung_up()


@pytest.mark.parametrize(
    "answer",
    [
        Answer.stream("half", finish_reason=None, done=False),
        Answer.stream("half", finish_reason=None, done=False).cut_after(),
        Answer.stream("half", "lost").cut_after(len(chunk("half")) + 20),
        Answer.stream("half", event({"error": {"message": "no"}}), "lost"),
        Answer.stream("half", b"data: {garbled}\n\n", "lost"),
    ],
    ids=["no end", "cut between events", "cut inside an event", "error inside", "garbled"],
)
async def test_a_stream_that_fails_keeps_what_came_of_it(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk, answer: Answer
) -> None:
    upstream.answer_with(answer)
    came, error = await read(client, ask)
    assert came == "half"
    assert error is not None
    assert (error.type, error.details) == ("upstream_invalid", {"retryable": True})
    assert len(upstream.calls) == 1
    assert client.in_use == 0


async def test_a_whole_completion_in_place_of_a_stream_is_one_piece(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    upstream.answer_with(Answer.completion("whole"))
    pieces = await read_pieces(client, ask)
    assert pieces == [Piece(reply="whole", finish_reason="stop", model="fake-1", usage=Usage(5, 7))]


@pytest.mark.parametrize("answer", [Answer.html(), Answer.raw(b""), Answer.json({"error": "no"})])
async def test_what_is_no_stream_is_invalid(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk, answer: Answer
) -> None:
    upstream.answer_with(answer)
    came, error = await read(client, ask)
    assert came == ""
    assert error is not None
    assert error.type == "upstream_invalid"


async def test_a_failure_before_the_stream_is_asked_again(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk, pauses: list[float]
) -> None:
    upstream.answer_with(Answer.error(503), Answer.stream("second"))
    assert await read(client, ask) == ("second", None)
    assert pauses == [0.5]


@pytest.mark.parametrize(
    "refusal",
    [
        Answer.error(400, "Unrecognized request argument supplied: stream_options"),
        Answer.json({"error": {"message": "stream_options is not supported"}}),
    ],
    ids=["status 400", "inside a 200"],
)
async def test_an_upstream_without_stream_options_is_asked_without_them_from_then_on(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk, refusal: Answer
) -> None:
    upstream.answer_with(refusal)
    assert await read(client, ask) == ("你好", None)
    assert await read(client, ask) == ("你好", None)
    assert ["stream_options" in call.json for call in upstream.calls] == [True, False, False]


async def test_a_refusal_that_stays_is_told(client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk) -> None:
    upstream.answer_always(Answer.error(400, "stream_options, whatever you do"))
    _, error = await read(client, ask)
    assert error is not None
    assert error.type == "upstream_rejected"
    assert len(upstream.calls) == 2


async def test_what_was_answered_is_not_asked_again_whatever_comes_after_it(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    failure = event({"error": {"message": "stream_options is not supported"}})
    upstream.answer_always(Answer.stream("first", failure, finish_reason=None))
    came, error = await read(client, ask)
    assert came == "first"
    assert error is not None
    assert len(upstream.calls) == 1


async def test_closing_a_stream_ends_the_upstream_call(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    upstream.answer_with(Answer.stream("first", asyncio.Event()))
    async with reading(client, ask) as pieces:
        await pieces.next()
    await upstream.hung_up()
    assert client.in_use == 0


async def test_cancelling_the_reader_ends_the_upstream_call(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    upstream.answer_with(Answer.stream("first", asyncio.Event()))
    reading = asyncio.ensure_future(read(client, ask))
    await upstream.called()
    reading.cancel()
    await upstream.hung_up()
    assert client.in_use == 0


async def test_what_the_taker_raises_is_not_the_upstreams_fault(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    async def take(piece: Piece) -> None:
        raise TimeoutError("of somebody else")

    upstream.answer_with(Answer.stream("first", asyncio.Event()))
    with pytest.raises(TimeoutError, match="of somebody else"):
        await client.stream(ask, take)
    await upstream.hung_up()
    assert client.in_use == 0


async def test_the_whole_time_ends_a_stream_that_nobody_reads(
    make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    upstream.answer_with(Answer.stream("first", asyncio.Event()))
    client = await make_client(max_turn_seconds=0.2)
    async with reading(client, ask) as pieces:
        await pieces.next()
        await upstream.hung_up()
        with pytest.raises(UpstreamError, match="upstream_timeout"):
            await pieces.next()
