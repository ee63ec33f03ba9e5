"""A user's profile within its bounds, and clearing the history."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.web.keys import DATABASE
from tests.fakes.upstream import Answer, FakeUpstream
from tests.web.conftest import Api

EMPTY = {"turns": 0, "tokens": 0, "images": 0}


async def test_who_is_not_known_has_an_empty_profile_and_is_not_made_by_asking(api: Api):
    assert await api.data("/api/user/ann") == {
        "openid": "ann",
        "nickname": "",
        "avatar": "",
        "email": "",
        "created_at": None,
        "last_seen_at": None,
        "usage": {"today": EMPTY, "total": EMPTY},
        "quota": EMPTY,
    }
    database = api.client.server.app[DATABASE]  # type: ignore[union-attr]
    assert await database.read("SELECT * FROM users") == []


async def test_what_is_left_out_or_null_stays_and_an_empty_text_clears(api: Api):
    whole = {"nickname": "\u5b89 \U0001f600", "avatar": "https://example.com/a.png", "email": "ann@example.com"}
    first = await api.data("/api/user/ann", whole)
    assert {name: first[name] for name in whole} == whole
    changed = await api.data("/api/user/ann", {"nickname": "Ann", "avatar": None})
    assert (changed["nickname"], changed["avatar"], changed["email"]) == ("Ann", whole["avatar"], whole["email"])
    cleared = await api.data("/api/user/ann", {"avatar": "", "email": "", "openid": "bob", "created_at": 7})
    assert (cleared["openid"], cleared["avatar"], cleared["email"]) == ("ann", "", "")
    assert cleared["created_at"] == first["created_at"] <= cleared["last_seen_at"]
    assert await api.data("/api/user/ann") == cleared


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("nickname", "x" * 65),
        ("nickname", 7),
        ("nickname", ["Ann"]),
        ("avatar", "http://example.com/a.png"),
        ("avatar", "javascript:alert(1)"),
        ("avatar", "https://example.com/a b"),
        ("avatar", "https://example.com/" + "x" * 2048),
        ("email", "ann"),
        ("email", "ann@example"),
        ("email", "a b@example.com"),
        ("email", "ann@example.com\nbcc: bob@example.com"),
        ("email", "x" * 250 + "@b.cd"),
    ],
)
async def test_a_profile_has_its_bounds(api: Api, field: str, value: Any):
    status, envelope = await api.post("/api/user/ann", {field: value})
    assert (status, envelope["data"].get("field")) == (400, field)
    assert (await api.data("/api/user/ann"))["created_at"] is None


async def test_clear_takes_one_conversation_or_all_of_the_users_and_no_others(api: Api):
    first, _, third = [await api.chat(str(number)) for number in range(3)]
    await api.chat("mine", openid="bob")
    asked = {"conversation_id": first["conversation_id"]}
    assert await api.data("/api/history/ann/clear", asked) == {"deleted": 1}
    assert [turn["reply"] for turn in await api.history()] == ["1", "2"]
    assert await api.data("/api/history/bob/clear", {"conversation_id": third["conversation_id"]}) == {"deleted": 0}
    assert await api.data("/api/history/ann/clear", {}) == {"deleted": 2}
    assert await api.data("/api/history/ann/clear", {}) == {"deleted": 0}
    assert await api.history() == []
    assert len(await api.history("bob")) == 1


async def test_clear_ends_what_is_running(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.stream("a part", asyncio.Event()))
    reading = asyncio.create_task(api.stream())
    await upstream.called()
    assert await api.data("/api/history/ann/clear", {}) == {"deleted": 1}
    await upstream.hung_up()
    assert (await reading)[-1].data["status"] == "stopped"
    assert await api.history() == []
