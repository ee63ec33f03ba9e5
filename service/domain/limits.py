"""How often somebody may ask: the generic cell rate algorithm, one number a key.

Source: ITU-T I.371, annex A. A user may use the whole limit at once; it grows back evenly over the period.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from service.setting_kinds import Rate

_MOST_KEYS = 100_000


class Allowance(NamedTuple):
    """What is left: `remaining` requests now, the whole `limit` again after `reset_seconds`.

    `retry_after_seconds` is 0 for a request that may go on; one that may not was not counted.
    """

    limit: int
    remaining: int
    reset_seconds: int
    retry_after_seconds: int = 0


class RateLimiter:
    """Counts in this process. Units: `now` in seconds, any start."""

    def __init__(self, rate: Rate, now: Callable[[], float] = time.monotonic, most_keys: int = _MOST_KEYS) -> None:
        self._limit = rate.limit
        self._period = float(rate.seconds)
        self._interval = self._period / rate.limit if rate.limit else 0.0
        self._now = now
        self._most_keys = most_keys
        self._full_at: OrderedDict[str, float] = OrderedDict()  # when a key has its whole limit again

    def hit(self, key: str) -> Allowance | None:
        """Count one request of the key; None where there is no limit."""
        if not self._limit:
            return None
        now = self._now()
        before = max(now, self._full_at.get(key, now))
        wait = before + self._interval - now - self._period
        if wait > 1e-9:
            self._remember(key, before)
            return Allowance(self._limit, 0, math.ceil(before - now), max(1, math.ceil(wait)))
        self._remember(key, before + self._interval)
        remaining = int(-wait / self._interval + 1e-9)
        return Allowance(self._limit, remaining, math.ceil(before + self._interval - now))

    def __len__(self) -> int:
        """How many keys are known."""
        return len(self._full_at)

    def _remember(self, key: str, full_at: float) -> None:
        """However many keys come, the memory is bounded: the one that asked longest ago is forgotten."""
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._most_keys:
            self._full_at.popitem(last=False)
