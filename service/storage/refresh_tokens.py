"""Refresh tokens as rows, by their hash."""

from __future__ import annotations

from service.storage.database import Database, Step

_TAKE = "UPDATE refresh_tokens SET used_at = COALESCE(used_at, $2) WHERE token_hash = $1"

_HAND_ON = """INSERT INTO refresh_tokens
    SELECT $2, family, openid, $3, NULL FROM refresh_tokens
    WHERE token_hash = $1 AND expires_at > $4 AND used_at >= $5 RETURNING openid"""

_REVOKE = """DELETE FROM refresh_tokens
    WHERE family IN (SELECT family FROM refresh_tokens WHERE token_hash = $1 AND used_at < $2)"""


class RefreshTokenStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, token_hash: str, family: str, openid: str, expires_at: int) -> None:
        await self._database.write(
            Step("INSERT INTO refresh_tokens VALUES ($1, $2, $3, $4, NULL)", (token_hash, family, openid, expires_at))
        )

    async def exchange(self, old: str, new: str, *, expires_at: int, now_ms: int, grace_ms: int) -> str | None:
        """Put a new token of the family beside the old one; None for one that is unknown, expired or used up.

        One that was first used longer ago than the grace ends its family. All of it is one transaction: no
        exchange beside it can leave a token of a revoked family.
        Shape: `old` and `new` are hashes; gives the openid.
        """
        _, handed_on, _ = await self._database.write(
            Step(_TAKE, (old, now_ms)),
            Step(_HAND_ON, (old, new, expires_at, now_ms, now_ms - grace_ms)),
            Step(_REVOKE, (old, now_ms - grace_ms)),
        )
        return str(handed_on[0][0]) if handed_on else None

    async def delete_expired(self, now_ms: int) -> None:
        await self._database.write(Step("DELETE FROM refresh_tokens WHERE expires_at <= $1", (now_ms,)))
