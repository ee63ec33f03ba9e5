"""Users as rows: the profile, and what they have used."""

from __future__ import annotations

from service.models import User
from service.storage.database import Database, Step

_COLUMNS = ", ".join(User.__struct_fields__)

_TABLES_OF_USERS = ("turns", "users", "refresh_tokens", "files")

_SAVE = """
    INSERT INTO users (openid, nickname, avatar, email, created_at, last_seen_at)
    VALUES ($1, COALESCE($2, ''), COALESCE($3, ''), COALESCE($4, ''), $5, $5)
    ON CONFLICT (openid) DO UPDATE SET
        nickname = COALESCE($2, users.nickname), avatar = COALESCE($3, users.avatar),
        email = COALESCE($4, users.email), last_seen_at = excluded.last_seen_at
    RETURNING created_at"""


class UserStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, openid: str) -> User | None:
        rows = await self._database.read(f"SELECT {_COLUMNS} FROM users WHERE openid = $1", openid)
        return User(*rows[0]) if rows else None

    async def save(
        self,
        openid: str,
        now_ms: int,
        *,
        nickname: str | None = None,
        avatar: str | None = None,
        email: str | None = None,
    ) -> bool:
        """Make or change a user, leaving alone what is None; True when the user is new."""
        rows = await self._database.write(Step(_SAVE, (openid, nickname, avatar, email, now_ms)))
        return bool(rows[0][0][0] == now_ms)

    async def erase(self, openid: str) -> int:
        """Delete every row that names the user; returns how many."""
        deleted = await self._database.write(
            *(Step(f"DELETE FROM {table} WHERE openid = $1 RETURNING openid", (openid,)) for table in _TABLES_OF_USERS)
        )
        return sum(map(len, deleted))
