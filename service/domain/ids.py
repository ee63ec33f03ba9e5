"""Names for turns and conversations: unguessable, and sorted by the time they were made."""

from __future__ import annotations

import secrets


class IdMaker:
    """Makes 32 hex digits: 12 of milliseconds, 4 that count within one, 16 that are random."""

    def __init__(self) -> None:
        self._last_ms = 0
        self._count = 0

    def make(self, now_ms: int) -> str:
        if now_ms > self._last_ms or self._count == 0xFFFF:
            # A clock that was set back, or 65,536 ids in one ms: go on from the last time given.
            self._last_ms = max(now_ms, self._last_ms + 1)
            self._count = 0
        else:
            self._count += 1
        return f"{self._last_ms:012x}{self._count:04x}{secrets.token_hex(8)}"
