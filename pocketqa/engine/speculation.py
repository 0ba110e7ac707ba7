"""How many tokens to draft: as many as bring more tokens than they cost time."""

from __future__ import annotations

from collections.abc import Sequence as List

from .sequence import Sequence

MOST = 15
"""Tokens of the longest draft."""
FORGETTING = 0.25
"""Weight of the newest draft in a sequence's acceptance."""
RECOVERY = 0.02
"""How fast a sequence that does not draft is believed again: it tries once in some 20 steps."""
SHAPE = ((1, 1.0), (2, 1.1), (4, 1.3), (8, 2.2), (16, 3.5), (64, 12.0), (256, 45.0))
"""Rows of a step and its time, in units of a step of one row, until they are measured."""


class Costs:
    """The time of a step by its rows, learnt from the steps."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}

    def learn(self, rows: int, seconds: float) -> None:
        """A step of so many rows took so long."""
        known = self._seconds.get(rows, seconds)
        # A step that was held up by something else counts little.
        self._seconds[rows] = known + 0.2 * (min(seconds, 2 * known) - known)

    def __call__(self, rows: int) -> float:
        """Seconds, or where none were measured, units, that a step of `rows` takes."""
        if not self._seconds:
            return _shape(rows)
        nearest = min(self._seconds, key=lambda known: abs(known - rows))
        return self._seconds[nearest] * _shape(rows) / _shape(nearest)


def _shape(rows: int) -> float:
    for (low, cheap), (high, dear) in zip(SHAPE, SHAPE[1:], strict=False):
        if rows <= high:
            return cheap + (dear - cheap) * (rows - low) / (high - low)
    return dear * rows / high


class Speculation:
    """Drafts for the sequences of a step, from what followed the same tokens earlier."""

    def __init__(self) -> None:
        self.costs = Costs()

    def draft(self, sequences: List[Sequence], rows: int, room: int) -> None:
        """Give sequences their drafts for a step that has `rows` without them.

        Token by token the likeliest draft grows, and what is kept is where the step yields most
        tokens a second. At most `room` tokens are drafted in all.
        """
        offers: list[tuple[float, int, int]] = []
        proposed: list[list[int]] = []
        for n, sequence in enumerate(sequences):
            sequence.draft = []
            proposed.append(self._propose(sequence))
            offers += [(sequence.acceptance**k, -k, n) for k in range(1, len(proposed[n]) + 1)]
        offers.sort(reverse=True)
        expected = float(len(sequences))
        best, taken = expected / self.costs(rows), 0
        for count, (chance, _, _) in enumerate(offers[:room], 1):
            expected += chance
            if (speed := expected / self.costs(rows + count)) > best:
                best, taken = speed, count
        for _, k, n in offers[:taken]:
            sequences[n].draft = proposed[n][: max(-k, len(sequences[n].draft))]

    def learn(self, sequence: Sequence, right: int) -> None:
        """The first `right` tokens of its draft were what the model said."""
        if sequence.draft:
            share = right / len(sequence.draft)
            sequence.acceptance += FORGETTING * (share - sequence.acceptance)
        else:
            sequence.acceptance += RECOVERY * (0.5 - sequence.acceptance)

    def _propose(self, sequence: Sequence) -> list[int]:
        if sequence.lookup is None:
            return []
        return sequence.lookup.propose(sequence.ids, min(MOST, sequence.left - 1))[0]
