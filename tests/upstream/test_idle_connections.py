"""Connections of the direct way between two questions."""

from __future__ import annotations

import asyncio

import pytest

from service.models import ChatAsk
from tests.fakes.byte_server import ByteServer
from tests.fakes.raw_upstream import whole
from tests.fakes.upstream import Answer, FakeUpstream
from tests.upstream.conftest import MakeClient, on_both_ways
from tests.upstream.reading import whole_reply

pytestmark = on_both_ways


class Polite(ByteServer):
    """Answers once a connection; `left` is set when the client has closed it."""

    def __init__(self) -> None:
        super().__init__()
        self.left = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(whole())
        while await reader.read(1000):
            pass
        self.left.set()


async def test_one_that_is_idle_for_too_long_is_closed(
    make_client: MakeClient, ask: ChatAsk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.upstream.session._KEEP_ALIVE_SECONDS", 0.05)
    async with Polite() as server, asyncio.timeout(2):
        client = await make_client(openai_base_url=f"http://127.0.0.1:{server.port}/v1")
        assert await whole_reply(client, ask) == "hello"
        await server.left.wait()


async def test_they_are_closed_with_the_client(make_client: MakeClient, ask: ChatAsk) -> None:
    async with Polite() as server, asyncio.timeout(2):
        client = await make_client(openai_base_url=f"http://127.0.0.1:{server.port}/v1")
        assert await whole_reply(client, ask) == "hello"
        await client.close()
        await server.left.wait()


async def test_they_do_not_stand_in_the_way_of_other_requests(
    make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    client = await make_client(max_turns=1)
    gate = asyncio.Event()
    upstream.answer_always(Answer.completion().held(gate))
    asking = [asyncio.ensure_future(whole_reply(client, ask)) for _ in range(client.limit)]
    await upstream.called(client.limit)
    gate.set()
    await asyncio.gather(*asking)

    async def look() -> None:
        async with client.request("GET", "/models"):
            pass

    gate.clear()
    async with asyncio.timeout(2):
        looking = [asyncio.ensure_future(look()) for _ in range(client.limit)]
        await upstream.called(2 * client.limit)
        gate.set()
        await asyncio.gather(*looking)
