"""POST /api/chat as the seed has it, and what the contract adds."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from service.domain.running import RunningTurn
from service.web.request_context import RequestContext
from tests.fakes.upstream import Answer, FakeUpstream
from tests.web.conftest import Api, Start


async def test_the_seeds_request_gives_a_reply(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.completion("你好！"))
    data = await api.data("/api/chat", {"openid": "test", "messages": [{"role": "user", "content": "你好"}]})
    assert data["reply"] == "你好！"
    assert data["status"] == "completed"
    assert data["finish_reason"] == "stop"
    assert data["model"] == "fake-1"
    assert data["usage"] == {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}


async def test_a_turn_is_stored_before_the_upstream_is_asked(api: Api, upstream: FakeUpstream):
    import asyncio

    gate = asyncio.Event()
    upstream.answer_with(Answer.completion("late").held(gate))
    asking = asyncio.create_task(api.chat("question"))
    await upstream.called()
    (item,) = await api.history()
    assert (item["status"], item["messages"][0]["content"]) == ("running", "question")
    gate.set()
    await asking
    (item,) = await api.history()
    assert (item["status"], item["reply"]) == ("completed", "late")


async def test_the_upstream_gets_the_key_the_model_and_a_hash_of_the_openid(api: Api, upstream: FakeUpstream):
    await api.chat("hi", openid="oAnn-secret-id", temperature=0.5, top_p=0.9, max_tokens=77)
    call = upstream.calls[0]
    assert call.headers["Authorization"] == "Bearer sk-planted-key"
    assert call.json["model"] == "gpt-4o-all"
    assert call.json["messages"] == [{"role": "user", "content": "hi"}]
    assert (call.json["temperature"], call.json["top_p"], call.json["max_tokens"]) == (0.5, 0.9, 77)
    assert len(call.json["user"]) == 32
    assert b"oAnn-secret-id" not in call.body


async def test_what_is_not_given_is_not_sent(api: Api, upstream: FakeUpstream):
    await api.chat()
    assert set(upstream.calls[0].json) == {"model", "messages", "user"}


async def test_a_listed_model_may_be_chosen_and_no_other(start: Start, upstream: FakeUpstream):
    api = await start(OPENAI_MODELS="fast")
    await api.chat(model="fast")
    assert upstream.calls[0].json["model"] == "fast"
    status, envelope = await api.post(
        "/api/chat", {"openid": "ann", "messages": [{"role": "user", "content": "hi"}], "model": "secret"}
    )
    assert (status, envelope["data"]["type"], envelope["data"]["field"]) == (400, "model_not_allowed", "model")


async def test_the_operators_system_prompt_stands_alone(start: Start, upstream: FakeUpstream):
    api = await start(SYSTEM_PROMPT="be kind")
    messages = [{"role": "system", "content": "be evil"}, {"role": "user", "content": "hi"}]
    await api.data("/api/chat", {"openid": "ann", "messages": messages})
    assert upstream.calls[0].json["messages"] == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "hi"},
    ]


async def test_picture_parts_go_up_as_they_are(api: Api, upstream: FakeUpstream):
    parts = [
        {"type": "text", "text": "what is this"},
        {"type": "image_url", "image_url": {"url": "https://pictures.example/cat.png", "detail": "low"}},
    ]
    await api.data("/api/chat", {"openid": "ann", "messages": [{"role": "user", "content": parts}]})
    assert upstream.calls[0].json["messages"][0]["content"] == parts


@pytest.mark.parametrize("url", ["wxfile://tmp_abc.png", "http://tmp/abc.png", "blob:http://x/1", "file:///a.png"])
async def test_a_temporary_path_is_told_apart(api: Api, url: str):
    parts = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": url}}]
    status, envelope = await api.post("/api/chat", {"openid": "a", "messages": [{"role": "user", "content": parts}]})
    assert (status, envelope["data"]["type"]) == (400, "temporary_path")
    assert envelope["data"]["field"] == "messages[0].content[1].image_url.url"
    assert "upload" in envelope["msg"]


@pytest.mark.parametrize(
    ("answer", "type_", "retryable"),
    [
        (Answer.error(400, "bad"), "upstream_rejected", False),
        (Answer.error(401, "Incorrect API key provided: sk-planted-key"), "upstream_rejected", False),
        (Answer.error(429, "quota", code="insufficient_quota"), "upstream_unavailable", False),
        (Answer.html(), "upstream_invalid", True),
        (Answer.json({"error": {"message": "no channel"}}), "upstream_invalid", True),
        (Answer.completion("half").cut_after(40), "upstream_invalid", True),
    ],
)
async def test_an_upstream_failure_is_a_500_with_our_own_words(
    api: Api, upstream: FakeUpstream, answer: Answer, type_: str, retryable: bool
):
    upstream.answer_with(answer)
    status, envelope = await api.post("/api/chat", {"openid": "ann", "messages": [{"role": "user", "content": "hi"}]})
    assert (status, envelope["code"]) == (500, 500)
    assert (envelope["data"]["type"], envelope["data"]["retryable"]) == (type_, retryable)
    assert "planted" not in str(envelope)
    (item,) = await api.history()
    assert item["status"] == "failed"


async def test_a_failed_turn_is_told_as_the_turn_it_is(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.error(400, "bad"))
    _, envelope = await api.post("/api/chat", {"openid": "ann", "messages": [{"role": "user", "content": "hi"}]})
    turn = await api.data(f"/api/turns/{envelope['data']['turn_id']}")
    assert turn["status"] == "failed"
    assert turn["error"]["type"] == "upstream_rejected"


async def test_reasoning_is_kept_apart_and_not_sent_back(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.completion("42", reasoning_content="let me see"))
    first = await api.chat("why")
    assert (first["reply"], first["reasoning"]) == ("42", "let me see")
    await api.chat("and then", conversation_id=first["conversation_id"])
    assert "let me see" not in upstream.calls[1].body.decode()


async def test_a_conversation_goes_on_with_its_stored_turns(api: Api, upstream: FakeUpstream):
    first = await api.chat("one")
    await api.chat("two", conversation_id=first["conversation_id"])
    told = [(message["role"], message["content"]) for message in upstream.calls[1].json["messages"]]
    assert told == [("user", "one"), ("assistant", "one"), ("user", "two")]


async def test_history_has_only_a_turns_own_messages(api: Api):
    first = await api.chat("one")
    await api.chat("two", conversation_id=first["conversation_id"])
    items = await api.history()
    assert [item["messages"] for item in items] == [
        [{"role": "user", "content": "one"}],
        [{"role": "user", "content": "two"}],
    ]


async def test_the_context_keeps_to_its_budget_newest_first(start: Start, upstream: FakeUpstream):
    api = await start(CONTEXT_CHARS="30")
    first = await api.chat("a" * 10)
    for letter in "bc":
        await api.chat(letter * 10, conversation_id=first["conversation_id"])
    told = [message["content"] for message in upstream.calls[2].json["messages"]]
    assert told == ["b" * 10, "b" * 10, "c" * 10]


async def test_no_more_than_the_set_number_of_turns_is_remembered(start: Start, upstream: FakeUpstream):
    api = await start(CONTEXT_TURNS="1")
    first = await api.chat("a")
    await api.chat("b", conversation_id=first["conversation_id"])
    await api.chat("c", conversation_id=first["conversation_id"])
    assert [message["content"] for message in upstream.calls[2].json["messages"]] == ["b", "b", "c"]


async def test_an_unknown_conversation_and_a_strangers_are_the_same_404(api: Api):
    mine = await api.chat("one", openid="ann")
    body: dict[str, Any] = {"openid": "bob", "messages": [{"role": "user", "content": "hi"}]}
    for conversation_id in (mine["conversation_id"], "nope"):
        status, envelope = await api.post("/api/chat", {**body, "conversation_id": conversation_id})
        assert (status, envelope["data"]["type"]) == (404, "conversation_not_found")


async def test_a_context_that_is_too_long_is_tried_once_with_less_and_told(api: Api, upstream: FakeUpstream):
    first = await api.chat("one")
    upstream.answer_with(Answer.error(400, "too long", code="context_length_exceeded"), Answer.completion("short"))
    second = await api.chat("two", conversation_id=first["conversation_id"])
    assert second["reply"] == "short"
    assert second["notice"]
    assert [message["content"] for message in upstream.calls[2].json["messages"]] == ["two"]


async def test_another_dialect_of_a_failure_stays_a_failure_when_nothing_can_be_left_out(
    api: Api, upstream: FakeUpstream
):
    upstream.answer_with(Answer.error(400, "too long", code="context_length_exceeded"))
    status, envelope = await api.post("/api/chat", {"openid": "ann", "messages": [{"role": "user", "content": "hi"}]})
    assert (status, envelope["data"]["type"]) == (500, "upstream_rejected")
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("options", [{}, {"wait": 5}])
async def test_a_trace_ends_with_its_request(api: Api, upstream: FakeUpstream, options: dict[str, Any]):
    """The next request of the same connection is nobody's child."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    await api.chat(headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}, **options)
    await api.chat(**options)
    first, second = (call.headers.get("traceparent", "") for call in upstream.calls)
    assert (first[3:35], second) == (trace, "")


@pytest.mark.parametrize("options", [{}, {"wait": 5}, {"stream": True}])
async def test_nothing_of_a_chat_is_left_to_the_collector(api: Api, options: dict[str, Any]):
    """A circle in what each request makes would be a pause for all of them, now and then."""
    gc.collect()
    gc.disable()
    try:
        before = _count(RequestContext), _count(RunningTurn)
        for _ in range(3):
            await (api.stream() if "stream" in options else api.chat(**options))
        await api.get("/healthz")  # the request before is let go of by then
        assert _count(RequestContext) <= before[0] + 1
        assert _count(RunningTurn) <= before[1]
    finally:
        gc.enable()


def _count(kind: type) -> int:
    return len([one for one in gc.get_objects() if isinstance(one, kind)])
