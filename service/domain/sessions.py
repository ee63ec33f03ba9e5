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
        refresh_token = secrets.token_urlsafe(32)
        expires_at = self._clock.now_ms() + _REFRESH_MS
        await self._store.add(_hash(refresh_token), secrets.token_hex(16), openid, expires_at)
        return self._session(openid, refresh_token)

    async def start_guest(self) -> Session:
        return await self.start(f"guest_{secrets.token_hex(12)}")

    async def refresh(self, refresh_token: str) -> Session:
        """Take a refresh token for a new one.

        Raises: Forbidden when it is unknown, expired, revoked or used up.
        """
        new = secrets.token_urlsafe(32)
        now_ms = self._clock.now_ms()
        openid = await self._store.exchange(
            _hash(refresh_token), _hash(new), expires_at=now_ms + _REFRESH_MS, now_ms=now_ms, grace_ms=_GRACE_MS
        )
        if openid is None:
            raise Forbidden("refresh_refused")
        return self._session(openid, new)

    def _session(self, openid: str, refresh_token: str) -> Session:
        return Session(openid, self._access_tokens.mint(openid), refresh_token)


def _hash(refresh_token: str) -> str:
    # A header's bytes that are no UTF-8 come as surrogates; a token of ours has none, whatever takes their place.
    return hashlib.sha256(refresh_token.encode("utf-8", "replace")).hexdigest()
