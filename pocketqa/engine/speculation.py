"""How many tokens to draft: as many as bring more tokens than they cost time."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence as List

import numpy as np

from .sequence import Sequence

MOST = 15
"""Tokens of the longest draft."""
LEAST_CHANCE = 0.1
"""What is less likely to be right is not weighed."""
SHAPE = ((1, 1.0), (2, 1.1), (4, 1.3), (8, 2.2), (16, 3.5), (64, 12.0), (256, 45.0))
"""Rows of a step and its time, in units of a step of one row, until they are measured."""
CLASSES = [*range(2, 17), 24, 32, 48, 64, 128]
"""Steps whose rows lie between the same two of these are taken together."""
MEMORY = 500
"""What was not seen in so many steps is forgotten, or one bad measurement would count for ever."""


class Costs:
    """The time of a step by its rows, learnt from the steps."""

    def __init__(self, max_rows: int) -> None:
        self._shape = [_shape(rows) for rows in range(max_rows + 1)]
        self._class = [bisect(CLASSES, rows) for rows in range(max_rows + 1)]
        self._scales: dict[int, float] = {}  # of each measured class: seconds a unit
        self._guesses = [1.0] * (len(CLASSES) + 1)  # of every class, between the measured ones
        self._seen: dict[int, int] = {}  # at which step each class was measured last
        self._steps = 0

    def learn(self, rows: int, seconds: float) -> None:
        """A step of so many rows took so long."""
        scale, kind = seconds / self._shape[rows], self._class[rows]
        known = self._guesses[kind] if self._scales else scale
        # A step that was held up by something else counts little.
        weight = 0.2 if kind in self._scales else 0.5
        self._scales[kind] = known + weight * (min(scale, 2 * known) - known)
        self._steps += 1
        self._seen[kind] = self._steps
        for each in [each for each in self._scales if self._seen[each] <= self._steps - MEMORY]:
            del self._scales[each]
        measured = sorted(self._scales)
        scales = [self._scales[each] for each in measured]
        self._guesses = np.interp(range(len(self._guesses)), measured, scales).tolist()

    def __call__(self, rows: int) -> float:
        """Seconds, or before anything was measured units, that a step of `rows` takes."""
        return self._shape[rows] * self._guesses[self._class[rows]]


def _shape(rows: int) -> float:
    for (low, cheap), (high, dear) in zip(SHAPE, SHAPE[1:], strict=False):
        if rows <= high:
            return cheap + (dear - cheap) * (rows - low) / (high - low)
    return dear * rows / high


class Speculation:
    """Drafts for the sequences of a step, from what followed the same tokens earlier."""

    def __init__(self, max_rows: int) -> None:
        self.costs = Costs(max_rows)

    def draft(self, sequences: List[Sequence], rows: int, room: int) -> None:
        """Give sequences their drafts for a step that has `rows` without them.

        Token by token the likeliest draft grows, and what is kept is where the step yields most
        tokens a second. At most `room` tokens are drafted in all.
        """
        offers: list[tuple[float, int, int]] = []
        for n, sequence in enumerate(sequences):
            sequence.draft = []
            for k, chance in enumerate(sequence.propose(MOST), 1):
                if chance >= LEAST_CHANCE:
                    offers.append((chance, -k, n))
        if not offers:
            return
        offers.sort(reverse=True)  # of equal chances the shorter draft first
        expected = float(len(sequences))
        best, taken = expected / self.costs(rows), 0
        for count, (chance, _, _) in enumerate(offers[:room], 1):
            expected += chance
            if (speed := expected / self.costs(rows + count)) > best:
                best, taken = speed, count
        for _, k, n in offers[:taken]:
            sequences[n].draft = sequences[n].proposal[: max(-k, len(sequences[n].draft))]
