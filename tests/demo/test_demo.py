"""The demo upstream, seen from its clients."""

from __future__ import annotations

import asyncio
import base64

import aiohttp
import pytest

from service.demo import DemoUpstream
from tests.demo.demo_client import Demo, asked, joined, message

WORDS = [
    "hello",
    "你好",
    "markdown",
    "表格",
    "think",
    "思考",
    "script",
    "脚本",
    "emoji",
    "表情",
    "draw a cat",
    "画一只猫",
]


@pytest.mark.parametrize(("text", "greeting"), [("good morning", "Hello!"), ("早上好", "你好！")])
async def test_the_reply_speaks_the_language_of_the_question_and_quotes_it(
    demo: Demo, text: str, greeting: str
) -> None:
    status, document = await demo.ask(text)
    assert status == 200
    assert message(document)["content"].startswith(greeting)
    assert f"> {text}" in message(document)["content"]
    assert document["choices"][0]["finish_reason"] == "stop"


async def test_only_the_last_user_message_is_answered(demo: Demo) -> None:
    messages = [
        {"role": "user", "content": "draw"},
        {"role": "assistant", "content": "markdown"},
        {"role": "user", "content": "thanks {braces}"},
    ]
    _, document = await demo.post("/chat/completions", json={"messages": messages})
    assert "(3 messages in the context):\n\n> thanks {braces}" in message(document)["content"]


async def test_a_question_without_content_is_answered(demo: Demo) -> None:
    status, document = await demo.ask(None)
    assert status == 200
    assert "no text" in message(document)["content"]


@pytest.mark.parametrize("word", WORDS)
async def test_a_stream_joined_is_the_whole_reply(demo: Demo, word: str) -> None:
    _, whole = await demo.ask(word)
    documents = await demo.stream(word)
    assert joined(documents, "content") == message(whole)["content"]
    assert joined(documents, "reasoning_content") == message(whole).get("reasoning_content", "")
    assert documents[-1] == "[DONE]"
    assert documents[-2]["choices"][0]["finish_reason"] == "stop"
    assert len({document["id"] for document in documents[:-1]}) == 1


