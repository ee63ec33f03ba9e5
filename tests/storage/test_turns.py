"""Turns as rows, on every engine."""

from __future__ import annotations

import asyncio

import pytest

from service.models import Kind, Quota, Status, Turn
from service.storage.database import Database
from service.storage.turns import Growth, Opened, Settlement, TurnStore
from service.storage.users import UserStore

NO_QUOTA = Quota()
USED = Settlement(tokens=7, images=0, counts=True)


@pytest.fixture
def turns(database: Database) -> TurnStore:
    return TurnStore(database)


@pytest.fixture
def users(database: Database) -> UserStore:
    return UserStore(database)


def new_turn(number: int, openid: str = "ann", **values: object) -> Turn:
    base = {"conversation_id": "c1", "kind": "chat", "status": "running", "messages": "[]", "model": "m", "day": 5}
    return Turn(f"{number:032d}", openid, **{**base, **values})  # type: ignore[arg-type]


def closed(turn: Turn, reply: str = "hello") -> Turn:
    return Turn(
        turn.turn_id, turn.openid, turn.conversation_id, "chat", Status.COMPLETED, "[]", "m", reply=reply, day=5
    )


async def test_an_opened_turn_is_found_whole(turns: TurnStore):
    turn = new_turn(1, messages='[{"role":"user","content":"你好"}]', idempotency_key="k", created_at=9)
    assert await turns.open(turn, NO_QUOTA) is Opened.OPENED
    assert await turns.find(turn.turn_id) == turn
    assert await turns.find_by_key("ann", "k") == turn


async def test_a_turn_with_a_key_keeps_its_fingerprint(turns: TurnStore):
    turn = new_turn(
        1, kind=Kind.IMAGE, title="t", idempotency_key="k", fingerprint="f", reserved_images=2, updated_at=9
    )
    await turns.open(turn, NO_QUOTA)
    assert await turns.find_by_key("ann", "k") == turn


@pytest.mark.parametrize(
    "end",
    [
        {"reply": "hi", "reasoning": "hm", "finish_reason": "stop", "prompt_tokens": 0, "completion_tokens": 3},
        {"reply": "hi", "images": '[{"name":"a.png"}]'},
        {"status": Status.FAILED, "error": '{"code":502}'},
        {"status": Status.STOPPED, "finish_reason": "", "notice": "context_shortened", "model": "other"},
    ],
    ids=["words", "pictures", "a failure", "a notice"],
)
async def test_a_closed_turn_is_found_whole(turns: TurnStore, end: dict[str, object]):
    await turns.open(new_turn(1), NO_QUOTA)
    turn = new_turn(1, **{"status": Status.COMPLETED, "updated_at": 30, **end})
    assert await turns.close(turn, USED)
    assert await turns.find(turn.turn_id) == turn


async def test_what_is_unknown_is_none(turns: TurnStore):
    assert await turns.find("nope") is None
    assert await turns.find_by_key("ann", "nope") is None


async def test_a_key_opens_one_turn_for_a_user(turns: TurnStore):
    assert await turns.open(new_turn(1, idempotency_key="k"), NO_QUOTA) is Opened.OPENED
    assert await turns.open(new_turn(2, idempotency_key="k"), NO_QUOTA) is Opened.DUPLICATE
    assert await turns.open(new_turn(3, "bob", idempotency_key="k"), NO_QUOTA) is Opened.OPENED
    assert await turns.find(f"{2:032d}") is None


async def test_a_duplicate_is_not_counted(turns: TurnStore, users: UserStore):
    await turns.open(new_turn(1, idempotency_key="k"), NO_QUOTA)
    await turns.open(new_turn(2, idempotency_key="k"), NO_QUOTA)
    user = await users.find("ann")
    assert user is not None
    assert user.day_turns == user.total_turns == 1


async def test_a_quota_is_never_overrun_by_a_race(turns: TurnStore, users: UserStore):
    opened = await asyncio.gather(*(turns.open(new_turn(n), Quota(turns=10)) for n in range(100)))
    assert opened.count(Opened.OPENED) == 10
    assert opened.count(Opened.OVER_QUOTA) == 90
    user = await users.find("ann")
    assert user is not None
    assert user.day_turns == 10
    assert len(await turns.list_page("ann", limit=100)) == 10


async def test_a_new_day_has_its_quota_anew(turns: TurnStore):
    assert await turns.open(new_turn(1), Quota(turns=1)) is Opened.OPENED
    assert await turns.open(new_turn(2), Quota(turns=1)) is Opened.OVER_QUOTA
    assert await turns.open(new_turn(3, day=6), Quota(turns=1)) is Opened.OPENED


@pytest.mark.parametrize("quota", [Quota(tokens=10), Quota(images=10)], ids=["tokens", "images"])
async def test_a_turn_that_is_more_than_a_day_may_have_is_refused(turns: TurnStore, users: UserStore, quota: Quota):
    turn = new_turn(1, reserved_tokens=11, reserved_images=11)
    assert await turns.open(turn, quota) is Opened.OVER_QUOTA
    assert await turns.find(turn.turn_id) is None
    assert await users.find("ann") is None
    assert await turns.open(new_turn(2, reserved_tokens=10, reserved_images=10), quota) is Opened.OPENED


