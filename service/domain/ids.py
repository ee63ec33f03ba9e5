"""Names for turns and conversations: unguessable, and sorted by the time they were made."""

from __future__ import annotations

import secrets

_RESERVE = 512


class IdMaker:
    """Makes 32 hex digits: 12 of milliseconds, 4 that count within one, 16 that are random."""

    def __init__(self) -> None:
        self._random: list[str] = []
        self._last = 0  # ms and count as one number

    def make(self, now_ms: int) -> str:
        if not self._random:  # many at once: a call of the system for each gives the other threads a turn
            digits = secrets.token_hex(_RESERVE * 8)
            self._random = [digits[at : at + 16] for at in range(0, len(digits), 16)]
        # Whether the clock was set back or one ms brings 65,536 ids: they go on from the last one given.
        now = now_ms << 16
        self._last = now if now > self._last else self._last + 1
        return hex(self._last)[2:].zfill(16) + self._random.pop()
