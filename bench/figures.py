"""The figures of a run: what was measured, how often, and how it stands to the reference of the same round."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Measure:
    """Shape: `key` as in `--only`; `name` and `unit` as told; `digits` behind the point."""

    key: str
    name: str
    unit: str
    digits: int = 0


CHAT_RATE = Measure("chat", "POST /api/chat", "requests/s")
CHAT_P99 = Measure("chat", "POST /api/chat, p99", "ms", 1)
CHAT_CPU = Measure("chat", "POST /api/chat, CPU", "us/request")
CHAT_ADDED = Measure("latency", "POST /api/chat, added over direct", "ms", 2)
PIECE_RATE = Measure("stream", "stream pieces", "pieces/s")
FIRST_PIECE = Measure("latency", "first piece, added over direct", "ms", 2)
STREAM_KIB = Measure("memory", "an open slow stream", "KiB", 1)
IDLE_MIB = Measure("start", "idle memory", "MiB", 1)
PICTURES_MIB = Measure("pictures", "20 pictures of 30 MB at once, over idle", "MiB", 1)
START_SECONDS = Measure("start", "exec to first answer", "s", 2)
HISTORY_RATE = Measure("history", "GET /api/history, 20 turns", "requests/s")
CHAT_GROWTH = Measure("growth", "a turn, large store : small", "x", 2)
PAGE_GROWTH = Measure("growth", "a history page, large : small", "x", 2)

MEASURES = (
    CHAT_RATE,
    CHAT_P99,
    CHAT_CPU,
    CHAT_ADDED,
    PIECE_RATE,
    FIRST_PIECE,
    STREAM_KIB,
    IDLE_MIB,
    START_SECONDS,
    PICTURES_MIB,
    HISTORY_RATE,
    CHAT_GROWTH,
    PAGE_GROWTH,
)
KEYS = tuple(dict.fromkeys(measure.key for measure in MEASURES))


@dataclass(slots=True)
class Figures:
    """Shape: `names` are the subjects in the order of telling; `values` has for each measure and subject one a round.
    `crowded` holds where the load side had no core left, so that the figure is a lower bound."""

    names: list[str]
    values: dict[Measure, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(dict))
    crowded: set[tuple[Measure, str]] = field(default_factory=set)

    def add(self, measure: Measure, subject: str, value: float) -> None:
        self.values[measure].setdefault(subject, []).append(value)

    def median(self, measure: Measure, subject: str) -> float:
        """NaN where it was not measured."""
        some = self._known(measure, subject)
        return statistics.median(some) if some else math.nan

    def range(self, measure: Measure, subject: str) -> tuple[float, float]:
        some = self._known(measure, subject)
        return (min(some), max(some)) if some else (math.nan, math.nan)

    def ratio(self, measure: Measure, subject: str, reference: str) -> float:
        """The median of the rounds' own ratios: what slowed a whole round down slowed both."""
        pairs = zip(self.values[measure].get(subject, []), self.values[measure].get(reference, []), strict=False)
        ratios = [one / other for one, other in pairs if other]
        return statistics.median(ratios) if ratios else math.nan

    def subjects(self) -> list[str]:
        return [name for name in self.names if any(name in values for values in self.values.values())]

    def _known(self, measure: Measure, subject: str) -> list[float]:
        return [value for value in self.values[measure].get(subject, []) if not math.isnan(value)]
