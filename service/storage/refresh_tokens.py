"""Refresh tokens as rows, by their hash."""

from __future__ import annotations

from typing import NamedTuple

from service.storage.database import Database, Step

_TAKE = """UPDATE refresh_tokens SET used_at = COALESCE(used_at, $2)
    WHERE token_hash = $1 AND expires_at > $2 RETURNING family, openid, used_at"""


class Taken(NamedTuple):
    """A token that was handed in. Units: `used_at` in ms, when it was handed in first."""

    family: str
    openid: str
    used_at: int


class RefreshTokenStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, token_hash: str, family: str, openid: str, expires_at: int) -> None:
        await self._database.write(
            Step("INSERT INTO refresh_tokens VALUES ($1, $2, $3, $4, NULL)", (token_hash, family, openid, expires_at))
        )

    async def take(self, token_hash: str, now_ms: int) -> Taken | None:
        """Mark a token as used, once; None for one that is unknown, expired or revoked."""
        ((*rows,),) = await self._database.write(Step(_TAKE, (token_hash, now_ms)))
        return Taken(*rows[0]) if rows else None

    async def revoke_family(self, family: str) -> None:
        await self._database.write(Step("DELETE FROM refresh_tokens WHERE family = $1", (family,)))

    async def delete_expired(self, now_ms: int) -> None:
        await self._database.write(Step("DELETE FROM refresh_tokens WHERE expires_at <= $1", (now_ms,)))
