"""The audit record: who, when, what kind, and hashes; appended to, and cut off at its old end."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

from service.domain.pace import Pace
from service.web.keys import DATABASE
from tests.fakes.upstream import Answer, FakeUpstream
from tests.web.conftest import Api, Start

WORDS, REPLY = "planted question", "planted reply"
COLUMNS = ("turn_id", "user_hash", "kind", "status", "question_hash", "answer_hash", "created_at")


async def audit(api: Api) -> list[dict[str, Any]]:
    database = api.client.server.app[DATABASE]  # type: ignore[union-attr]
    rows = await database.read("SELECT * FROM audit ORDER BY turn_id")
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_a_turn_leaves_who_when_what_kind_and_hashes(start: Start, upstream: FakeUpstream):
    api = await start(AUDIT_DAYS="30")
    upstream.answer_with(Answer.completion(REPLY))
    turn = await api.chat(WORDS, openid="oAnn-1")
    (entry,) = await audit(api)
    messages = json.dumps([{"role": "user", "content": WORDS}], separators=(",", ":"))
    assert entry["turn_id"] == turn["turn_id"]
    assert (entry["kind"], entry["status"]) == ("chat", "completed")
    assert entry["question_hash"] == sha256(messages)
    assert entry["answer_hash"] == sha256(REPLY + "[]")
    assert abs(entry["created_at"] - api.clock.now_ms()) < 60_000
    for planted in ("oAnn-1", WORDS, REPLY):
        assert planted not in str(entry)


async def test_a_user_is_the_same_hash_every_time_and_others_are_others(start: Start):
    api = await start(AUDIT_DAYS="30")
    for openid in ("ann", "ann", "bob"):
        await api.chat(openid=openid)
    first, second, third = [entry["user_hash"] for entry in await audit(api)]
    assert first == second != third


async def test_every_ending_is_recorded(start: Start, upstream: FakeUpstream):
    api = await start(AUDIT_DAYS="30")
    await api.data("/api/image", {"openid": "ann", "prompt": "a cat"})
    upstream.answer_with(Answer.error(400))
    await api.post("/api/chat", {"openid": "ann", "messages": [{"role": "user", "content": "hi"}]})
    upstream.answer_with(Answer.stream("a part", asyncio.Event()))
    running = await api.chat(wait=1)
    assert len(await audit(api)) == 2
    await api.data(f"/api/turns/{running['turn_id']}/stop", {})
    assert [(entry["kind"], entry["status"]) for entry in await audit(api)] == [
        ("image", "completed"),
        ("chat", "failed"),
        ("chat", "stopped"),
    ]


async def test_clearing_and_erasing_leave_the_hashes_and_nothing_is_written_over(start: Start):
    api = await start(AUDIT_DAYS="30")
    turn = await api.chat(WORDS, client_id="k1")
    before = await audit(api)
    await api.chat(WORDS, client_id="k1")
    await api.data(f"/api/turns/{turn['turn_id']}/stop", {})
    await api.data("/api/history/ann/clear", {})
    await api.data("/api/user/ann/erase", {})
    assert await audit(api) == before


async def test_what_is_older_than_the_days_goes_and_the_rest_stays(start: Start):
    pace = Pace(upkeep_seconds=0.02)
    api = await start(AUDIT_DAYS="30", pace=pace)
    await api.chat("old")
    api.clock.ahead_ms += 29 * 86400_000
    newer = await api.chat("newer")
    assert len(await audit(api)) == 2
    api.clock.ahead_ms += 2 * 86400_000
    left = await audit(api)
    async with asyncio.timeout(5):
        while len(left) > 1:
            await asyncio.sleep(0.01)
            left = await audit(api)
    assert [entry["turn_id"] for entry in left] == [newer["turn_id"]]


async def test_without_the_setting_nothing_is_recorded(api: Api):
    await api.chat()
    assert await audit(api) == []
