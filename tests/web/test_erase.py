"""Erasing a user: no row that names it and no file of its own is left, whatever was going on."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

from aiohttp import FormData

from service.web.keys import DATABASE
from tests.fakes.pictures import png
from tests.fakes.upstream import Answer, FakeUpstream
from tests.web.conftest import Api, Start

ANN, BOB = "oAnn-planted", "oBob-planted"
WORDS = "planted words"


async def traces(api: Api, *planted: str) -> list[tuple[str, str]]:
    """The tables and the values, of all that are there, in which one of the texts is."""
    database = api.client.server.app[DATABASE]  # type: ignore[union-attr]
    tables = [name for (name,) in await database.read("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert {"turns", "users", "refresh_tokens", "files", "audit"} <= set(tables)
    found = []
    for table in tables:
        for row in await database.read(f"SELECT * FROM {table}"):  # noqa: S608 - its own tables
            found += [(table, str(value)) for value in row if any(text in str(value) for text in planted)]
    return found


def files(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "data" / "files").rglob("*") if path.is_file()}


async def live(api: Api, openid: str, seed: int, words: str = WORDS) -> None:
    """Leave something in every table and in the folder."""
    picture = base64.b64encode(png(seed=seed)).decode()
    parts = [
        {"type": "text", "text": words},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
    ]
    ask = {"openid": openid, "messages": [{"role": "user", "content": parts}], "client_id": f"{openid}-key"}
    await api.data("/api/chat", ask)
    await api.data("/api/image", {"openid": openid, "prompt": words})
    await api.data(f"/api/user/{openid}", {"nickname": f"{words} too", "email": f"{openid}@example.com"})
    await api.data("/api/token/refresh", {"openid": openid})
    form = FormData({"openid": openid})
    form.add_field("file", png(seed=seed + 1), filename="a.png")
    async with api.client.post("/api/files", data=form) as response:
        assert response.status == 200


async def test_erase_leaves_no_row_and_no_file(start: Start, tmp_path: Path):
    api = await start(AUDIT_DAYS="30", DAILY_TURNS="100")
    await live(api, ANN, seed=1)
    assert {table for table, _ in await traces(api, ANN, WORDS)} == {"turns", "users", "refresh_tokens", "files"}
    assert len(files(tmp_path)) == 3
    assert (await api.data(f"/api/user/{ANN}/erase", {}))["deleted"] > 0
    assert await traces(api, ANN, WORDS) == []
    assert files(tmp_path) == set()
    user = await api.data(f"/api/user/{ANN}")
    assert (user["nickname"], user["created_at"]) == ("", None)
    assert await api.history(ANN) == []


async def test_erase_takes_nothing_of_others_not_even_a_file_that_is_the_same(start: Start, tmp_path: Path):
    api = await start()
    await live(api, BOB, seed=1, words="words of bob")
    before, kept = await traces(api, BOB), files(tmp_path)
    await live(api, ANN, seed=1)
    await api.data(f"/api/user/{ANN}/erase", {})
    assert await traces(api, ANN, WORDS) == []
    assert await traces(api, BOB) == before
    assert files(tmp_path) == kept


async def test_erase_does_not_fail_of_a_turn_that_is_just_being_refused(start: Start):
    api = await start(DAILY_TURNS="1")
    for _ in range(10):
        await api.chat(openid=ANN)
        refused = api.post("/api/chat", {"openid": ANN, "messages": [{"role": "user", "content": "hi"}]})
        (status, _), (erased, _) = await asyncio.gather(refused, api.post(f"/api/user/{ANN}/erase"))
        assert (status, erased) in ((429, 200), (200, 200))
        await api.post(f"/api/user/{ANN}/erase")


async def test_erase_ends_what_is_running(start: Start, upstream: FakeUpstream, tmp_path: Path):
    api = await start()
    upstream.answer_with(Answer.stream("planted part", asyncio.Event()), Answer.stall())
    reading = asyncio.create_task(api.stream(WORDS, openid=ANN))
    drawing = asyncio.create_task(api.post("/api/image", {"openid": ANN, "prompt": WORDS}))
    await upstream.called(2)
    await api.data(f"/api/user/{ANN}/erase", {})
    await upstream.hung_up(2)
    assert (await reading)[-1].name == "done"
    await drawing
    assert await traces(api, ANN, "planted") == []
    assert files(tmp_path) == set()


async def test_a_session_of_the_erased_is_not_gone_on_with(start: Start):
    api = await start()
    session: dict[str, Any] = await api.data("/api/token/refresh", {"openid": ANN})
    await api.data(f"/api/user/{ANN}/erase", {})
    assert (await api.post("/api/token/refresh", {"refreshToken": session["refreshToken"]}))[0] == 403


async def test_erasing_again_or_one_who_never_was_does_no_harm(api: Api):
    await api.chat(openid=ANN)
    first, again = [await api.data(f"/api/user/{openid}/erase", {}) for openid in (ANN, ANN)]
    assert first["deleted"] > 0
    assert again == await api.data("/api/user/nobody/erase", {}) == {"deleted": 0}
    assert (await api.chat(openid=ANN))["status"] == "completed"


async def test_what_was_erased_is_not_in_the_file_either(start: Start, tmp_path: Path):
    api = await start()
    await api.chat(WORDS * 500, openid=ANN)
    await live(api, ANN, seed=1)
    api = await start()
    await api.data(f"/api/user/{ANN}/erase", {})
    await api.client.close()
    left = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("service.db*"))
    assert b"refresh_tokens" in left
    assert WORDS.encode() not in left
    assert ANN.encode() not in left
