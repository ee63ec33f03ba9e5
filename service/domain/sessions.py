"""Sessions: a short access token and an opaque refresh token that changes at each use.

A refresh token that is used again after the grace was stolen or copied: its whole family ends (RFC 9700, 4.14.2).
"""

from __future__ import annotations

import hashlib
import secrets

import msgspec

from service.clock import Clock
from service.domain.tokens import ACCESS_SECONDS, AccessTokens
from service.errors import Forbidden
from service.storage.refresh_tokens import RefreshTokenStore

_REFRESH_MS = 30 * 86400 * 1000
_GRACE_MS = 30_000  # a page and its twin refresh at the same moment


class Session(msgspec.Struct, frozen=True):
    openid: str
    token: str
    refresh_token: str
    expires_in: int = ACCESS_SECONDS


class Sessions:
    def __init__(self, store: RefreshTokenStore, access_tokens: AccessTokens, clock: Clock) -> None:
        self._store = store
        self._access_tokens = access_tokens
        self._clock = clock

    async def start(self, openid: str) -> Session:
        """Begin a session, and with it a new family of refresh tokens."""
        await self._store.delete_expired(self._clock.now_ms())
        return await self._issue(openid, secrets.token_hex(16))

    async def start_guest(self) -> Session:
        return await self.start(f"guest_{secrets.token_hex(12)}")

    async def refresh(self, refresh_token: str) -> Session:
        """Take a refresh token for a new one.

        Raises: Forbidden when it is unknown, expired, revoked or used up.
        """
        now_ms = self._clock.now_ms()
        taken = await self._store.take(_hash(refresh_token), now_ms)
        if taken is None:
            raise Forbidden("refresh_refused")
        if now_ms - taken.used_at > _GRACE_MS:
            await self._store.revoke_family(taken.family)
            raise Forbidden("refresh_refused")
        return await self._issue(taken.openid, taken.family)

    async def _issue(self, openid: str, family: str) -> Session:
        refresh_token = secrets.token_urlsafe(32)
        await self._store.add(_hash(refresh_token), family, openid, self._clock.now_ms() + _REFRESH_MS)
        return Session(openid, self._access_tokens.mint(openid), refresh_token)


def _hash(refresh_token: str) -> str:
    return hashlib.sha256(refresh_token.encode()).hexdigest()
