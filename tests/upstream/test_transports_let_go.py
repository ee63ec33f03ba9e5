"""Both ways let go of what they hold: connections when they are cancelled, memory while the upstream reads slowly."""

from __future__ import annotations

import asyncio
import json
import tracemalloc

import msgspec
import pytest

from service.models import ChatAsk
from service.upstream.client import UpstreamClient
from tests.fakes.raw_upstream import RawUpstream, body
from tests.fakes.upstream import Answer, FakeUpstream
from tests.upstream.conftest import MakeClient, on_both_ways
from tests.upstream.reading import ReplyTo

pytestmark = on_both_ways


async def ends_within(client: UpstreamClient, ask: ChatAsk, reply_to: ReplyTo, steps: int) -> bool:
    """Whether it has an answer after so many turns of the loop. It is cancelled if not."""
    asking = asyncio.ensure_future(reply_to(client, ask))
    for _ in range(steps):
        await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    return not asking.cancelled()


async def no_connection_is_taken(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk, reply_to: ReplyTo
) -> None:
    """Take them all: one that was still taken would be waited for in vain."""
    assert client.in_use == 0
    gate = asyncio.Event()
    upstream.answer_always(Answer.completion().held(gate))
    filling = msgspec.structs.replace(ask, user="filling")
    asking = [asyncio.ensure_future(reply_to(client, filling)) for _ in range(client.limit)]
    while sum(call.json["user"] == "filling" for call in upstream.calls) < client.limit:
        await upstream.called(len(upstream.calls) + 1)
    gate.set()
    await asyncio.gather(*asking)
    assert client.in_use == 0


@pytest.mark.parametrize("headers", [{}, {"Connection": "close"}], ids=["kept", "connecting anew"])
async def test_cancelled_anywhere_it_leaves_no_connection_taken(
    make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk, reply_to: ReplyTo, headers: dict[str, str]
) -> None:
    client = await make_client(max_turns=1)
    upstream.answer_always(Answer.raw(body(), headers=headers))
    steps = 0
    while not await ends_within(client, ask, reply_to, steps):
        assert client.in_use == 0
        steps += 1
    assert steps > 5
    await no_connection_is_taken(client, upstream, ask, reply_to)


async def test_cancelled_in_the_middle_of_a_body_it_hangs_up(
    make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk, reply_to: ReplyTo
) -> None:
    client = await make_client(max_turns=1)
    upstream.answer_always(Answer.raw(body()[:20], asyncio.Event()))
    for steps in range(40):
        assert not await ends_within(client, ask, reply_to, steps)
        assert client.in_use == 0
    await upstream.hung_up()
    await no_connection_is_taken(client, upstream, ask, reply_to)


async def test_a_large_question_does_not_pile_up_before_a_slow_reader(
    make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo
) -> None:
    messages = json.dumps([{"role": "user", "content": "x" * 10_000_000}]).encode()
    large = msgspec.structs.replace(ask, messages=msgspec.Raw(messages))
    async with RawUpstream(narrow=True) as upstream:
        client = await make_client(openai_base_url=upstream.base_url)
        tracemalloc.start()
        try:
            asking = asyncio.ensure_future(reply_to(client, large))
            await asyncio.sleep(0)  # the body is made
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            assert await asking == "hello"
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most - before < 2_000_000
