"""Sessions: how refresh tokens rotate, and what ends a family of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.web.conftest import SECRET, Api, Start
from tests.web.ownership import bearer


@pytest.fixture
async def required(start: Start) -> Api:
    return await start(AUTH="required")


async def log_in(start: Start, openid: str = "ann", **settings: str) -> tuple[Api, Any]:
    """A session, taken where nobody is asked for one; then the service again, asking."""
    session = await (await start(AUTH="open", **settings)).data("/api/token/refresh", {"openid": openid})
    return await start(AUTH="required", **settings), session


async def status_with(api: Api, token: str, openid: str = "ann") -> int:
    return (await api.get(f"/api/history/{openid}", headers=bearer(token)))[0]


async def refresh(api: Api, token: str) -> tuple[int, dict[str, Any]]:
    return await api.post("/api/token/refresh", {"refreshToken": token})


async def test_a_refresh_gives_a_new_pair_by_body_or_header(start: Start):
    api, session = await log_in(start)
    status, envelope = await refresh(api, session["refreshToken"])
    again = envelope["data"]
    assert (status, set(again), again["expires_in"]) == (200, {"token", "refreshToken", "expires_in"}, 7200)
    assert again["refreshToken"] != session["refreshToken"]
    assert await status_with(api, again["token"]) == 200
    status, envelope = await api.post("/api/token/refresh", headers={"refreshToken": again["refreshToken"]})
    assert status == 200
    assert await status_with(api, envelope["data"]["token"]) == 200


async def test_parallel_refreshes_within_the_grace_all_succeed(start: Start):
    api, session = await log_in(start)
    answers = await asyncio.gather(*(refresh(api, session["refreshToken"]) for _ in range(10)))
    assert {status for status, _ in answers} == {200}
    api.clock.ahead_ms += 29_000
    assert (await refresh(api, session["refreshToken"]))[0] == 200


async def test_a_replay_after_the_grace_ends_the_whole_family(start: Start):
    api, session = await log_in(start)
    other = (await log_in(start))[1]
    newest = (await refresh(api := await start(AUTH="required"), session["refreshToken"]))[1]["data"]["refreshToken"]
    api.clock.ahead_ms += 31_000
    for token in (session["refreshToken"], newest, session["refreshToken"]):
        status, envelope = await refresh(api, token)
        assert (status, envelope["data"]["type"]) == (403, "refresh_refused")
    assert (await refresh(api, other["refreshToken"]))[0] == 200


@pytest.mark.parametrize("attempt", range(5))
async def test_no_refresh_beside_a_replay_outlives_the_family(start: Start, attempt: int):
    api, session = await log_in(start)
    newest = (await refresh(api, session["refreshToken"]))[1]["data"]["refreshToken"]
    api.clock.ahead_ms += 31_000
    tokens = [session["refreshToken"], newest, newest, newest]
    answers = await asyncio.gather(*(refresh(api, token) for token in tokens))
    for status, envelope in answers:
        if status == 200:
            assert (await refresh(api, envelope["data"]["refreshToken"]))[0] == 403


async def test_a_refresh_token_ends_after_thirty_days(start: Start):
    api, session = await log_in(start)
    api.clock.ahead_ms += 30 * 86400_000 + 1
    assert (await refresh(api, session["refreshToken"]))[0] == 403


@pytest.mark.parametrize("token", ["x", "", "x" * 200, None])
async def test_what_is_refused_is_never_a_401(required: Api, token: str | None):
    for headers in ({}, bearer("stale"), {"token": "stale"}):
        status, envelope = await required.post("/api/token/refresh", {"refreshToken": token}, headers=headers)
        assert (status, envelope["code"], envelope["data"]["type"]) == (403, 403, "refresh_refused")
    assert (await required.post("/api/token/refresh", headers={"refreshToken": "\u00ff"}))[0] == 403


@pytest.mark.parametrize("mode", ["local", "open"])
async def test_a_bare_refresh_works_where_nobody_is_asked(start: Start, mode: str):
    api = await start(AUTH=mode)
    async with api.client.post("/api/token/refresh") as response:
        guest = (await response.json())["data"]
    named = await api.data("/api/token/refresh", {"openid": "ann"})
    subjects = [jwt.decode(given["token"], SECRET, algorithms=["HS256"])["sub"] for given in (guest, named)]
    assert subjects[0].startswith("guest_")
    assert subjects[1] == "ann"
    assert (await refresh(api, named["refreshToken"]))[0] == 200


async def test_a_database_that_is_read_gives_no_session(start: Start, tmp_path: Path):
    _, session = await log_in(start)
    await start()
    everything = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("service.db*"))
    assert b"refresh_tokens" in everything
    assert session["refreshToken"].encode() not in everything
    assert session["token"].encode() not in everything
