"""The account's access token, which WeChat's server calls want: fetched once, kept until shortly before it ends.

It knows nothing of the calls that use it.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from service.clock import Clock
from service.wechat.client import WeChatClient, WeChatError

_PATH: Final = "/cgi-bin/stable_token"

_RENEW_BEFORE_SECONDS: Final = 300
"""WeChat hands out the next token five minutes before the old one ends, and both work meanwhile."""

_FORCE_EVERY_SECONDS: Final = 300
"""WeChat forces a new token 20 times a day at most; where one did not help, the next would not either."""


class _Token(msgspec.Struct):
    access_token: str
    expires_in: int


class AccessToken:
    """One token, shared by all callers, and one request for it at a time.

    Source: https://developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken
    """

    def __init__(self, client: WeChatClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._token = ""
        self._fresh_until_ms = 0
        self._forced_at_ms: int | None = None
        self._fetching: asyncio.Task[str] | None = None

    async def get(self) -> str:
        """Raises WeChatError."""
        if self._clock.now_ms() < self._fresh_until_ms:
            return self._token
        return await self._fetch(refused=None)

    async def replace(self, refused: str) -> str:
        """The token to use instead of one that WeChat refused. Raises WeChatError."""
        if self._token != refused:
            return await self.get()
        self._fresh_until_ms = 0
        return await self._fetch(refused)

    async def _fetch(self, refused: str | None) -> str:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._ask_twice(refused))
            self._fetching.add_done_callback(self._fetched)
        # Shared and shielded: one caller that goes away must not take the token from the others.
        return await asyncio.shield(self._fetching)

    def _fetched(self, task: asyncio.Task[str]) -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()

    async def _ask_twice(self, refused: str | None) -> str:
        # Another process may have renewed the token already: the plain answer then is a new one, and forcing
        # would take it away from that process.
        await self._ask(force=False)
        if self._token == refused and self._may_force():
            self._forced_at_ms = self._clock.now_ms()
            await self._ask(force=True)
        return self._token

    def _may_force(self) -> bool:
        since_ms = self._forced_at_ms
        return since_ms is None or self._clock.now_ms() - since_ms >= _FORCE_EVERY_SECONDS * 1000

    async def _ask(self, *, force: bool) -> None:
        body = {**self._client.credentials, "grant_type": "client_credential", "force_refresh": force}
        answer = await self._client.post(_PATH, _Token, {}, body)
        if not answer.access_token or answer.expires_in <= 0:
            raise WeChatError("an access token that is empty or over")
        seconds = min(answer.expires_in, 7200)
        self._token = answer.access_token
        keep_seconds = max(seconds - _RENEW_BEFORE_SECONDS, seconds // 2)
        self._fresh_until_ms = self._clock.now_ms() + keep_seconds * 1000
