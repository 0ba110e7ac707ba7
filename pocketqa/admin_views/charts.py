"""Small charts as numbers: where the bars of an inline SVG stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 560, 120
GAP = 0.3
"""Share of a bar's place that is left free."""
LABELS = 8
"""At most so many labels stand under a chart."""


@dataclass(frozen=True)
class Part:
    """A piece of a bar: its kind, which is its colour, and where it stands."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """A bar of pieces on each other."""

    label: str
    x: float
    width: float
    middle: float
    parts: tuple[Part, ...]
    labelled: bool


@dataclass(frozen=True)
class Chart:
    """Bars beside each other in a box of `WIDTH` by `HEIGHT`, which stands for `top`."""

    bars: tuple[Bar, ...]
    top: int
    width: int = WIDTH
    height: int = HEIGHT


def stacked(rows: Sequence[tuple[str, dict[str, int]]]) -> Chart:
    """A bar for each (label, {kind: count}), the first kind at the bottom."""
    top = max((sum(counts.values()) for _, counts in rows), default=0)
    place = WIDTH / max(1, len(rows))
    step = -(-len(rows) // LABELS)
    bars = []
    for number, (label, counts) in enumerate(rows):
        parts, y = [], float(HEIGHT)
        for kind, count in counts.items():
            height = HEIGHT * count / max(1, top)
            y -= height
            if count:
                parts.append(Part(kind, round(y, 1), round(height, 1)))
        x = (number + GAP / 2) * place
        middle = round((number + 0.5) * place, 1)
        width = round(place * (1 - GAP), 1)
        labelled = (len(rows) - 1 - number) % step == 0
        bars.append(Bar(label, round(x, 1), width, middle, tuple(parts), labelled))
    return Chart(tuple(bars), top)
