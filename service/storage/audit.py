"""The audit record: appended to, and cut off at its old end."""

from __future__ import annotations

from typing import NamedTuple

from service.storage.database import Database, Step


class AuditEntry(NamedTuple):
    """Who (a hash), when, what kind, and hashes of what was asked and answered."""

    turn_id: str
    user_hash: str
    kind: str
    status: str
    question_hash: str
    answer_hash: str
    created_at: int

    @property
    def step(self) -> Step:
        return Step("INSERT INTO audit VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING", tuple(self))


class AuditStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def delete_before(self, time_ms: int) -> None:
        await self._database.write(Step("DELETE FROM audit WHERE created_at < $1", (time_ms,)))
