"""What the next step computes: every answer's next token, and a piece of a prompt."""

from __future__ import annotations

from collections.abc import Sequence as List

from .sequence import Sequence


class Schedule:
    """Shares the rows of a step among the sequences.

    Every answer that is being said gets its row. Beside them a quarter of the rows is for prompts,
    so that nobody's next token waits long; without them, all rows. Prompts take turns at being
    first: the oldest, which so is sure to get on, and the one with the least left to read, which so
    needs not wait for a long one. A prompt's pieces end at multiples of that quarter: a network
    whose results depend on the pieces' sizes then still gives the same in any company.
    """

    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
        self.piece = max(1, max_rows // 4)
        self._turn = 0

    def prompts(self, reading: List[Sequence], saying: int) -> list[tuple[Sequence, int]]:
        """Which prompts are read in this step, and how many tokens of each.

        Args:
            reading: sequences whose prompts are being read, in order of arrival.
            saying: how many sequences say something in this step.
        """
        room = min(self.piece, self._max_rows - saying) if saying else self._max_rows
        chosen = []
        for sequence in self._order(reading):
            rows = self._rows(sequence, room)
            if rows:
                chosen.append((sequence, rows))
                room -= rows
        return chosen

    def _order(self, reading: List[Sequence]) -> list[Sequence]:
        if not reading:
            return []
        self._turn += 1
        oldest, shortest = reading[0], min(reading, key=lambda sequence: sequence.pending)
        first = [oldest, shortest] if self._turn % 2 else [shortest, oldest]
        return list(dict.fromkeys([*first, *reading]))

    def _rows(self, sequence: Sequence, room: int) -> int:
        if sequence.pending <= room:
            return sequence.pending
        end = (sequence.computed + room) // self.piece * self.piece
        return max(0, end - sequence.computed)
