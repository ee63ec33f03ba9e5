"""Content safety as clients meet it: refused questions, replies that are held back, taken back, replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.upstream import Answer, FakeUpstream
from tests.fakes.wechat import CHECK, FakeWeChat
from tests.fakes.wechat_scripts import refuses, says, writes
from tests.web.conftest import Api, Start
from tests.web.event_reader import joined, read_events

BAD = "forbidden"
CHAT: dict[str, Any] = {"openid": "ann", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
async def wechat() -> AsyncIterator[FakeWeChat]:
    async with FakeWeChat(risky={BAD}, review={"dubious"}) as fake:
        yield fake


@pytest.fixture(params=["words", "wechat"])
def check(request: pytest.FixtureRequest, wechat: FakeWeChat, tmp_path: Path) -> dict[str, str]:
    """The settings of either check."""
    (tmp_path / "words.txt").write_text(f"# a comment\n{BAD}\n")
    words = {"CONTENT_CHECK": "words", "CONTENT_WORDS_FILE": f"{tmp_path}/words.txt"}
    return words if request.param == "words" else {"CONTENT_CHECK": "wechat", **wechat.variables}


async def stored_text(api: Api) -> str:
    return str(await api.history())


async def test_a_question_that_does_not_pass_is_a_400_and_asks_nobody(
    start: Start, upstream: FakeUpstream, check: dict[str, str]
):
    api = await start(DAILY_TURNS="1", **check)
    for path, body, field in (
        ("/api/chat", {**CHAT, "messages": [{"role": "user", "content": f"so {BAD} a word"}]}, "messages"),
        ("/api/image", {"openid": "ann", "prompt": f"a {BAD} cat"}, "prompt"),
    ):
        status, envelope = await api.post(path, body)
        assert (status, envelope["data"]["type"], envelope["data"]["field"]) == (400, "content_refused", field)
    assert upstream.calls == []
    assert (await api.data("/api/user/ann"))["usage"]["today"]["turns"] == 0


async def test_any_message_of_any_role_is_looked_at(start: Start, upstream: FakeUpstream, check: dict[str, str]):
    api = await start(**check)
    for bad in (
        {"role": "assistant", "content": BAD},
        {"role": "system", "content": BAD},
        {"role": "user", "content": [{"type": "text", "text": "for"}, {"type": "text", "text": BAD}]},
    ):
        status, _ = await api.post("/api/chat", {**CHAT, "messages": [bad, {"role": "user", "content": "hi"}]})
        assert status == 400
    assert upstream.calls == []


async def test_a_refused_question_is_no_context_of_later_ones(
    start: Start, upstream: FakeUpstream, check: dict[str, str]
):
    api = await start(**check)
    first = await api.chat("fine")
    more = {"conversation_id": first["conversation_id"]}
    assert (await api.post("/api/chat", {**CHAT, **more, "messages": [{"role": "user", "content": BAD}]}))[0] == 400
    await api.chat("also fine", **more)
    assert BAD not in str(upstream.calls[-1].json)


async def test_a_reply_that_does_not_pass_is_not_told(start: Start, upstream: FakeUpstream, check: dict[str, str]):
    api = await start(**check)
    upstream.answer_with(Answer.completion(f"well, {BAD} it is", reasoning_content="hm"))
    data = await api.chat()
    assert (data["status"], data["finish_reason"], data["reply"]) == ("completed", "content_filter", "")
    assert data["notice"]
    assert "reasoning" not in data
    for text in (str(data), await stored_text(api), str(await api.data(f"/api/turns/{data['turn_id']}"))):
        assert BAD not in text
        assert "well" not in text


@pytest.mark.parametrize("field", ["content", "reasoning_content"])
async def test_a_stream_that_does_not_pass_is_taken_back(
    start: Start, upstream: FakeUpstream, check: dict[str, str], field: str
):
    api = await start(**check)
    gate = asyncio.Event()
    bad = [{field: part} for part in ("for", "bid", "den")]
    upstream.answer_with(Answer.stream("fine " * 200, gate, *bad, "the rest"))
    async with api.open_stream() as response:
        coming = read_events(response)
        events = [await anext(coming), await anext(coming)]
        gate.set()
        events += [event async for event in coming]
    assert [event.name for event in events][-2:] == ["recall", "done"]
    assert joined(events).startswith("fine fine")
    assert events[-2].data == {"reason": "content_filter"}
    assert (events[-1].data["finish_reason"], events[-1].data["reply"]) == ("content_filter", "")
    assert "for" not in joined(events)
    assert "for" not in joined(events, "reasoning")
    told = str([event.envelope for event in events])
    assert BAD not in told
    assert "the rest" not in told
    assert "fine" not in await stored_text(api)


async def test_what_might_become_a_bad_word_is_held_back(start: Start, upstream: FakeUpstream, check: dict[str, str]):
    api = await start(**check)
    gate = asyncio.Event()
    upstream.answer_with(Answer.stream("x" * 250 + BAD[:5], gate, " but not this time"))
    async with api.open_stream() as response:
        events = read_events(response)
        shown = [await anext(events), await anext(events)]
        assert BAD[0] not in joined(shown)
        gate.set()
        shown += [event async for event in events]
    assert joined(shown) == "x" * 250 + BAD[:5] + " but not this time" == shown[-1].data["reply"]


async def test_who_was_shown_nothing_has_nothing_to_take_back(
    start: Start, upstream: FakeUpstream, check: dict[str, str]
):
    api = await start(**check)
    upstream.answer_with(Answer.stream(BAD))
    assert [event.name for event in await api.stream()] == ["start", "done"]


@pytest.mark.parametrize("after", ["0-0", "5-0", "1000-0", "99999-99999"])
async def test_one_who_resumes_is_told_to_take_back_what_it_shows(
    start: Start, upstream: FakeUpstream, check: dict[str, str], after: str
):
    api = await start(**check)
    upstream.answer_with(Answer.stream("fine " * 200, BAD))
    turn_id = (await api.stream())[0].data["turn_id"]
    for _ in range(2):
        events = await api.resume(turn_id, after)
        expected = ["start", "done"] if after == "0-0" else ["start", "recall", "done"]
        assert [event.name for event in events] == expected
        assert events[-1].data["finish_reason"] == "content_filter"
        api = await start(**check)


async def test_a_reply_that_passes_comes_whole(start: Start, upstream: FakeUpstream, check: dict[str, str]):
    api = await start(**check)
    text = "".join(f"{number} \u4f60\u597d \U0001f600 " for number in range(1500))
    upstream.answer_with(Answer.stream(*[text[at : at + 37] for at in range(0, len(text), 37)]))
    events = await api.stream()
    assert joined(events) == events[-1].data["reply"] == text
    upstream.answer_with(Answer.completion(text))
    assert (await api.chat())["reply"] == text


async def test_what_a_person_should_look_at_does_not_pass(start: Start, wechat: FakeWeChat):
    api = await start(CONTENT_CHECK="wechat", **wechat.variables)
    assert (await api.post("/api/chat", {**CHAT, "messages": [{"role": "user", "content": "dubious"}]}))[0] == 400


async def test_long_texts_are_asked_about_in_windows_with_the_users_openid(start: Start, wechat: FakeWeChat):
    api = await start(CONTENT_CHECK="wechat", **wechat.variables)
    assert (await api.chat("y" * 6000))["status"] == "completed"
    asked = [asked.body for asked in wechat.asked_for(CHECK)]
    assert max(len(body["content"]) for body in asked) <= 2500
    assert {(body["openid"], body["version"]) for body in asked} == {("ann", 2)}
    wechat.refuse_token()
    assert (await api.chat("once more"))["status"] == "completed"


@pytest.mark.parametrize("failure", [refuses(45009), refuses(61010), writes(b"<html>", status=502)])
async def test_without_a_verdict_the_setting_decides(
    start: Start, wechat: FakeWeChat, upstream: FakeUpstream, failure: Any
):
    api = await start(CONTENT_CHECK="wechat", CONTENT_CHECK_FAIL="closed", **wechat.variables)
    wechat.next(CHECK, failure)
    status, envelope = await api.post("/api/chat", CHAT)
    assert (status, envelope["data"]["type"]) == (500, "content_check_unavailable")
    assert upstream.calls == []
    api = await start(CONTENT_CHECK="wechat", CONTENT_CHECK_FAIL="open", **wechat.variables)
    wechat.next(CHECK, failure)
    assert (await api.chat())["reply"] == "hi"


async def test_a_stream_without_a_verdict_shows_nothing_unchecked(
    start: Start, wechat: FakeWeChat, upstream: FakeUpstream
):
    api = await start(CONTENT_CHECK="wechat", **wechat.variables)
    upstream.answer_with(Answer.stream("x" * 300, "y" * 5000))
    passed = says({"errcode": 0, "result": {"suggest": "pass"}})
    wechat.next(CHECK, passed, passed, refuses(45009))
    events = await api.stream()
    assert (events[-1].name, events[-1].data["type"]) == ("error", "content_check_unavailable")
    assert "y" not in joined(events)
    assert "y" * 300 not in await stored_text(api)
