"""A text that only grows, read by many from where each has come to."""

from __future__ import annotations

_RECENT = 16  # pieces kept apart; older ones are joined, as each small string costs 50 bytes beside its text
_BLOCKS = 64


class TextLog:
    """Units: positions and `length` are in characters (code points)."""

    __slots__ = ("_blocks", "_recent", "length")

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._recent: list[str] = []
        self.length = 0

    def append(self, piece: str) -> None:
        self._recent.append(piece)
        self.length += len(piece)
        if len(self._recent) >= _RECENT:
            self._blocks.append("".join(self._recent))
            self._recent.clear()
            if len(self._blocks) >= _BLOCKS:
                self._blocks = ["".join(self._blocks)]

    def since(self, position: int) -> str:
        """The text after the position; empty where there is none yet."""
        missing = self.length - position
        if missing <= 0:
            return ""
        found: list[str] = []
        for pieces in (self._recent, self._blocks):
            for piece in reversed(pieces):
                if missing <= 0:
                    break
                found.append(piece if len(piece) <= missing else piece[-missing:])
                missing -= len(piece)
        found.reverse()
        return "".join(found)

    def __str__(self) -> str:
        return "".join(self._blocks) + "".join(self._recent)
