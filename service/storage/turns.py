"""Turns as rows: opened before the upstream is asked, grown while it answers, closed once."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import NamedTuple

import msgspec

from service.models import Quota, Status, Turn
from service.storage.database import Database, Step, StepRefused

_FIELDS = Turn.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)
PAGE_CHARS = 4 << 20  # what one page may take in memory, however long its turns are
_NEWEST = "~"  # after every turn id

_INSERT = f"""INSERT INTO turns ({_COLUMNS}) VALUES ({", ".join(f"${n}" for n in range(1, len(_FIELDS) + 1))})
    ON CONFLICT DO NOTHING"""

# Counts the turn, and takes its reservation from the day's quota unless that would overrun it.
_RESERVE = """
    INSERT INTO users (openid, created_at, last_seen_at, day, day_turns, day_tokens, day_images, total_turns)
    SELECT $1, $2, $2, $3, 1, $4, $5, 1
    WHERE CAST($6 AS BIGINT) >= 1 AND CAST($7 AS BIGINT) >= $4 AND CAST($8 AS BIGINT) >= $5
    ON CONFLICT (openid) DO UPDATE SET
        last_seen_at = excluded.last_seen_at,
        day_turns = CASE WHEN users.day = excluded.day THEN users.day_turns ELSE 0 END + 1,
        day_tokens = CASE WHEN users.day = excluded.day THEN users.day_tokens ELSE 0 END + excluded.day_tokens,
        day_images = CASE WHEN users.day = excluded.day THEN users.day_images ELSE 0 END + excluded.day_images,
        day = excluded.day,
        total_turns = users.total_turns + 1
    WHERE users.day <> excluded.day
        OR (users.day_turns + 1 <= $6
            AND users.day_tokens + excluded.day_tokens <= $7
            AND users.day_images + excluded.day_images <= $8)"""

_CLOSE = """
    UPDATE turns SET status = $2, model = $3, reply = $4, reasoning = $5, images = $6, finish_reason = $7,
        prompt_tokens = $8, completion_tokens = $9, error = $10, notice = $11, updated_at = $12
    WHERE turn_id = $1 AND status = 'running'"""

# Puts what was really used in the place of what was reserved; a past day's counters are gone with the day.
_SETTLE = """
    UPDATE users SET
        day_turns = day_turns - CASE WHEN day = $2 THEN $3 ELSE 0 END,
        day_tokens = day_tokens + CASE WHEN day = $2 THEN $4 ELSE 0 END,
        day_images = day_images + CASE WHEN day = $2 THEN $5 ELSE 0 END,
        total_turns = total_turns - $3,
        total_tokens = total_tokens + $6,
        total_images = total_images + $7
    WHERE openid = $1"""

_GROW = """UPDATE turns SET reply = reply || $2, reasoning = reasoning || $3, updated_at = $4
    WHERE turn_id = $1 AND status = 'running'"""

_CONVERSATIONS = """
    SELECT newest.conversation_id, oldest.title, newest.turns, last.updated_at, newest.last_id
    FROM (SELECT conversation_id, COUNT(*) AS turns, MIN(turn_id) AS first_id, MAX(turn_id) AS last_id
          FROM turns WHERE openid = $1 GROUP BY conversation_id) AS newest
    JOIN turns AS oldest ON oldest.turn_id = newest.first_id
    JOIN turns AS last ON last.turn_id = newest.last_id
    WHERE newest.last_id < $2 ORDER BY newest.last_id DESC LIMIT $3"""

_UNLIMITED = 1 << 62


class Opened(Enum):
    OPENED = auto()
    DUPLICATE = auto()
    OVER_QUOTA = auto()


class Settlement(NamedTuple):
    """What a closed turn really used. `counts` is False where the turn is given back to the quota."""

    tokens: int
    images: int
    counts: bool


class Growth(NamedTuple):
    turn_id: str
    reply: str
    reasoning: str


class Conversation(NamedTuple):
    conversation_id: str
    title: str
    turns: int
    updated_at: int
    last_turn_id: str


class TurnStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, turn: Turn, quota: Quota) -> Opened:
        """Store the turn and take its reservation, both or neither."""
        reserve = (
            turn.openid,
            turn.created_at,
            turn.day,
            turn.reserved_tokens,
            turn.reserved_images,
            quota.turns or _UNLIMITED,
            quota.tokens or _UNLIMITED,
            quota.images or _UNLIMITED,
        )
        try:
            await self._database.write(
                Step(_INSERT, msgspec.structs.astuple(turn), must=True), Step(_RESERVE, reserve, must=True)
            )
        except StepRefused as refused:
            return Opened.DUPLICATE if refused.index == 0 else Opened.OVER_QUOTA
        return Opened.OPENED

    async def grow(self, growths: Iterable[Growth], now_ms: int) -> None:
        """Append text to running turns, all in one transaction."""
        await self._database.write(*(Step(_GROW, (*growth, now_ms)) for growth in growths))

    async def close(self, turn: Turn, settlement: Settlement, *more: Step) -> bool:
        """Store the end of a turn and settle its usage; False when it was closed or erased before.

        Shape: `more` is what else belongs into the same transaction.
        """
        try:
            await self._database.write(
                Step(_CLOSE, _closing(turn), must=True), Step(_SETTLE, _settling(turn, settlement)), *more
            )
        except StepRefused:
            return False
        return True

    async def find(self, turn_id: str) -> Turn | None:
        return await self._find("turn_id = $1", turn_id)

    async def find_by_key(self, openid: str, idempotency_key: str) -> Turn | None:
        return await self._find("openid = $1 AND idempotency_key = $2", openid, idempotency_key)

    async def list_running(self) -> list[Turn]:
        rows = await self._database.read(f"SELECT {_COLUMNS} FROM turns WHERE status = '{Status.RUNNING}'")
        return [Turn(*row) for row in rows]

    async def list_page(
        self, openid: str, *, limit: int, before: str = "", conversation_id: str | None = None
    ) -> list[Turn]:
        """A user's turns, newest first; fewer than `limit` also where they are very long."""
        where = "" if conversation_id is None else "AND conversation_id = $4"
        more = () if conversation_id is None else (conversation_id,)
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM turns WHERE openid = $1 AND turn_id < $2 {where} ORDER BY turn_id DESC LIMIT $3",
            openid,
            before or _NEWEST,
            limit,
            *more,
            most_chars=PAGE_CHARS,
        )
        return [Turn(*row) for row in rows]

    async def list_conversations(self, openid: str, *, limit: int, before: str = "") -> list[Conversation]:
        """A user's conversations, the one with the newest turn first."""
        rows = await self._database.read(_CONVERSATIONS, openid, before or _NEWEST, limit)
        return [Conversation(*row) for row in rows]

    async def delete(self, openid: str, conversation_id: str | None = None) -> int:
        """Delete a user's turns; what they used stays counted."""
        where = "" if conversation_id is None else "AND conversation_id = $2"
        args = (openid,) if conversation_id is None else (openid, conversation_id)
        (rows,) = await self._database.write(
            Step(f"DELETE FROM turns WHERE openid = $1 {where} RETURNING turn_id", args)
        )
        return len(rows)

    async def _find(self, where: str, *args: str) -> Turn | None:
        rows = await self._database.read(f"SELECT {_COLUMNS} FROM turns WHERE {where}", *args)
        return Turn(*rows[0]) if rows else None


def _closing(turn: Turn) -> tuple[object, ...]:
    return (
        turn.turn_id,
        turn.status,
        turn.model,
        turn.reply,
        turn.reasoning,
        turn.images,
        turn.finish_reason,
        turn.prompt_tokens,
        turn.completion_tokens,
        turn.error,
        turn.notice,
        turn.updated_at,
    )


def _settling(turn: Turn, settlement: Settlement) -> tuple[object, ...]:
    return (
        turn.openid,
        turn.day,
        0 if settlement.counts else 1,
        settlement.tokens - turn.reserved_tokens,
        settlement.images - turn.reserved_images,
        settlement.tokens,
        settlement.images,
    )
