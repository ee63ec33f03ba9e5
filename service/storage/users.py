"""Users as rows: the profile, and what they have used."""

from __future__ import annotations

from service.models import User
from service.storage.database import Database, Step

_COLUMNS = ", ".join(User.__struct_fields__)

_TABLES_OF_USERS = ("turns", "users", "refresh_tokens", "files")

_MAKE = """INSERT INTO users (openid, created_at, last_seen_at) VALUES ($1, $2, $2)
    ON CONFLICT DO NOTHING RETURNING openid"""

_CHANGE = """
    UPDATE users SET last_seen_at = $2, nickname = COALESCE($3, nickname), avatar = COALESCE($4, avatar),
        email = COALESCE($5, email)
    WHERE openid = $1"""


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
        made, _ = await self._database.write(
            Step(_MAKE, (openid, now_ms)), Step(_CHANGE, (openid, now_ms, nickname, avatar, email))
        )
        return bool(made)

    async def erase(self, openid: str) -> int:
        """Delete every row that names the user; returns how many."""
        deleted = await self._database.write(
            *(Step(f"DELETE FROM {table} WHERE openid = $1 RETURNING openid", (openid,)) for table in _TABLES_OF_USERS)
        )
        return sum(map(len, deleted))
