"""A crash in the middle of turns: what was reserved is settled at the next start, what was said is kept."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from tests.fakes.upstream import Answer, FakeUpstream
from tests.web.event_reader import read_events
from tests.web.service_process import run_service

SETTINGS = {"DAILY_TURNS": "10", "DAILY_TOKENS": "100000", "DAILY_IMAGES": "10", "AUDIT_DAYS": "30"}
CHAT: dict[str, Any] = {
    "openid": "ann",
    "messages": [{"role": "user", "content": "hi"}],
    "max_tokens": 5000,
    "stream": True,
}


async def test_after_a_crash_what_was_reserved_is_settled(upstream: FakeUpstream, tmp_path: Path):
    settings = SETTINGS | {"OPENAI_BASE_URL": upstream.base_url}
    upstream.answer_with(Answer.stream("x" * 400, asyncio.Event()), Answer.stall())
    async with run_service(tmp_path, **settings) as service, ClientSession(service.url) as client:
        stream = await client.post("/api/chat", json=CHAT)
        events = read_events(stream)
        turn_id = (await anext(events)).data["turn_id"]
        await anext(events)
        drawing = asyncio.create_task(client.post("/api/image", json={"openid": "ann", "prompt": "a cat", "n": 3}))
        await upstream.called(2)
        assert (await used(client)) == {"turns": 2, "tokens": 5008, "images": 3}
        await until_stored(client, turn_id)
        await service.crash()
        await asyncio.gather(drawing, return_exceptions=True)
    async with run_service(tmp_path, **settings) as service, ClientSession(service.url) as client:
        after = await used(client)
        assert (after["turns"], after["images"]) == (2, 0)
        assert 100 <= after["tokens"] < 130
        history = (await data_of(client, "/api/history/ann"))["history"]
        assert [(turn["status"], turn["finish_reason"]) for turn in history] == [("interrupted", "interrupted")] * 2
        assert history[0]["reply"] == "x" * 400
    with closing(sqlite3.connect(tmp_path / "data" / "service.db")) as database:
        audited = database.execute("SELECT turn_id, status FROM audit ORDER BY turn_id").fetchall()
    assert audited == [(turn["turn_id"], "interrupted") for turn in history]


async def data_of(client: ClientSession, path: str) -> Any:
    async with client.get(path) as response:
        return (await response.json())["data"]


async def used(client: ClientSession) -> Any:
    return (await data_of(client, "/api/user/ann"))["usage"]["today"]


async def until_stored(client: ClientSession, turn_id: str) -> None:
    """What a running turn has said is stored once a second."""
    async with asyncio.timeout(5):
        while True:
            history = (await data_of(client, "/api/history/ann"))["history"]
            if any(turn["turn_id"] == turn_id and turn["reply"] for turn in history):
                return
            await asyncio.sleep(0.05)
