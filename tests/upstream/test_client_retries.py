"""What is asked again, and what is not because it may be billed twice."""

from __future__ import annotations

import asyncio
import socket

import pytest

from service.errors import UpstreamError
from service.models import ChatAsk
from service.upstream.client import UpstreamClient
from service.upstream.failures import ContextTooLong
from tests.fakes.upstream import Answer, FakeUpstream
from tests.upstream.conftest import MakeClient, on_both_ways
from tests.upstream.reading import ReplyTo

pytestmark = on_both_ways


async def failed(client: UpstreamClient, ask: ChatAsk, reply_to: ReplyTo) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await reply_to(client, ask)
    return caught.value


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
async def test_two_failures_are_forgiven(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk, reply_to: ReplyTo, pauses: list[float], status: int
) -> None:
    upstream.answer_with(Answer.error(status), Answer.error(status), Answer.completion("third"))
    assert await reply_to(client, ask) == "third"
    assert pauses == [0.5, 1.0]
    assert upstream.calls[0].json == upstream.calls[2].json


async def test_three_failures_are_not(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk, reply_to: ReplyTo, pauses: list[float]
) -> None:
    upstream.answer_always(Answer.html(502))
    error = await failed(client, ask, reply_to)
    assert (error.type, error.details) == ("upstream_unavailable", {"retryable": True})
    assert len(upstream.calls) == 3
    assert len(pauses) == 2


async def test_retry_after_is_waited_for(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk, reply_to: ReplyTo, pauses: list[float]
) -> None:
    upstream.answer_with(Answer.error(429, headers={"Retry-After": "7"}))
    await reply_to(client, ask)
    assert pauses == [7.0]


async def test_a_retry_after_too_long_to_wait_for_is_told_at_once(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk, reply_to: ReplyTo
) -> None:
    upstream.answer_with(Answer.error(429, headers={"Retry-After": "60"}))
    error = await failed(client, ask, reply_to)
    assert error.retry_after_seconds == 60
    assert len(upstream.calls) == 1


async def test_an_empty_account_is_asked_once(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk, reply_to: ReplyTo
) -> None:
    upstream.answer_with(Answer.error(429, code="insufficient_quota"))
    error = await failed(client, ask, reply_to)
    assert (error.type, error.details) == ("upstream_unavailable", {"retryable": False})
    assert len(upstream.calls) == 1


async def test_a_refused_request_is_asked_once(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk, reply_to: ReplyTo
) -> None:
    upstream.answer_with(Answer.error(400))
    error = await failed(client, ask, reply_to)
    assert (error.type, error.details) == ("upstream_rejected", {"retryable": False})
    assert len(upstream.calls) == 1


async def test_a_context_that_is_too_long_can_be_told_apart(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk, reply_to: ReplyTo
) -> None:
    upstream.answer_with(Answer.error(400, code="context_length_exceeded"))
    assert isinstance(await failed(client, ask, reply_to), ContextTooLong)


async def test_a_stale_pooled_connection_costs_no_answer(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk, reply_to: ReplyTo, pauses: list[float]
) -> None:
    await reply_to(client, ask)
    upstream.answer_with(Answer.drop())
    assert await reply_to(client, ask) == "你好"
    assert pauses == [0.0]
    first, stale, anew = (call.connection for call in upstream.calls)
    assert first == stale != anew


async def test_a_fresh_connection_that_breaks_is_not_asked_again(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk, reply_to: ReplyTo
) -> None:
    upstream.answer_with(Answer.drop())
    error = await failed(client, ask, reply_to)
    assert (error.type, error.details) == ("upstream_unavailable", {"retryable": True})
    assert len(upstream.calls) == 1


async def test_a_second_broken_connection_is_not_asked_again(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk, reply_to: ReplyTo
) -> None:
    await reply_to(client, ask)
    upstream.answer_with(Answer.drop(), Answer.drop())
    await failed(client, ask, reply_to)
    assert len(upstream.calls) == 3


async def test_a_refused_connection_is_tried_three_times(
    make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo, pauses: list[float]
) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        client = await make_client(openai_base_url=f"http://127.0.0.1:{unheard.getsockname()[1]}/v1")
        error = await failed(client, ask, reply_to)
    assert (error.type, error.details) == ("upstream_unavailable", {"retryable": True})
    assert pauses == [0.5, 1.0]


async def test_garbage_in_place_of_http_is_invalid(make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo) -> None:
    async def garble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\x00\x01garbage\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(garble, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = await make_client(openai_base_url=f"http://127.0.0.1:{port}/v1")
        assert (await failed(client, ask, reply_to)).type == "upstream_invalid"
