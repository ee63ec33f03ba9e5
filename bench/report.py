"""The figures as Markdown: what was measured, whether the floors are reached, and on what machine."""

from __future__ import annotations

import math
from collections.abc import Iterable

from bench.figures import (
    CHAT_ADDED,
    CHAT_CPU,
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
from bench.floors import FLOORS
from bench.subjects import BARE, SERVICE

_HAVE_RATIO = (CHAT_RATE, CHAT_P99, PIECE_RATE)
_GROUPS: dict[str, tuple[Measure, ...]] = {
    "chat": (CHAT_RATE, CHAT_P99, CHAT_CPU, CHAT_ADDED),
    "stream": (PIECE_RATE, FIRST_PIECE, STREAM_KIB),
    "process": (START_SECONDS, IDLE_MIB, PICTURES_MIB),
    "history": (HISTORY_RATE, CHAT_GROWTH, PAGE_GROWTH),
}

CAVEAT = (
    "Each figure is the median of its rounds, with the least and the most in brackets and, where told, its ratio to "
    f"{BARE} (the median of the rounds' own ratios). Upstream and load share a core and everything is on loopback: "
    "the ratios of one run are what counts. Absolute figures differ between machines, and on a machine that does "
    "something else at the same time they differ from run to run; a wide bracket tells of that. "
    "A figure behind >= was limited by the core of the load, not by the subject."
)


def markdown(figures: Figures, facts: Iterable[str], skipped: Iterable[str]) -> str:
    parts = ["# Beside bare aiohttp", "\n".join(f"- {fact}" for fact in facts), *_figure_tables(figures)]
    if SERVICE in figures.subjects():
        parts.append(_floors_table(figures))
    parts.append(CAVEAT)
    parts += [f"Skipped: {text}" for text in skipped]
    return "\n\n".join(parts) + "\n"


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _figure_tables(figures: Figures) -> list[str]:
    """One table for each group of measures of which there is a figure."""
    tables = []
    for name, group in _GROUPS.items():
        subjects = [one for one in figures.subjects() if any(one in figures.values[measure] for measure in group)]
        head = [name, *(f"{measure.name}, {measure.unit}" for measure in group)]
        rows = [[subject, *(_cell(figures, measure, subject) for measure in group)] for subject in subjects]
        tables += [table(head, rows)] if rows else []
    return tables


def _cell(figures: Figures, measure: Measure, subject: str) -> str:
    value = figures.median(measure, subject)
    if math.isnan(value):
        return "-"
    least, most = figures.range(measure, subject)
    text = f"{value:,.{measure.digits}f} ({least:,.{measure.digits}f}..{most:,.{measure.digits}f})"
    if (measure, subject) in figures.crowded:
        text = ">= " + text
    if measure in _HAVE_RATIO and subject != BARE:
        ratio = figures.ratio(measure, subject, BARE)
        text += "" if math.isnan(ratio) else f" · {ratio:.2f} x"
    return text


def _floors_table(figures: Figures) -> str:
    rows = [[floor.told, *floor.verdict(figures)] for floor in FLOORS]
    return f"Floors, for `{SERVICE}`:\n\n" + table(["floor", "this run", ""], rows)
