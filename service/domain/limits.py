"""How often somebody may ask: the generic cell rate algorithm, one number a key.

Source: ITU-T I.371, annex A. A user may use the whole limit at once; it grows back evenly over the period.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

from service.errors import TooManyRequests
from service.setting_kinds import Rate

_MOST_KEYS = 100_000


class Allowance(NamedTuple):
    """What is left: `remaining` requests now, the whole `limit` again after `reset_seconds`."""

    limit: int
    remaining: int
    reset_seconds: int


class RateLimiter:
    """Counts in this process. Units: `now` in seconds, any start."""

    def __init__(self, rate: Rate, now: Callable[[], float] = time.monotonic) -> None:
        self._limit = rate.limit
        self._period = float(rate.seconds)
        self._interval = self._period / rate.limit if rate.limit else 0.0
        self._now = now
        self._full_at: dict[str, float] = {}  # when a key has its whole limit again

    def hit(self, key: str) -> Allowance | None:
        """Count one request of the key; None where there is no limit.

        Raises: TooManyRequests.
        """
        if not self._limit:
            return None
        now = self._now()
        full_at = max(now, self._full_at.get(key, now)) + self._interval
        if full_at - now > self._period + 1e-9:
            wait = math.ceil(full_at - now - self._period)
            raise TooManyRequests("rate_limited", retry_after_seconds=max(1, wait))
        if len(self._full_at) >= _MOST_KEYS:
            self._full_at = {known: at for known, at in self._full_at.items() if at > now}
        self._full_at[key] = full_at
        remaining = int((self._period - (full_at - now)) / self._interval + 1e-9)
        return Allowance(self._limit, remaining, math.ceil(full_at - now))
