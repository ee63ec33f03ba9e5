"""What a user has asked before: whole, in order, page by page, while more is being asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.fakes.upstream import Answer, FakeUpstream
from tests.web.conftest import Api, Start

PATH = "/api/history/ann"


def words(items: list[Any]) -> list[str]:
    return [item["messages"][0]["content"] for item in items]


async def walk(api: Api, path: str = PATH, key: str = "history", **query: Any) -> list[list[Any]]:
    """All pages, in the order that they come: the newest first."""
    pages, before = [], None
    while True:
        data = await api.data(path, params={**query, **({"before": before} if before else {})})
        pages.append(data[key])
        before = data["next"]
        if before is None:
            return pages


async def test_a_turn_is_told_as_the_seed_has_it_and_more(api: Api):
    asked = await api.chat("你好")
    (item,) = await api.history()
    assert item["messages"] == [{"role": "user", "content": "你好"}]
    assert item["reply"] == "你好"
    assert abs(item["time"] - api.clock.now_ms()) < 10_000
    assert (item["turn_id"], item["conversation_id"]) == (asked["turn_id"], asked["conversation_id"])
    assert (item["status"], item["kind"], item["finish_reason"]) == ("completed", "chat", "stop")


async def test_who_has_asked_nothing_has_an_empty_history(api: Api):
    await api.chat(openid="bob")
    assert await api.data(PATH) == {"history": [], "next": None}


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 100])
async def test_pages_joined_are_the_whole_history_without_a_repetition(api: Api, limit: int):
    for number in range(7):
        await api.chat(f"q{number}")
    pages = await walk(api, limit=limit)
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    oldest_first = [word for page in reversed(pages) for word in words(page)]
    assert oldest_first == [f"q{number}" for number in range(7)]


async def test_the_last_page_says_that_it_is_the_last(api: Api):
    for number in range(4):
        await api.chat(f"q{number}")
    assert [len(page) for page in await walk(api, limit=2)] == [2, 2]


async def test_a_page_has_twenty_unless_asked_and_a_hundred_at_most(start: Start):
    api = await start(RATE_LIMIT="0", IP_RATE_LIMIT="0", MAX_TURNS_PER_USER="200")
    await asyncio.gather(*(api.chat(f"q{number}") for number in range(103)))
    assert len((await api.data(PATH))["history"]) == 20
    assert len((await api.data(PATH, params={"limit": 100}))["history"]) == 100
    assert (await api.get(PATH, params={"limit": 101}))[0] == 400
    assert len({item["turn_id"] for page in await walk(api) for item in page}) == 103


async def test_what_is_asked_meanwhile_neither_repeats_nor_hides_what_was(api: Api):
    for number in range(6):
        await api.chat(f"old{number}")
    seen: list[str] = []
    before = None
    for number in range(3):
        data = await api.data(PATH, params={"limit": 2, **({"before": before} if before else {})})
        seen = words(data["history"]) + seen
        before = data["next"]
        await api.chat(f"new{number}")
    assert seen == [f"old{number}" for number in range(6)]
    assert words(await api.history()) == [*seen, "new0", "new1", "new2"]


async def test_turns_of_one_millisecond_are_all_told_in_order(start: Start):
    api = await start(RATE_LIMIT="0", MAX_TURNS_PER_USER="100")
    await asyncio.gather(*(api.chat(f"q{number}") for number in range(40)))
    items = [item for page in reversed(await walk(api, limit=7)) for item in page]
    assert len({item["turn_id"] for item in items}) == 40
    assert [item["time"] for item in items] == sorted(item["time"] for item in items)


async def test_a_page_may_be_of_one_conversation(api: Api):
    first = await api.chat("a1")
    await api.chat("b1")
    await api.chat("a2", conversation_id=first["conversation_id"])
    pages = await walk(api, limit=1, conversation_id=first["conversation_id"])
    assert [words(page) for page in pages] == [["a2"], ["a1"]]


async def test_a_cursor_of_nobody_is_an_end_and_not_an_error(api: Api):
    await api.chat()
    assert (await api.data(PATH, params={"before": "0"}))["history"] == []
    assert len((await api.data(PATH, params={"before": "zzz"}))["history"]) == 1


async def test_nobody_sees_what_another_has_asked_by_a_cursor_or_a_conversation(api: Api):
    mine = await api.chat("secret")
    assert (await api.data("/api/history/bob/conversations"))["conversations"] == []
    for query in ({"before": "zzz"}, {"conversation_id": mine["conversation_id"]}):
        assert (await api.data("/api/history/bob", params=query))["history"] == []


async def test_what_failed_and_what_runs_is_told_as_that(api: Api, upstream: FakeUpstream):
    gate = asyncio.Event()
    upstream.answer_with(Answer.html(), Answer.completion("late").held(gate))
    await api.post("/api/chat", {"openid": "ann", "messages": [{"role": "user", "content": "bad"}]})
    asking = asyncio.create_task(api.chat("slow"))
    await upstream.called(2)
    assert [(item["status"], item["finish_reason"]) for item in await api.history()] == [
        ("failed", None),
        ("running", None),
    ]
    gate.set()
    await asking


async def test_conversations_are_listed_by_their_last_turn(api: Api):
    first = await api.chat("what is rain")
    second = await api.chat("what is snow")
    await api.chat("and hail", conversation_id=first["conversation_id"])
    found = (await api.data(f"{PATH}/conversations"))["conversations"]
    told = [(item["conversation_id"], item["title"], item["turns"]) for item in found]
    assert told == [(first["conversation_id"], "what is rain", 2), (second["conversation_id"], "what is snow", 1)]
    assert found[0]["updated_at"] >= found[1]["updated_at"]


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
async def test_pages_of_conversations_joined_are_all_of_them(api: Api, limit: int):
    asked = [(await api.chat(f"q{number}"))["conversation_id"] for number in range(5)]
    pages = await walk(api, f"{PATH}/conversations", "conversations", limit=limit)
    assert [item["conversation_id"] for page in pages for item in page] == asked[::-1]


async def test_a_conversation_that_goes_on_meanwhile_is_not_listed_twice(api: Api):
    asked = [(await api.chat(f"q{number}"))["conversation_id"] for number in range(3)]
    page = await api.data(f"{PATH}/conversations", params={"limit": 1})
    await api.chat("more", conversation_id=asked[2])
    rest = await api.data(f"{PATH}/conversations", params={"before": page["next"]})
    found = [item["conversation_id"] for item in page["conversations"] + rest["conversations"]]
    assert found == asked[::-1]


async def test_clearing_deletes_ones_own_and_says_how_many(api: Api):
    for openid in ("ann", "ann", "bob"):
        await api.chat(openid=openid)
    assert await api.data(f"{PATH}/clear", {}) == {"deleted": 2}
    assert await api.history("ann") == []
    assert len(await api.history("bob")) == 1
    assert await api.data(f"{PATH}/clear", {}) == {"deleted": 0}


async def test_clearing_one_conversation_leaves_the_others(api: Api):
    first, second = await api.chat("a"), await api.chat("b")
    body = {"conversation_id": first["conversation_id"]}
    assert (await api.data("/api/history/bob/clear", body))["deleted"] == 0
    assert (await api.data(f"{PATH}/clear", body))["deleted"] == 1
    assert [item["turn_id"] for item in await api.history()] == [second["turn_id"]]


async def test_clearing_needs_no_body(api: Api):
    await api.chat()
    async with api.client.post(f"{PATH}/clear") as response:
        assert (await response.json())["data"] == {"deleted": 1}


async def test_clearing_ends_what_runs(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.stall())
    asking = asyncio.create_task(api.chat())
    await upstream.called()
    assert (await api.data(f"{PATH}/clear", {}))["deleted"] == 1
    await upstream.hung_up()
    assert (await asking)["status"] == "stopped"
    assert await api.history() == []


async def test_a_page_of_very_long_turns_ends_early_and_goes_on(api: Api, upstream: FakeUpstream):
    upstream.answer_always(Answer.completion("x" * 1_500_000))
    turn_ids = [(await api.chat(str(number)))["turn_id"] for number in range(5)]
    seen: list[str] = []
    before = ""
    while before is not None:
        page = await api.data(f"/api/history/ann?limit=100&before={before}")
        assert len(page["history"]) <= 3
        seen = [item["turn_id"] for item in page["history"]] + seen
        before = page["next"]
    assert seen == turn_ids
