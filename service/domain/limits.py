"""How often somebody may ask: the generic cell rate algorithm, one number a key.

Source: ITU-T I.371, annex A. A user may use the whole limit at once; it grows back evenly over the period.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from service.setting_kinds import Rate

_MOST_KEYS = 100_000


class Allowance(msgspec.Struct, frozen=True, gc=False):
    """What is left of `limit` requests, and the seconds until all of them have grown back."""

    limit: int
    left: float
    full_in: float
    retry_after_seconds: int = 0
    """0 for a request that may go on; one that may not was not counted."""

    def told(self) -> tuple[int, int, int]:
        """Limit, remaining requests and seconds until the reset, in whole numbers."""
        return self.limit, int(self.left + 1e-9), math.ceil(self.full_in)


class RateLimiter:
    """Counts in this process; however many keys come, the memory is bounded. Units: `now` in seconds, any start."""

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
        full_at = self._full_at.get(key, now)
        full_in = full_at - now if full_at > now else 0.0
        wait = full_in + self._interval - self._period
        if wait > 1e-9:
            retry_after_seconds = max(1, math.ceil(wait))
        else:
            retry_after_seconds = 0
            full_in += self._interval
        self._full_at[key] = now + full_in
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._most_keys:  # the one that asked longest ago is forgotten
            self._full_at.popitem(last=False)
        return Allowance(self._limit, (self._period - full_in) / self._interval, full_in, retry_after_seconds)

    def __len__(self) -> int:
        """How many keys are known."""
        return len(self._full_at)
