"""The time, so that tests can set it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now_ms(self) -> int:
        """Units: milliseconds since the epoch."""
        ...


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


def day_of(now_ms: int) -> int:
    """The ordinal of the day, as the server's time zone has it: daily quotas start anew with it."""
    return datetime.fromtimestamp(now_ms / 1000).toordinal()


def seconds_to_midnight(now_ms: int) -> int:
    now = datetime.fromtimestamp(now_ms / 1000)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return int((midnight - now).total_seconds()) + 1
