"""What only the direct way has to take care of, for it sends and reads by itself."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import msgspec
import pytest

from service.errors import UpstreamError
from service.models import ChatAsk
from service.upstream.direct import LARGEST_BODY_BYTES, TESTED_WITH
from tests.fakes.raw_upstream import RawUpstream, whole
from tests.fakes.upstream import Answer, FakeUpstream
from tests.upstream.conftest import MakeClient
from tests.upstream.reading import read_pieces

REQUEST_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def asking(ask: ChatAsk, size: int) -> ChatAsk:
    messages = json.dumps([{"role": "user", "content": "x" * size}]).encode()
    return msgspec.structs.replace(ask, messages=msgspec.Raw(messages))


async def test_the_upstream_is_told_the_same_in_both_ways(
    make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    for way in ("direct", "session"):
        await (await make_client(upstream_transport=way)).complete(ask)
    direct, session = upstream.calls
    assert direct.body == session.body
    assert direct.headers.pop("Accept-Encoding") == "identity"  # the one difference, and how the two are told apart
    assert session.headers.pop("Accept-Encoding") != "identity"
    assert direct.headers == session.headers


async def test_streams_go_over_the_same_connections(
    make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    client = await make_client(upstream_transport="direct")
    for _ in range(2):
        await client.complete(ask)
        await read_pieces(client, ask)
    assert len({call.connection for call in upstream.calls}) == 1
    assert {call.headers["Accept-Encoding"] for call in upstream.calls} == {"identity"}


@pytest.mark.parametrize(("size", "direct"), [(LARGEST_BODY_BYTES - 200, True), (LARGEST_BODY_BYTES, False)])
async def test_a_large_question_is_left_to_the_session(
    make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk, size: int, direct: bool
) -> None:
    client = await make_client(upstream_transport="direct")
    assert (await client.complete(asking(ask, size))).reply == "x" * size
    assert (upstream.calls[0].headers["Accept-Encoding"] == "identity") is direct


async def test_an_answer_from_before_the_question_is_not_the_answer(
    make_client: MakeClient, ask: ChatAsk, pauses: list[float]
) -> None:
    gate = asyncio.Event()
    async with RawUpstream([whole("first"), gate, REQUEST_TIMEOUT]) as upstream:
        client = await make_client(openai_base_url=upstream.base_url, upstream_transport="direct")
        assert (await client.complete(ask)).reply == "first"
        gate.set()
        await upstream.played.wait()
        assert (await client.complete(ask)).reply == "hello"
        assert upstream.asked == [1, 2]
    assert pauses == []


async def test_half_an_answer_that_nobody_asked_for_is_not_the_head_of_the_next(
    make_client: MakeClient, ask: ChatAsk
) -> None:
    gate, stolen = asyncio.Event(), whole("somebody else's")
    async with RawUpstream([whole("first"), gate, stolen[:20]], [stolen[20:]]) as upstream:
        client = await make_client(openai_base_url=upstream.base_url, upstream_transport="direct")
        assert (await client.complete(ask)).reply == "first"
        gate.set()
        await upstream.played.wait()
        await asyncio.sleep(0)
        with pytest.raises(UpstreamError) as failed:
            await client.complete(ask)
        assert failed.value.type == "upstream_invalid"
        assert upstream.asked == [1, 1]


def test_the_aiohttp_that_is_installed_is_one_that_this_way_was_tested_with() -> None:
    assert aiohttp.__version__ in TESTED_WITH


async def test_with_another_aiohttp_everything_goes_by_the_session(
    make_client: MakeClient,
    upstream: FakeUpstream,
    ask: ChatAsk,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(aiohttp, "__version__", "3.14.99")
    client = await make_client(upstream_transport="direct")
    await client.complete(ask)
    assert upstream.calls[0].headers["Accept-Encoding"] != "identity"
    assert "aiohttp 3.14.99 is new" in caplog.text


@pytest.mark.parametrize("key", ["sk-\nInjected: yes", "sk-\r\n\r\nGET /"])
async def test_a_key_cannot_bring_headers_in(make_client: MakeClient, ask: ChatAsk, key: str) -> None:
    async with RawUpstream() as upstream:
        client = await make_client(openai_base_url=upstream.base_url, openai_api_key=key, upstream_transport="direct")
        with pytest.raises(ValueError, match="header injection"):
            await client.complete(ask)
        assert client.in_use == 0
        assert upstream.heads == []


async def test_the_one_used_last_is_used_next(make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk) -> None:
    client = await make_client(upstream_transport="direct")
    gate = asyncio.Event()
    upstream.answer_with(*[Answer.completion().held(gate)] * 3)
    asking = [asyncio.ensure_future(client.complete(ask)) for _ in range(3)]
    await upstream.called(3)
    gate.set()
    await asyncio.gather(*asking)
    for _ in range(3):
        await client.complete(ask)
    assert len({call.connection for call in upstream.calls[3:]}) == 1


async def test_a_connection_that_the_session_has_used_is_known_as_one(
    make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    client = await make_client(upstream_transport="direct")
    async with client.request("GET", "/models") as answer:
        await client.read_body(answer)
    upstream.answer_with(Answer.drop())
    assert (await client.complete(ask)).reply == "你好"
    first, stale, anew = (call.connection for call in upstream.calls)
    assert first == stale != anew
