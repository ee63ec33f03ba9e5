"""Daily quotas: taken before the upstream is asked, settled after it, and never overrun."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from service.domain.pace import Pace
from tests.fakes.upstream import Answer, FakeUpstream, completion_body
from tests.web.conftest import Api, Start
from tests.web.event_reader import read_events

MANY = {"MAX_TURNS_PER_USER": "1000", "RATE_LIMIT": "0", "IP_RATE_LIMIT": "0"}
CHAT: dict[str, Any] = {"openid": "ann", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 100}
IMAGE: dict[str, Any] = {"openid": "ann", "prompt": "a cat", "n": 3}
NOTHING = {"turns": 0, "tokens": 0, "images": 0}


async def used_today(api: Api) -> dict[str, int]:
    return dict((await api.data("/api/user/ann"))["usage"]["today"])


async def kind_of(api: Api, path: str, body: dict[str, Any]) -> str:
    """`ok`, or the type of the failure."""
    async with api.client.post(path, json=body) as response:
        envelope = await response.json()
        if response.status == 429:
            assert 0 < int(response.headers["Retry-After"]) <= 86_401
            assert envelope["data"]["retry_after_seconds"] == int(response.headers["Retry-After"])
        return str(envelope["data"].get("type", "ok"))


@pytest.mark.parametrize("seen", ["never", "today", "yesterday"])
@pytest.mark.parametrize(
    ("quota", "path", "body", "fits"),
    [
        ({"DAILY_TURNS": "10"}, "/api/chat", CHAT, 10),
        ({"DAILY_TOKENS": "1000"}, "/api/chat", CHAT, 9),
        ({"DAILY_IMAGES": "10"}, "/api/image", IMAGE, 3),
        ({"DAILY_TOKENS": "99"}, "/api/chat", CHAT, 0),
        ({"DAILY_IMAGES": "2"}, "/api/image", IMAGE, 0),
    ],
    ids=str,
)
async def test_a_hundred_at_once_do_not_overrun_a_quota(
    start: Start, upstream: FakeUpstream, seen: str, quota: dict[str, str], path: str, body: dict[str, Any], fits: int
):
    api = await start(**MANY, **quota)
    if seen != "never":
        upstream.answer_with(Answer.error(400))
        await api.post("/api/chat", CHAT | {"max_tokens": 1})
    if seen == "yesterday":
        api.clock.ahead_ms += 86400_000
    before, gate = len(upstream.calls), asyncio.Event()
    upstream.answer_always(Answer.stall(gate))
    asking = [asyncio.create_task(kind_of(api, path, body)) for _ in range(100)]
    refused = asyncio.as_completed(asking, timeout=5)
    assert Counter([await next(refused) for _ in range(100 - fits)]) == {"quota_exceeded": 100 - fits}
    if fits:
        await upstream.called(before + fits)
    assert len(upstream.calls) == before + fits
    assert (await used_today(api))["turns"] == fits
    gate.set()
    await asyncio.gather(*asking)


@pytest.mark.parametrize(
    "answer",
    [Answer.error(400), Answer.error(401), Answer.html(200), Answer.json({"choices": []}), Answer.raw(b"{")],
    ids=["bad request", "key refused", "page", "nothing", "cut"],
)
async def test_what_fails_is_given_back(start: Start, upstream: FakeUpstream, answer: Answer):
    api = await start(DAILY_TURNS="1", DAILY_TOKENS="1000", DAILY_IMAGES="3")
    upstream.answer_always(answer)
    assert (await kind_of(api, "/api/chat", CHAT)).startswith("upstream_")
    assert (await kind_of(api, "/api/image", IMAGE)) != "ok"
    assert await used_today(api) == NOTHING


async def test_what_was_used_takes_the_place_of_what_was_reserved(start: Start):
    api = await start(DAILY_TOKENS="1000", DAILY_IMAGES="10")
    assert await kind_of(api, "/api/chat", CHAT | {"max_tokens": 900}) == "ok"
    assert await used_today(api) == {"turns": 1, "tokens": 12, "images": 0}
    assert await kind_of(api, "/api/image", IMAGE) == "ok"
    assert await used_today(api) == {"turns": 2, "tokens": 12, "images": 3}


async def test_pictures_that_did_not_come_are_given_back(start: Start, upstream: FakeUpstream):
    api = await start(DAILY_IMAGES="3")
    upstream.answer_with(Answer.error(400), *[Answer.error(400)] * 2)
    assert await kind_of(api, "/api/image", IMAGE) == "ok"
    assert (await used_today(api))["images"] == 1
    assert await kind_of(api, "/api/image", IMAGE) == "quota_exceeded"


@pytest.mark.parametrize("ending", ["stop", "abandon", "cut"])
async def test_what_was_generated_is_billed_however_it_ended(start: Start, upstream: FakeUpstream, ending: str):
    abandon = {"ABANDON_AFTER_SECONDS": "0.1"} if ending == "abandon" else {}
    api = await start(DAILY_TOKENS="1000", pace=Pace(checkpoint_seconds=0.05), **abandon)
    gate = asyncio.Event()
    upstream.answer_with(Answer.stream("x" * 400, gate, finish_reason=None, done=False).cut_after())
    async with api.open_stream("hi") as response:
        events = read_events(response)
        turn_id = (await anext(events)).data["turn_id"]
        await anext(events)
        if ending == "stop":
            await api.data(f"/api/turns/{turn_id}/stop", {})
        elif ending == "abandon":
            response.close()
            await upstream.hung_up()
        else:
            gate.set()
    turn = await api.data(f"/api/turns/{turn_id}?wait=5")
    assert turn["status"] == ("failed" if ending == "cut" else "stopped")
    used = await used_today(api)
    assert (used["turns"], 100 <= used["tokens"] < 130) == (1, True)


async def test_an_answer_that_is_replayed_is_not_counted_again(start: Start):
    api = await start(DAILY_TURNS="1")
    for _ in range(3):
        assert await kind_of(api, "/api/chat", CHAT | {"client_id": "k1"}) == "ok"
    assert (await used_today(api))["turns"] == 1
    assert await kind_of(api, "/api/chat", CHAT) == "quota_exceeded"


async def test_clearing_the_history_gives_nothing_back(start: Start):
    api = await start(DAILY_TURNS="1")
    assert await kind_of(api, "/api/chat", CHAT) == "ok"
    assert (await api.data("/api/history/ann/clear", {}))["deleted"] == 1
    assert await kind_of(api, "/api/chat", CHAT) == "quota_exceeded"


async def test_a_quota_is_one_users_and_one_days(start: Start):
    api = await start(DAILY_TURNS="1", DAILY_TOKENS="5000")
    assert await kind_of(api, "/api/chat", CHAT) == "ok"
    assert await kind_of(api, "/api/chat", CHAT) == "quota_exceeded"
    assert await kind_of(api, "/api/chat", CHAT | {"openid": "bob"}) == "ok"
    user = await api.data("/api/user/ann")
    assert user["quota"] == {"turns": 1, "tokens": 5000, "images": 0}
    api.clock.ahead_ms += 86400_000
    assert await used_today(api) == NOTHING
    assert (await api.data("/api/user/ann"))["usage"]["total"]["turns"] == 1
    assert await kind_of(api, "/api/chat", CHAT) == "ok"


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_reply_that_is_taken_back_is_billed_all_the_same(
    start: Start, upstream: FakeUpstream, tmp_path: Path, streamed: bool
):
    (tmp_path / "words").write_text("forbidden")
    api = await start(DAILY_TOKENS="1000", CONTENT_CHECK="words", CONTENT_WORDS_FILE=f"{tmp_path}/words")
    usage = {"prompt_tokens": 5, "completion_tokens": 500, "total_tokens": 505}
    answer = completion_body("x" * 800 + " forbidden") | {"usage": usage}
    upstream.answer_with(Answer.stream("x" * 800, " forbidden", asyncio.Event()) if streamed else Answer.json(answer))
    done = (await api.stream())[-1].data if streamed else await api.chat()
    assert (done["finish_reason"], done["reply"]) == ("content_filter", "")
    used = (await used_today(api))["tokens"]
    assert 200 <= used < 230 if streamed else used == 505