async def test_usage_is_streamed_only_when_asked_for(demo: Demo) -> None:
    without = await demo.stream("hello")
    asked_for = await demo.stream("hello", stream_options={"include_usage": True})
    assert not any("usage" in document for document in without)
    assert asked_for[-2]["choices"] == []
    usage = asked_for[-2]["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 100


async def test_thinking_comes_before_the_answer(demo: Demo) -> None:
    documents = await demo.stream("思考一下")
    fields = [field for document in documents[1:-2] for field in document["choices"][0]["delta"]]
    assert fields == sorted(fields, reverse=True)
    assert {"reasoning_content", "content"} == set(fields)


@pytest.mark.parametrize("word", ["long", "长文"])
async def test_a_long_reply_has_a_hundred_kilobytes_and_ends_within_seconds(demo: Demo, word: str) -> None:
    documents = await demo.stream(word)
    assert 100_000 <= len(joined(documents, "content").encode()) < 110_000
    assert sum(demo.pauses) < 15


async def test_an_ordinary_reply_is_paced_like_a_model(demo: Demo) -> None:
    await demo.stream("hello")
    assert set(demo.pauses) == {0.025}
    assert 50 < len(demo.pauses) < 400


@pytest.mark.parametrize("word", ["slow", "慢"])
async def test_a_slow_reply_takes_a_minute_streamed_or_whole(demo: Demo, word: str) -> None:
    await demo.stream(word)
    assert demo.pauses == [1.0] * 60
    await demo.ask(word)
    assert demo.pauses[60:] == [60.0]


async def test_a_script_reply_carries_what_a_page_must_not_run(demo: Demo) -> None:
    _, document = await demo.ask("xss please")
    for attack in ("<script>", "onerror=", "javascript:", "srcdoc=", "onload="):
        assert attack in message(document)["content"]


async def test_words_inside_other_words_trigger_nothing(demo: Demo) -> None:
    _, document = await demo.ask("a description of slowness and terrors")
    assert message(document)["content"].startswith("Hello!")


async def test_an_error_is_a_500_in_openais_form(demo: Demo) -> None:
    status, document = await demo.ask("error")
    assert status == 500
    assert document["error"]["type"] == "server_error"


async def test_a_streamed_error_comes_after_some_text_and_ends_the_stream(demo: Demo) -> None:
    documents = await demo.stream("错误")
    assert joined(documents[:-1], "content")
    assert documents[-1]["error"]["type"] == "server_error"


async def test_received_pictures_are_described(demo: Demo) -> None:
    inline = "data:image/jpeg;base64," + base64.b64encode(bytes(3072)).decode()
    urls = [inline, "https://example.com/cat.png"]
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    status, document = await demo.ask([{"type": "text", "text": "markdown?"}, *parts])
    assert status == 200
    text = message(document)["content"]
    assert "2 picture(s)" in text
    assert "image/jpeg, 3.0 KB" in text
    assert "example.com" in text
    assert "> markdown?" in text


async def test_a_client_that_goes_away_ends_its_reply() -> None:
    waiting, cancelled = asyncio.Event(), asyncio.Event()

    async def pause(_seconds: float) -> None:
        waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    upstream = DemoUpstream(pause=pause)
    base_url = await upstream.start()
    async with aiohttp.ClientSession() as session:
        response = await session.post(base_url + "/chat/completions", json=asked("slow", stream=True))
        await waiting.wait()
        response.close()
        await asyncio.wait_for(cancelled.wait(), 5)
    await upstream.close()


async def test_closing_cuts_the_replies_under_way() -> None:
    upstream = DemoUpstream()
    base_url = await upstream.start()
    async with (
        aiohttp.ClientSession() as session,
        session.post(base_url + "/chat/completions", json=asked("slow", stream=True)) as response,
    ):
        await response.content.readany()
        await asyncio.wait_for(upstream.close(), 5)
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


@pytest.mark.parametrize("path", ["/chat/completions", "/images/generations", "/images/edits"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'"\\ud800"',
        b"[" * 100_000,
        b'{"messages": []}',
        b'{"messages": {}}',
        b'{"messages": [{"role": "user", "content": 5}]}',
        b'{"messages": [{"role": "user", "content": "\\ud800"}], "prompt": "\\ud800", "n": 11}',
        b'{"prompt": ""}',
        b'{"prompt": "a", "n": 11}',
        b'{"prompt": "a", "size": "0x0"}',
        b'{"prompt": "a", "size": "99999x1"}',
        b'{"prompt": "a", "size": "2049x64"}',
        b'{"prompt": "a", "size": 5}',
        b'{"prompt": "a", "response_format": "svg"}',
    ],
)
async def test_bad_bodies_are_refused_in_openais_form(demo: Demo, path: str, body: bytes) -> None:
    kinds = ["application/json", "multipart/form-data; boundary=x"]
    for kind in kinds:
        status, document = await demo.post(path, data=body, headers={"Content-Type": kind})
        assert status == 400
        assert set(document["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nope", 404),
        ("GET", "/chat/completions", 405),
        ("GET", "/pictures/" + "0" * 32 + "/9999x9999.png", 400),
        ("GET", "/pictures/../../etc/passwd", 404),
    ],
)
async def test_bad_places_are_refused_in_openais_form(demo: Demo, method: str, path: str, status: int) -> None:
    async with demo.session.request(method, demo.base_url + path) as response:
        assert response.status == status
        assert (await response.json())["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("prefix", ["/v1", ""])
async def test_the_account_answers_at_both_places_of_the_one_api_family(demo: Demo, prefix: str) -> None:
    root = demo.base_url.removesuffix("/v1") + prefix + "/dashboard/billing"
    async with demo.session.get(root + "/subscription") as response:
        limit_usd = (await response.json())["hard_limit_usd"]
    async with demo.session.get(root + "/usage") as response:
        used_cents = (await response.json())["total_usage"]
    assert (limit_usd, used_cents) == (100.0, 1234.5)


async def test_the_models_are_listed(demo: Demo) -> None:
    async with demo.session.get(demo.base_url + "/models") as response:
        document = await response.json()
    assert "gpt-4o-all" in [model["id"] for model in document["data"]]
