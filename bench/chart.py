"""The figures as an SVG chart: one block of bars for each measure, the spread as a line across the bar's end."""

from __future__ import annotations

import math
from html import escape

from bench.figures import MEASURES, Figures, Measure
from bench.subjects import BARE

_WIDTH, _LABEL, _BAR_HEIGHT, _STEP, _TITLE = 860, 220, 14, 20, 30
_BARS = _WIDTH - _LABEL - 130
_STYLE = (
    "text{font:12px sans-serif;fill:#222}.t{font-weight:bold}.b{fill:#9aa4b1}.s{fill:#2f6fb2}.o{fill:#c9a45c}"
    ".r{stroke:#222;stroke-width:1.5}"
)


def svg(figures: Figures) -> str:
    parts: list[str] = []
    y = 10
    for measure in MEASURES:
        block = _block(figures, measure, y)
        parts += block
        y += _TITLE + _STEP * (len(block) - 1) + 8 if block else 0
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" viewBox="0 0 {_WIDTH} {y}">'
    ground = f'<style>{_STYLE}</style><rect width="{_WIDTH}" height="{y}" fill="#fff"/>'
    return "\n".join([head, ground, *parts, "</svg>"]) + "\n"


def _block(figures: Figures, measure: Measure, y: int) -> list[str]:
    """A title and a bar for every subject that has a figure."""
    subjects = [name for name in figures.subjects() if not math.isnan(figures.median(measure, name))]
    if not subjects:
        return []
    most = max(figures.range(measure, name)[1] for name in subjects)
    title = f'<text class="t" x="10" y="{y + 18}">{escape(measure.name)}, {escape(measure.unit)}</text>'
    return [title] + [
        _bar(figures, measure, name, most, y + _TITLE + number * _STEP) for number, name in enumerate(subjects)
    ]


def _bar(figures: Figures, measure: Measure, subject: str, most: float, y: int) -> str:
    value = figures.median(measure, subject)
    low, high = (_LABEL + _length(edge, most) for edge in figures.range(measure, subject))
    kind = "b" if subject.startswith(BARE) else "s" if subject.startswith("service") else "o"
    middle = y + _BAR_HEIGHT // 2
    return (
        f'<text x="{_LABEL - 8}" y="{y + 11}" text-anchor="end">{escape(subject)}</text>'
        f'<rect class="{kind}" x="{_LABEL}" y="{y}" width="{_length(value, most):.1f}" height="{_BAR_HEIGHT}"/>'
        f'<line class="r" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>'
        f'<text x="{high + 6:.1f}" y="{y + 11}">{value:,.{measure.digits}f}</text>'
    )


def _length(value: float, most: float) -> float:
    return max(value, 0.0) / max(most, 1e-9) * _BARS
