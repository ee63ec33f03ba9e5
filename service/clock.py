"""The time, so that tests can set it."""

from __future__ import annotations

import functools
import time
from datetime import datetime, timedelta
from typing import Final, Protocol

_QUARTER_MS: Final = 15 * 60 * 1000


class Clock(Protocol):
    def now_ms(self) -> int:
        """Units: milliseconds since the epoch."""
        ...


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


def day_of(now_ms: int) -> int:
    """The ordinal of the day, as the server's time zone has it: daily quotas start anew with it."""
    return _day_of_quarter(now_ms // _QUARTER_MS)


@functools.lru_cache(maxsize=8)
def _day_of_quarter(quarter: int) -> int:
    """Days begin with a quarter of an hour in every time zone."""
    return datetime.fromtimestamp(quarter * _QUARTER_MS / 1000).toordinal()


def seconds_to_midnight(now_ms: int) -> int:
    now = datetime.fromtimestamp(now_ms / 1000)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return int((midnight - now).total_seconds()) + 1
