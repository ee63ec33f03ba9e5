"""/healthz and /readyz: for systemd and load balancers, without a token."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from service.app import drain
from service.domain.pace import Pace
from service.storage.database import Step
from service.web.keys import DATABASE
from tests.fakes.upstream import Answer, FakeUpstream
from tests.web.conftest import Api, Start
from tests.web.refusals import check_refusal


@pytest.mark.parametrize("auth", ["local", "open", "required"])
async def test_both_answer_everybody(start: Start, auth: str):
    api = await start(AUTH=auth)
    for path in ("/healthz", "/readyz"):
        assert (await api.get(path, headers={"X-Forwarded-For": "203.0.113.9"}))[0] == 200


async def test_readyz_tells_what_runs(api: Api, upstream: FakeUpstream):
    gate = asyncio.Event()
    upstream.answer_with(Answer.completion("late").held(gate))
    asking = asyncio.create_task(api.chat())
    await upstream.called()
    data = await api.data("/readyz")
    assert (data["status"], data["running_turns"]) == ("ready", 1)
    gate.set()
    await asking
    assert (await api.data("/readyz"))["running_turns"] == 0


async def test_a_store_that_cannot_be_written_is_not_ready_but_alive(api: Api, tmp_path: Path):
    await api.client.app[DATABASE].write(Step("PRAGMA busy_timeout = 20"))  # type: ignore[union-attr]
    with closing(sqlite3.connect(tmp_path / "data" / "service.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with api.client.get("/readyz") as response:
            await check_refusal(response, 503, "store_unavailable")
            assert int(response.headers["Retry-After"]) >= 1
        body = {"openid": "ann", "messages": [{"role": "user", "content": "hi"}]}
        async with api.client.post("/api/chat", json=body) as response:
            await check_refusal(response, 503, "store_unavailable")
        await api.data("/healthz")
        assert await api.history() == []  # readers do not wait for a writer
        other.execute("ROLLBACK")
    await api.data("/readyz")
    await api.chat()


async def test_a_service_that_stops_is_not_ready_and_takes_no_turns(start: Start, upstream: FakeUpstream):
    api = await start(pace=Pace(ping_seconds=0.05), SHUTDOWN_GRACE_SECONDS="5")
    gate = asyncio.Event()
    upstream.answer_with(Answer.completion("late").held(gate))
    asking = asyncio.create_task(api.chat())
    await upstream.called()
    draining = asyncio.create_task(drain(api.client.app))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    async with api.client.get("/readyz") as response:
        await check_refusal(response, 503, "stopping")
    body = {"openid": "bob", "messages": [{"role": "user", "content": "hi"}]}
    async with api.client.post("/api/chat", json=body) as response:
        await check_refusal(response, 503, "stopping")
        assert int(response.headers["Retry-After"]) >= 1
    await api.data("/healthz")
    gate.set()
    assert (await asking)["reply"] == "late"
    await draining
