"""The event stream: what is sent, in what form, and what a reader that comes back gets."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from service.domain.pace import Pace
from tests.fakes.upstream import Answer, FakeUpstream, chunk
from tests.web.conftest import Api, Start
from tests.web.event_reader import joined, read_events

REPLY = ["Hel", "lo ", "你好 ", "👩‍👩‍👧 ", "e\u0301", "!"]


async def test_a_stream_starts_goes_on_and_is_done(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.stream(*REPLY, usage={"prompt_tokens": 3, "completion_tokens": 4}))
    events = await api.stream()
    assert events[0].name == "start"
    assert set(events[0].data) == {"turn_id", "conversation_id", "model"}
    assert {event.name for event in events[1:-1]} == {"delta"}
    assert joined(events) == "".join(REPLY)
    done = events[-1]
    assert (done.name, done.data["reply"], done.data["status"]) == ("done", "".join(REPLY), "completed")
    assert done.data["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert all(event.envelope["code"] == 0 and event.envelope["msg"] == "ok" for event in events)


async def test_the_head_forbids_caching_buffering_and_compression(api: Api):
    async with api.open_stream(headers={"Accept-Encoding": "gzip", "Origin": "https://app.example"}) as response:
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-cache"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert "Content-Encoding" not in response.headers
        assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert response.headers["X-Request-ID"]
        await response.read()


async def test_every_event_is_one_whole_chunk_of_ascii(api: Api, upstream: FakeUpstream):
    gates = [asyncio.Event() for _ in REPLY]
    steps = [step for pair in zip(REPLY, gates, strict=True) for step in pair]
    upstream.answer_with(Answer.stream(*steps))
    chunks: list[bytes] = []
    async with api.open_stream() as response:
        waiting = iter(gates)
        buffer = b""
        async for data, end_of_chunk in response.content.iter_chunks():
            buffer += data
            if end_of_chunk and buffer:
                chunks.append(buffer)
                buffer = b""
                if b"event: delta" in chunks[-1]:
                    next(waiting).set()
    assert all(chunk.endswith(b"\n\n") and chunk.count(b"\n\n") == 1 for chunk in chunks)
    assert all(chunk.isascii() for chunk in chunks)
    assert sum(b"event: delta" in chunk for chunk in chunks) == len(REPLY)


async def test_reasoning_comes_as_events_of_its_own(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.stream({"reasoning_content": "hm, "}, {"reasoning_content": "yes"}, "42"))
    events = await api.stream()
    assert joined(events, "reasoning") == "hm, yes"
    assert joined(events) == "42"
    assert events[-1].data["reasoning"] == "hm, yes"


async def test_silence_is_pinged_from_before_the_first_token_and_apart_from_events(
    start: Start, upstream: FakeUpstream
):
    api = await start(pace=Pace(ping_seconds=0.02))
    gate = asyncio.Event()
    upstream.answer_with(Answer.stream("late").held(gate))
    seen: list[bytes] = []
    async with api.open_stream() as response:
        async for data, _ in response.content.iter_chunks():
            seen.append(data)
            if seen.count(b": ping\n\n") == 3:
                gate.set()
    assert seen.count(b": ping\n\n") >= 3
    assert not any(b"ping" in data and data != b": ping\n\n" for data in seen)


async def test_a_failure_after_the_start_is_an_event_and_ends_the_stream(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.error(400, "bad"))
    events = await api.stream()
    assert [event.name for event in events] == ["start", "error"]
    assert events[1].envelope["code"] == 500
    assert events[1].data["type"] == "upstream_rejected"
    assert events[1].data["turn_id"] == events[0].data["turn_id"]
    assert events[1].data["request_id"]


@pytest.mark.parametrize(
    "cut",
    [
        Answer.stream("half of it", finish_reason=None, done=False),
        Answer.stream("half of it", finish_reason=None, done=False).cut_after(),
        Answer.events(chunk("half of it"), b'data: {"error":{"message":"boom"}}\n\n'),
        Answer.events(chunk("half of it"), b"data: " + b"x" * 9_000_000),
    ],
    ids=["no end", "cut body", "error inside", "endless line"],
)
async def test_a_cut_stream_is_never_a_finished_one(api: Api, upstream: FakeUpstream, cut: Answer):
    upstream.answer_with(cut)
    events = await api.stream()
    assert joined(events) == "half of it"
    assert events[-1].name == "error"
    turn = await api.data(f"/api/turns/{events[0].data['turn_id']}")
    assert (turn["status"], turn["finish_reason"], turn["reply"]) == ("failed", "interrupted", "half of it")


async def test_a_line_of_700_kb_is_taken(api: Api, upstream: FakeUpstream):
    text = "字" * 700_000
    upstream.answer_with(Answer.stream(text))
    events = await api.stream()
    assert joined(events) == text
    assert events[-1].data["reply"] == text


async def test_a_turn_is_resumed_after_a_cursor_from_the_store(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.stream({"reasoning_content": "think"}, *REPLY))
    events = await api.stream()
    text = joined(events)
    turn_id = events[0].data["turn_id"]
    for event in events:
        if event.id is not None:
            rest = await api.resume(turn_id, event.id)
            sent = events[: events.index(event) + 1]
            assert joined(sent) + joined(rest) == text
            assert joined(sent, "reasoning") + joined(rest, "reasoning") == "think"
            assert rest[-1].name == "done"


async def test_without_a_cursor_a_turn_is_told_from_its_start(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.stream(*REPLY))
    events = await api.stream()
    again = await api.resume(events[0].data["turn_id"])
    assert again[0].name == "start"
    assert joined(again) == "".join(REPLY)


async def test_last_event_id_is_a_cursor_too(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.stream("hello"))
    events = await api.stream()
    path = f"/api/turns/{events[0].data['turn_id']}?stream=true"
    async with api.client.get(path, headers={"Last-Event-ID": "3-0"}) as response:
        assert joined([event async for event in read_events(response)]) == "lo"


async def test_a_cursor_that_is_none_is_a_bad_parameter(api: Api):
    done = await api.chat()
    status, envelope = await api.get(f"/api/turns/{done['turn_id']}?stream=true&after=12")
    assert (status, envelope["data"]["field"]) == (400, "after")


async def test_many_readers_follow_one_running_turn(api: Api, upstream: FakeUpstream):
    gate = asyncio.Event()
    upstream.answer_with(Answer.stream("one ", gate, "two"))
    async with api.open_stream() as response:
        events = read_events(response)
        turn_id = (await anext(events)).data["turn_id"]
        await anext(events)
        readers = [asyncio.create_task(api.resume(turn_id)) for _ in range(5)]
        late = [asyncio.create_task(api.resume(turn_id, "2-0")) for _ in range(5)]
        gate.set()
        assert {joined(await reader) for reader in readers} == {"one two"}
        assert {joined(await reader) for reader in late} == {"e two"}


async def test_a_reader_that_leaves_changes_nothing(api: Api, upstream: FakeUpstream):
    gate = asyncio.Event()
    upstream.answer_with(Answer.stream("one ", gate, "two"))
    async with api.open_stream() as response:
        events = read_events(response)
        turn_id = (await anext(events)).data["turn_id"]
        response.close()
    gate.set()
    done = await api.data(f"/api/turns/{turn_id}?wait=5")
    assert (done["reply"], done["status"]) == ("one two", "completed")
    assert upstream.disconnects == 0


async def test_wait_ends_a_stream_with_the_place_to_go_on(api: Api, upstream: FakeUpstream):
    gate = asyncio.Event()
    upstream.answer_with(Answer.stream("one ", gate, "two"))
    events = await api.stream(wait=1)
    assert [event.name for event in events] == ["start", "delta", "continue"]
    gate.set()
    rest = await api.resume(events[0].data["turn_id"], events[-1].data["after"])
    assert joined(events) + joined(rest) == "one two"
    assert rest[-1].name == "done"


async def test_a_stuck_reader_is_let_go_and_the_turn_goes_on(start: Start, upstream: FakeUpstream):
    api = await start(pace=Pace(write_timeout_seconds=0.2))
    upstream.answer_with(Answer.stream(*["x" * 100_000] * 120))
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # the kernel takes megabytes otherwise
    small.connect(("127.0.0.1", api.client.port))
    reader, writer = await asyncio.open_connection(sock=small, limit=1)
    body = b'{"openid":"ann","stream":true,"messages":[{"role":"user","content":"hi"}]}'
    writer.write(
        b"POST /api/chat HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    await upstream.called()
    (item,) = await api.history()
    done = await api.data(f"/api/turns/{item['turn_id']}?wait=20")
    assert (done["status"], len(done["reply"])) == ("completed", 12_000_000)
    while 'route="/api/chat"' not in await (await api.client.get("/metrics")).text():
        await asyncio.sleep(0.05)  # until its request has ended, unread as it is
    received = 0
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            received += len(data)
    assert received < 12_000_000
    writer.close()
