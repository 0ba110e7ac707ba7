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

    def room(self, saying: int) -> int:
        """Rows for prompts in a step in which so many sequences say something."""
        return min(self.piece, self._max_rows - saying) if saying else self._max_rows

    def order(self, reading: List[Sequence]) -> list[Sequence]:
        """Sequences that read their prompts, by who comes first in this step.

        Args:
            reading: in order of arrival.
        """
        if not reading:
            return []
        self._turn += 1
        oldest, shortest = reading[0], min(reading, key=lambda sequence: sequence.pending)
        first = [oldest, shortest] if self._turn % 2 else [shortest, oldest]
        return list(dict.fromkeys([*first, *reading]))

    def rows(self, sequence: Sequence, room: int) -> int:
        """How many tokens of its prompt are read, where there is room for so many rows."""
        if sequence.pending <= room:
            return sequence.pending
        end = (sequence.computed + room) // self.piece * self.piece
        return max(0, end - sequence.computed)
