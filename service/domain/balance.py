"""The upstream account's balance, asked at most once a minute whoever wants to know."""

from __future__ import annotations

import asyncio

from service.clock import Clock
from service.domain.pace import Pace
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
        self._kept: Balance | None = None

    async def get(self) -> Balance:
        """Raises: UpstreamError; a failure is not kept."""
        async with self._lock:
            now_ms = self._clock.now_ms()
            if self._kept is None or now_ms - self._kept.as_of >= self._pace.balance_cache_seconds * 1000:
                self._kept = await fetch_balance(self._upstream, self._settings, now_ms)
            return self._kept
