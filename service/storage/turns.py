"""Turns as rows: opened before the upstream is asked, grown while it answers, closed once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from service.models import Quota, Status, Turn
from service.storage import usage
from service.storage.database import Database, Step, StepRefused

_FIELDS = Turn.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)
PAGE_CHARS = 4 << 20  # what one page may take in memory, however long its turns are
_NEWEST = "~"  # after every turn id

# Only what new turns differ in is bound: a bound value costs more than a literal, and NULL the most of all.
_COLUMNS_AT_OPENING = (
    "turn_id, openid, conversation_id, kind, messages, model, title, reserved_tokens, reserved_images, day, "
    "created_at, updated_at, status, reply, reasoning, images, fingerprint"
)
_INSERT = f"""INSERT INTO turns ({_COLUMNS_AT_OPENING})
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'running', '', '', '[]', '') ON CONFLICT DO NOTHING"""
_INSERT_KEYED = f"""INSERT INTO turns ({_COLUMNS_AT_OPENING}, idempotency_key)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'running', '', '', '[]', $13, $14)
    ON CONFLICT DO NOTHING"""

_CLOSE = """
    UPDATE turns SET status = $1, model = $2, reply = $3, reasoning = $4, images = $5, finish_reason = $6,
        prompt_tokens = $7, completion_tokens = $8, updated_at = $9
    WHERE turn_id = $10 AND status = 'running'"""

_EXPLAIN = "UPDATE turns SET error = $1, notice = $2 WHERE turn_id = $3"

_GROW = """UPDATE turns SET reply = reply || $2, reasoning = reasoning || $3, updated_at = $4
    WHERE turn_id = $1 AND status = 'running'"""

_CONVERSATIONS = """
    SELECT newest.conversation_id, oldest.title, newest.turns, last.updated_at, newest.last_id
    FROM (SELECT conversation_id, COUNT(*) AS turns, MIN(turn_id) AS first_id, MAX(turn_id) AS last_id
          FROM turns WHERE openid = $1 GROUP BY conversation_id) AS newest
    JOIN turns AS oldest ON oldest.turn_id = newest.first_id
    JOIN turns AS last ON last.turn_id = newest.last_id
    WHERE newest.last_id < $2 ORDER BY newest.last_id DESC LIMIT $3"""


class Opened:
    OPENED: Final = "opened"
    DUPLICATE: Final = "duplicate"
    OVER_QUOTA: Final = "over quota"


class Settlement(msgspec.Struct, frozen=True, gc=False):
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

    async def open(self, turn: Turn, quota: Quota) -> str:
        """Store the turn and take its reservation, both or neither; returns what became of it, one of Opened.

        Shape: a turn that begins: running, with nothing of an answer, and no fingerprint without a key.
        """
        if usage.exceeds(turn, quota):
            return Opened.OVER_QUOTA
        try:
            await self._database.write(_insert(turn), usage.reserve(turn, quota))
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
            await self._database.write(*_close(turn, settlement), *more)
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


def _insert(turn: Turn) -> Step:
    args = (
        turn.turn_id,
        turn.openid,
        turn.conversation_id,
        turn.kind,
        turn.messages,
        turn.model,
        turn.title,
        turn.reserved_tokens,
        turn.reserved_images,
        turn.day,
        turn.created_at,
        turn.updated_at,
    )
    if turn.idempotency_key is None:
        return Step(_INSERT, args, must=True)
    return Step(_INSERT_KEYED, (*args, turn.fingerprint, turn.idempotency_key), must=True)


def _close(turn: Turn, settlement: Settlement) -> list[Step]:
    args = (
        turn.status,
        turn.model,
        turn.reply,
        turn.reasoning,
        turn.images,
        turn.finish_reason,
        turn.prompt_tokens,
        turn.completion_tokens,
        turn.updated_at,
        turn.turn_id,
    )
    steps = [Step(_CLOSE, args, must=True), usage.settle(turn, settlement.tokens, settlement.images)]
    if not settlement.counts:
        steps.append(usage.give_back(turn))
    if turn.error is not None or turn.notice is not None:
        steps.append(Step(_EXPLAIN, (turn.error, turn.notice, turn.turn_id)))
    return steps
