"""All clocks of the upstream calls on one timer of the loop, set to the earliest of them.

Whoever waits says until when, again for each wait; mostly that is later than what the timer is set to, and then only a
number changes: a timer for each wait of each stream costs more than what was waited for.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Final, Protocol

_RESOLUTION_SECONDS: Final = 0.002  # uvloop's timers count whole milliseconds


class Waiting(Protocol):
    """Whoever waits. Units: `until` is a time of the loop; putting it off needs no word to the Deadlines."""

    until: float

    def expire(self) -> None: ...


class Deadlines:
    """Expires, once, whoever has waited for too long."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: set[Waiting] = set()
        self._due = inf
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, waiting: Waiting, until: float) -> None:
        waiting.until = until
        self._waiting.add(waiting)
        if until < self._due:
            self._set(until)

    def forget(self, waiting: Waiting) -> None:
        self._waiting.discard(waiting)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _set(self, due: float) -> None:
        self.close()
        self._due = due
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._due = inf
        now = self._loop.time() + _RESOLUTION_SECONDS
        over = [waiting for waiting in self._waiting if waiting.until <= now]
        self._waiting.difference_update(over)
        if self._waiting:
            self._set(min(waiting.until for waiting in self._waiting))
        for waiting in over:
            waiting.expire()
