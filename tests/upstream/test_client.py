"""Whole answers, and what every request has in common."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import msgspec
import pytest

from service.errors import Unavailable, UpstreamError
from service.models import ChatAsk, Completion, Usage
from service.upstream.client import UpstreamClient
from tests.fakes.upstream import PNG, Answer, FakeUpstream
from tests.upstream.conftest import KEY, MakeClient, on_both_ways

pytestmark = on_both_ways


async def test_a_completion_is_asked_for_and_read(client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk) -> None:
    assert await client.complete(ask) == Completion(
        reply="你好", finish_reason="stop", model="fake-1", usage=Usage(5, 7)
    )
    call = upstream.calls[0]
    assert (call.method, call.path) == ("POST", "/v1/chat/completions")
    assert (call.headers["Authorization"], call.headers["Content-Type"]) == (f"Bearer {KEY}", "application/json")
    assert call.json["user"] == "a-hash"


async def test_an_upstream_without_a_key_is_asked_without_one(
    make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    await (await make_client(openai_api_key="")).complete(ask)
    assert "Authorization" not in upstream.calls[0].headers


async def test_requests_share_a_connection(client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk) -> None:
    for _ in range(3):
        await client.complete(ask)
    assert len({call.connection for call in upstream.calls}) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer.html(200),
        Answer.raw(b""),
        Answer.raw(b"[" * 100_000),
        Answer.json({"error": {"message": "no"}}),
        Answer.json({"choices": []}),
        Answer.completion("cut").cut_after(40),
        Answer((b'{"choices":', b"..."), length=1000).cut_after(),
        Answer.raw(b"not gzip", headers={"Content-Encoding": "gzip"}),
    ],
    ids=["page", "empty", "deep", "error inside", "no choice", "cut chunks", "cut length", "bad gzip"],
)
async def test_what_is_no_answer_is_invalid_and_asked_for_once(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk, answer: Answer
) -> None:
    upstream.answer_with(answer)
    with pytest.raises(UpstreamError) as caught:
        await client.complete(ask)
    assert caught.value.type == "upstream_invalid"
    assert len(upstream.calls) == 1


async def test_a_redirect_is_never_followed(client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk) -> None:
    upstream.answer_with(Answer.raw(status=302, headers={"Location": upstream.base_url + "/models"}))
    with pytest.raises(UpstreamError) as caught:
        await client.complete(ask)
    assert (caught.value.type, caught.value.details) == ("upstream_invalid", {"retryable": False})
    assert len(upstream.calls) == 1


async def test_an_oversized_answer_is_invalid(client: UpstreamClient, upstream: FakeUpstream) -> None:
    upstream.answer_with(Answer.raw(b"x" * 100, b"x" * 100))
    async with client.request("GET", "/models") as answer:
        with pytest.raises(UpstreamError, match="upstream_invalid"):
            await client.read_body(answer, 150)


async def test_a_large_question_is_sent_whole(client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk) -> None:
    text = "x" * 3_000_000
    messages = msgspec.Raw(json.dumps([{"role": "user", "content": text}]).encode())
    answer = await client.complete(msgspec.structs.replace(ask, messages=messages))
    assert answer.reply == text


async def test_a_full_pool_says_so_at_once(make_client: MakeClient, upstream: FakeUpstream, ask: ChatAsk) -> None:
    client = await make_client(max_turns=1)
    gate = asyncio.Event()
    upstream.answer_always(Answer.completion().held(gate))
    running = [asyncio.ensure_future(client.complete(ask)) for _ in range(33)]
    await upstream.called(33)
    with pytest.raises(Unavailable) as caught:
        await client.complete(ask)
    assert caught.value.type == "overloaded"
    gate.set()
    await asyncio.gather(*running)
    assert client.in_use == 0
    assert (await client.complete(ask)).reply == "hello"


async def test_a_cancelled_request_ends_the_upstream_call(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk
) -> None:
    upstream.answer_with(Answer.stall())
    running = asyncio.ensure_future(client.complete(ask))
    await upstream.called()
    assert client.in_use == 1
    running.cancel()
    await upstream.hung_up()
    assert client.in_use == 0


async def test_request_opens_any_path_and_reads_bytes(client: UpstreamClient, upstream: FakeUpstream) -> None:
    async with client.request("GET", "/picture.png", params={"a": "b c"}, base_url=upstream.origin) as answer:
        assert client.in_use == 1
        assert b"".join([data async for data in client.chunks(answer)]) == PNG
    assert client.in_use == 0
    assert (upstream.calls[0].path, upstream.calls[0].query) == ("/picture.png", {"a": "b c"})


async def test_a_form_is_made_anew_for_each_attempt(client: UpstreamClient, upstream: FakeUpstream) -> None:
    def form() -> aiohttp.FormData:
        data = aiohttp.FormData()
        data.add_field("image", PNG, filename="a.png", content_type="image/png")
        return data

    upstream.answer_with(Answer.error(503))
    async with client.request("POST", "/images/edits", form=form) as answer:
        assert answer.response.status == 200
    assert [PNG in call.body for call in upstream.calls] == [True, True]
    assert upstream.calls[0].headers["Content-Type"].startswith("multipart/form-data; boundary=")


async def test_chunks_of_a_cut_body_raise_after_what_came(client: UpstreamClient, upstream: FakeUpstream) -> None:
    upstream.answer_with(Answer.raw(b"some").cut_after())
    async with client.request("GET", "/models") as answer:
        chunks = client.chunks(answer)
        assert await anext(chunks) == b"some"
        with pytest.raises(UpstreamError, match="upstream_invalid"):
            await anext(chunks)


async def test_the_log_has_the_upstreams_words_and_no_key(
    client: UpstreamClient, upstream: FakeUpstream, ask: ChatAsk, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.answer_with(Answer.error(401, f"Incorrect API key {KEY}, see {upstream.base_url}/keys", code="bad_key"))
    with pytest.raises(UpstreamError) as caught:
        await client.complete(ask)
    assert caught.value.type == "upstream_rejected"
    assert "bad_key" in caplog.text
    assert "Incorrect API key <key>, see <url>" in caplog.text
    assert KEY not in caplog.text
    assert "127.0.0.1" not in caplog.text