async def test_a_turn_of_a_past_day_leaves_the_counters_of_today_alone(turns: TurnStore, users: UserStore):
    kept, given_back, today = (
        new_turn(1, reserved_tokens=50, reserved_images=2),
        new_turn(2),
        new_turn(3, day=6, reserved_tokens=4),
    )
    for turn in (kept, given_back, today):
        await turns.open(turn, NO_QUOTA)
    await turns.close(kept, Settlement(tokens=7, images=1, counts=True))
    await turns.close(given_back, Settlement(tokens=0, images=0, counts=False))
    user = await users.find("ann")
    assert user is not None
    assert (user.day, user.day_turns, user.day_tokens, user.day_images) == (6, 1, 4, 0)
    assert (user.total_turns, user.total_tokens, user.total_images) == (2, 7, 1)


async def test_a_reservation_counts_until_it_is_settled(turns: TurnStore, users: UserStore):
    turn = new_turn(1, reserved_tokens=90)
    assert await turns.open(turn, Quota(tokens=100)) is Opened.OPENED
    assert await turns.open(new_turn(2, reserved_tokens=20), Quota(tokens=100)) is Opened.OVER_QUOTA
    await turns.close(turn, USED)
    assert await turns.open(new_turn(3, reserved_tokens=20), Quota(tokens=100)) is Opened.OPENED
    user = await users.find("ann")
    assert user is not None
    assert (user.day_tokens, user.total_tokens) == (27, 7)


async def test_a_turn_that_does_not_count_is_given_back(turns: TurnStore, users: UserStore):
    turn = new_turn(1, reserved_tokens=50, reserved_images=2)
    await turns.open(turn, NO_QUOTA)
    await turns.close(turn, Settlement(tokens=0, images=0, counts=False))
    user = await users.find("ann")
    assert user is not None
    assert (user.day_turns, user.day_tokens, user.day_images, user.total_turns) == (0, 0, 0, 0)


async def test_a_turn_is_closed_and_settled_once(turns: TurnStore, users: UserStore):
    turn = new_turn(1)
    await turns.open(turn, NO_QUOTA)
    assert await turns.close(closed(turn, "first"), USED)
    assert not await turns.close(closed(turn, "second"), USED)
    found, user = await turns.find(turn.turn_id), await users.find("ann")
    assert found is not None
    assert user is not None
    assert (found.reply, user.total_tokens) == ("first", 7)


async def test_growth_is_appended_while_a_turn_runs_and_not_after(turns: TurnStore):
    turn = new_turn(1)
    await turns.open(turn, NO_QUOTA)
    await turns.grow([Growth(turn.turn_id, "he", "hm")], 2)
    await turns.grow([Growth(turn.turn_id, "llo", "")], 3)
    found = await turns.find(turn.turn_id)
    assert found is not None
    assert (found.reply, found.reasoning, found.updated_at) == ("hello", "hm", 3)
    await turns.close(closed(turn), USED)
    await turns.grow([Growth(turn.turn_id, "!", "")], 4)
    found = await turns.find(turn.turn_id)
    assert found is not None
    assert found.reply == "hello"


async def test_only_running_turns_are_listed_as_running(turns: TurnStore):
    await turns.open(new_turn(1), NO_QUOTA)
    await turns.open(new_turn(2), NO_QUOTA)
    await turns.close(closed(new_turn(1)), USED)
    assert [turn.turn_id for turn in await turns.list_running()] == [f"{2:032d}"]


async def test_pages_follow_each_other_newest_first(turns: TurnStore):
    for number in range(1, 6):
        await turns.open(new_turn(number), NO_QUOTA)
    await turns.open(new_turn(9, "bob"), NO_QUOTA)
    first = await turns.list_page("ann", limit=2)
    second = await turns.list_page("ann", limit=2, before=first[-1].turn_id)
    assert [int(turn.turn_id) for turn in first + second] == [5, 4, 3, 2]


async def test_a_conversation_has_its_own_pages_and_a_row_in_the_list(turns: TurnStore):
    await turns.open(new_turn(1, conversation_id="a", title="first words"), NO_QUOTA)
    await turns.open(new_turn(2, conversation_id="b", title="other"), NO_QUOTA)
    await turns.open(new_turn(3, conversation_id="a", title="more", updated_at=30), NO_QUOTA)
    assert [int(turn.turn_id) for turn in await turns.list_page("ann", limit=9, conversation_id="a")] == [3, 1]
    listed = await turns.list_conversations("ann", limit=9)
    assert [(item.conversation_id, item.title, item.turns) for item in listed] == [
        ("a", "first words", 2),
        ("b", "other", 1),
    ]
    assert listed[0].updated_at == 30
    assert [
        item.conversation_id for item in await turns.list_conversations("ann", limit=9, before=listed[0].last_turn_id)
    ] == ["b"]


async def test_deleting_counts_and_spares_others(turns: TurnStore):
    await turns.open(new_turn(1, conversation_id="a"), NO_QUOTA)
    await turns.open(new_turn(2, conversation_id="b"), NO_QUOTA)
    await turns.open(new_turn(3, "bob"), NO_QUOTA)
    assert await turns.delete("ann", "a") == 1
    assert await turns.delete("ann") == 1
    assert len(await turns.list_page("bob", limit=9)) == 1


async def test_a_profile_keeps_what_is_not_given(users: UserStore):
    assert await users.save("ann", 5, nickname="Ann", email="a@b.c")
    assert not await users.save("ann", 6, avatar="https://x/y.png")
    user = await users.find("ann")
    assert user is not None
    assert (user.nickname, user.avatar, user.email, user.created_at, user.last_seen_at) == (
        "Ann",
        "https://x/y.png",
        "a@b.c",
        5,
        6,
    )
