"""The database as a real process meets it: in use, broken, closed to writing, full, and after a kill."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession

from service.storage.migrations import migrate
from tests.fakes.upstream import Answer, FakeUpstream
from tests.run_process import refusal, running
from tests.web.event_reader import read_events

FULL_BYTES = 400_000
OPEN = {"OPENAI_API_KEY": "sk-test", "RATE_LIMIT": "0", "IP_RATE_LIMIT": "0"}


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as fake:
        yield fake


async def chat(client: ClientSession, text: str, openid: str = "ann") -> tuple[int, dict[str, Any]]:
    body = {"openid": openid, "messages": [{"role": "user", "content": text}]}
    async with client.post("/api/chat", json=body) as response:
        return response.status, await response.json()


async def history(client: ClientSession, openid: str = "ann") -> dict[str, Any]:
    """All of a user's turns by their id."""
    found: dict[str, Any] = {}
    query = {"limit": "100"}
    while True:
        async with client.get(f"/api/history/{openid}", params=query) as response:
            data = (await response.json())["data"]
        found |= {item["turn_id"]: item for item in data["history"]}
        if data["next"] is None:
            return found
        query["before"] = data["next"]


async def test_a_second_process_on_one_database_is_refused_until_the_first_is_gone(tmp_path: Path):
    async with running(tmp_path, "--demo") as service:
        sentence = await refusal(tmp_path, "--demo")
        assert "data/service.db" in sentence
        assert "Another process" in sentence
        async with ClientSession(service.url) as client, client.get("/readyz") as response:
            assert response.status == 200  # the first is none the worse for it
        await service.crash()
        async with running(tmp_path, "--demo"):
            pass


def make_garbage(path: Path) -> None:
    path.write_bytes(os.urandom(50_000))


def make_foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE turns (a)")


def make_newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE schema_migrations (version BIGINT, name TEXT, applied_at BIGINT)")
        connection.execute("INSERT INTO schema_migrations VALUES (9999, 'future', 1)")


def make_read_only(path: Path) -> None:
    """Even for root: the header says that only a newer SQLite may write it (https://www.sqlite.org/fileformat.html)."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection, 1)
    with path.open("r+b") as file:
        file.seek(18)
        file.write(b"\3")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (make_garbage, "not a database"),
        (make_foreign, "already exists"),
        (make_newer, "newer version"),
        (make_read_only, "readonly"),
        (Path.mkdir, "unable to open"),
    ],
)
async def test_a_database_that_cannot_be_used_is_told_and_left_as_it_is(tmp_path: Path, spoil: Any, told: str):
    path = tmp_path / "data" / "service.db"
    path.parent.mkdir()
    spoil(path)
    before = content(path)
    assert told in await refusal(tmp_path, "--demo")
    assert content(path) == before


def content(path: Path) -> object:
    """The tables where there are some, else the bytes."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
    except sqlite3.Error:
        return path.read_bytes() if path.is_file() else None


async def test_a_database_that_is_closed_to_us_is_told(tmp_path: Path):
    (tmp_path / "data").touch()
    assert "DATABASE_URL" in await refusal(tmp_path, "--demo", AUTH_SECRET="x" * 40)


async def test_a_full_disk_is_a_503_and_nothing_acknowledged_is_lost(tmp_path: Path, upstream: FakeUpstream):
    settings = {**OPEN, "OPENAI_BASE_URL": upstream.base_url}
    acknowledged: dict[str, str] = {}
    async with running(tmp_path, largest_file_bytes=FULL_BYTES, **settings) as service:
        async with ClientSession(service.url) as client:
            for number in range(500):
                status, envelope = await chat(client, f"question {number} " + "x" * 2000)
                if status != 200:
                    break
                acknowledged[envelope["data"]["turn_id"]] = envelope["data"]["reply"]
            assert (status, envelope["data"]["type"]) == (503, "store_unavailable")
            assert envelope["data"]["retry_after_seconds"] >= 1
            async with client.get("/healthz") as response:
                assert response.status == 200
        assert "store could not be written" in await service.crash()
    assert len(acknowledged) > 5
    async with running(tmp_path, **settings) as service, ClientSession(service.url) as client:
        found = await history(client)
        assert {turn_id: found[turn_id]["reply"] for turn_id in acknowledged} == acknowledged
        assert (await chat(client, "and on"))[0] == 200


async def test_a_kill_under_load_loses_nothing_acknowledged_and_what_was_said(tmp_path: Path, upstream: FakeUpstream):
    settings = {**OPEN, "OPENAI_BASE_URL": upstream.base_url}
    upstream.answer_with(Answer.stream("half ", "of it", asyncio.Event()))
    acknowledged: list[tuple[str, str, str]] = []

    async def ask_on(client: ClientSession, openid: str) -> None:
        for number in range(10_000):
            try:
                status, envelope = await chat(client, f"{openid} {number}", openid)
            except ClientError:
                return
            assert status == 200
            acknowledged.append((openid, envelope["data"]["turn_id"], envelope["data"]["reply"]))

    async with running(tmp_path, **settings) as service, ClientSession(service.url) as client:
        body = {"openid": "ann", "messages": [{"role": "user", "content": "hi"}], "stream": True}
        stream = await client.post("/api/chat", json=body)
        turn_id = (await anext(read_events(stream))).data["turn_id"]
        async with asyncio.timeout(5):
            while (await history(client))[turn_id]["reply"] != "half of it":
                await asyncio.sleep(0.05)
        asking = [asyncio.create_task(ask_on(client, f"user{number}")) for number in range(8)]
        async with asyncio.timeout(20):
            while len(acknowledged) < 300:
                await asyncio.sleep(0.01)
        await service.crash()
        await asyncio.gather(*asking)
    async with running(tmp_path, **settings) as service, ClientSession(service.url) as client:
        cut = (await history(client))[turn_id]
        assert (cut["status"], cut["finish_reason"], cut["reply"]) == ("interrupted", "interrupted", "half of it")
        for openid in {openid for openid, _, _ in acknowledged}:
            found = await history(client, openid)
            for turn_id, reply in [(turn_id, reply) for user, turn_id, reply in acknowledged if user == openid]:
                assert (found[turn_id]["status"], found[turn_id]["reply"]) == ("completed", reply)
            assert {item["status"] for item in found.values()} <= {"completed", "interrupted"}
        assert "kept as interrupted" in service.said
