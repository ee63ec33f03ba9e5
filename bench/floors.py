"""What the service must reach, beside bare aiohttp in the same run, and whether this run shows it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from bench.figures import (
    CHAT_GROWTH,
    CHAT_P99,
    CHAT_RATE,
    FIRST_PIECE,
    HISTORY_RATE,
    IDLE_MIB,
    PAGE_GROWTH,
    PICTURES_MIB,
    PIECE_RATE,
    START_SECONDS,
    STREAM_KIB,
    Figures,
    Measure,
)
from bench.subjects import BARE, SERVICE


@dataclass(frozen=True, slots=True)
class Floor:
    """Shape: `told` is the floor in words; `read` takes the run's value; `limit` is the least, or the most."""

    told: str
    read: Callable[[Figures], float]
    limit: float
    at_least: bool
    unit: str

    def verdict(self, figures: Figures) -> tuple[str, str]:
        """The value as text, and `reached`, `missed` or `not measured`."""
        value = self.read(figures)
        if math.isnan(value):
            return "-", "not measured"
        reached = value >= self.limit if self.at_least else value <= self.limit
        shown = f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
        return f"{shown} {self.unit}", "reached" if reached else "**missed**"


def _ratio(measure: Measure) -> Callable[[Figures], float]:
    return lambda figures: figures.ratio(measure, SERVICE, BARE)


def _median(measure: Measure) -> Callable[[Figures], float]:
    return lambda figures: figures.median(measure, SERVICE)


def _first_piece_over_bare(figures: Figures) -> float:
    return figures.median(FIRST_PIECE, SERVICE) - figures.median(FIRST_PIECE, BARE)


FLOORS = (
    Floor("POST /api/chat, requests/s: at least 0.80 x bare", _ratio(CHAT_RATE), 0.80, True, "x"),
    Floor("POST /api/chat, p99 at 64 connections: at most 1.25 x bare", _ratio(CHAT_P99), 1.25, False, "x"),
    Floor("stream pieces/s: at least 1.6 x bare line by line", _ratio(PIECE_RATE), 1.6, True, "x"),
    Floor("first piece: at most 0.7 ms over bare", _first_piece_over_bare, 0.7, False, "ms"),
    Floor("an open slow stream: at most 36 KiB", _median(STREAM_KIB), 36, False, "KiB"),
    # Ordered are MB, measured are MiB: 50 MB are 47.7 MiB.
    Floor("idle memory: at most 50 MB", _median(IDLE_MIB), 50e6 / 2**20, False, "MiB"),
    Floor("20 pictures of 30 MB at once: at most 150 MB over idle", _median(PICTURES_MIB), 150e6 / 2**20, False, "MiB"),
    Floor("exec to first answer: at most 0.45 s", _median(START_SECONDS), 0.45, False, "s"),
    Floor("GET /api/history of 20 turns: at least 3,000/s", _median(HISTORY_RATE), 3000, True, "/s"),
    Floor("a turn as history grows: under 1.15 x", _median(CHAT_GROWTH), 1.15, False, "x"),
    Floor("a history page as history grows: under 1.15 x", _median(PAGE_GROWTH), 1.15, False, "x"),
)
