"""The content check by a list of words, in one pass over the text however many words there are (Aho-Corasick).

Case, width, accents' spelling and invisible characters make no difference. What happens to a refused text is decided
elsewhere.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from service.errors import StartError

_SLICE_CHARS: Final = 5_000
"""A few milliseconds of work; between slices the loop may answer others."""


class _Fold(dict[int, str]):
    """What a character counts as: nothing, itself, or the characters it is compatible with. Remembered, bounded."""

    def __missing__(self, code_point: int) -> str:
        folded = _fold(chr(code_point))
        if len(self) < 20_000:
            self[code_point] = folded
        return folded


def _fold(char: str) -> str:
    # Decomposed, not composed: that way each character folds by itself, wherever a text is cut. Hangul stays whole,
    # or a syllable would match inside a longer one.
    if "\uac00" <= char <= "\ud7a3":
        return char
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    return "".join(part for part in decomposed if not _invisible(part))


def _invisible(char: str) -> bool:
    # Format characters (zero-width space and joiner, BOM, soft hyphen), variation selectors and blank letters.
    return (
        unicodedata.category(char) == "Cf"
        or "\ufe00" <= char <= "\ufe0f"
        or "\U000e0100" <= char <= "\U000e01ef"
        or char in "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u3164"
    )


FOLD: Final = _Fold()


class WordList:
    """Refuses a text that has one of the words in it, inside other words too.

    Shape: a state of the automaton is a number; 0 is the start.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.edges: dict[tuple[int, str], int] = {}
        self.fallback = [0]
        self.depth = [0]
        self.is_refused = [False]
        for word in {word.translate(FOLD) for word in words} - {""}:
            self._add(word)
        self._link()

    @classmethod
    def from_file(cls, path: Path) -> WordList:
        """Read one word a line; blank lines and those that begin with `#` do not count. Raises StartError."""
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except OSError:
            raise StartError(f"CONTENT_WORDS_FILE={str(path)!r} cannot be read.") from None
        except UnicodeDecodeError:
            raise StartError(f"CONTENT_WORDS_FILE={str(path)!r} is not UTF-8.") from None
        words = cls(line.strip() for line in lines if not line.lstrip().startswith("#"))
        if not words.edges:
            raise StartError(f"CONTENT_WORDS_FILE={str(path)!r} has no words in it.")
        return words

    async def allows(self, text: str, *, openid: str) -> bool:
        scan = self.scan(openid=openid)
        for start in range(0, len(text), _SLICE_CHARS):
            if await scan.feed(text[start : start + _SLICE_CHARS]) is None:
                return False
            await asyncio.sleep(0)
        return True

    def scan(self, *, openid: str) -> WordScan:
        return WordScan(self)

    def step(self, state: int, char: str) -> int:
        """The state after one more character: how much of which word the text now ends with."""
        edges, fallback = self.edges, self.fallback
        while (after := edges.get((state, char))) is None and state:
            state = fallback[state]
        return after or 0

    def _add(self, word: str) -> None:
        state = 0
        for char in word:
            after = self.edges.setdefault((state, char), len(self.depth))
            if after == len(self.depth):
                self.depth.append(self.depth[state] + 1)
                self.fallback.append(0)
                self.is_refused.append(False)
            state = after
        self.is_refused[state] = True

    def _link(self) -> None:
        """Give each state its fallback: the longest beginning of a word that its own end is."""
        for (state, char), after in sorted(self.edges.items(), key=lambda edge: self.depth[edge[1]]):
            if state:
                self.fallback[after] = self.step(self.fallback[state], char)
                self.is_refused[after] |= self.is_refused[self.fallback[after]]


class WordScan:
    """One text, checked as it arrives: unsettled is only an end that may become a word."""

    def __init__(self, words: WordList) -> None:
        self._words = words
        self._state = 0
        self._chars_read = 0
        self._starts: deque[int] = deque(maxlen=max(words.depth))

    async def feed(self, text: str) -> int | None:
        """Where each of the last folded characters came from is kept, for a character folds to none or to several."""
        words, state, starts = self._words, self._state, self._starts
        for position, char in enumerate(text, self._chars_read):
            for folded in FOLD[ord(char)]:
                state = words.step(state, folded)
                if words.is_refused[state]:
                    return None
                starts.append(position)
        self._state = state
        self._chars_read += len(text)
        depth = words.depth[state]
        return self._chars_read - starts[-depth] if depth else 0

    async def finish(self) -> bool:
        return True
