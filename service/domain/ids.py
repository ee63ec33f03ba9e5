"""Names for turns and conversations: unguessable, and sorted by the time they were made."""

from __future__ import annotations

import secrets

_RESERVE = 512


class IdMaker:
    """Makes 32 hex digits: 12 of milliseconds, 4 that count within one, 16 that are random."""

    def __init__(self) -> None:
        self._random: list[str] = []
        self._last_ms = 0
        self._count = 0

    def make(self, now_ms: int) -> str:
        if now_ms > self._last_ms or self._count == 0xFFFF:
            # A clock that was set back, or 65,536 ids in one ms: go on from the last time given.
            self._last_ms = max(now_ms, self._last_ms + 1)
            self._count = 0
        else:
            self._count += 1
        return f"{self._last_ms:012x}{self._count:04x}{self._random_digits()}"

    def _random_digits(self) -> str:
        if not self._random:  # many at once: a call of the system for each gives the other threads a turn
            digits = secrets.token_hex(_RESERVE * 8)
            self._random = [digits[at : at + 16] for at in range(0, len(digits), 16)]
        return self._random.pop()
