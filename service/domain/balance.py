"""The upstream account's balance, asked at most once a minute whoever wants to know."""

from __future__ import annotations

import asyncio

from service.clock import Clock
from service.domain.pace import Pace
from service.errors import ServiceError, UpstreamError
from service.models import Balance
from service.settings import Settings
from service.upstream.balance import fetch_balance
from service.upstream.client import UpstreamClient


class BalanceCache:
    def __init__(self, upstream: UpstreamClient, settings: Settings, clock: Clock, pace: Pace) -> None:
        self._upstream = upstream
        self._settings = settings
        self._clock = clock
        self._pace = pace
        self._lock = asyncio.Lock()
        self._calls = 0
        self._kept: Balance | ServiceError = UpstreamError()

    async def get(self) -> Balance:
        """The balance, from one call for all who ask meanwhile.

        Raises: UpstreamError, Unavailable; a failure is for those who have waited for it, and kept for nobody else.
        """
        calls = self._calls
        async with self._lock:
            if calls == self._calls and not self._is_fresh():
                self._kept = await self._ask()
                self._calls += 1
            if isinstance(self._kept, Balance):
                return self._kept
            raise self._kept

    def _is_fresh(self) -> bool:
        if not isinstance(self._kept, Balance):
            return False
        return self._clock.now_ms() - self._kept.as_of < self._pace.balance_cache_seconds * 1000

    async def _ask(self) -> Balance | ServiceError:
        try:
            return await fetch_balance(self._upstream, self._settings, self._clock.now_ms())
        except ServiceError as failure:
            return failure
