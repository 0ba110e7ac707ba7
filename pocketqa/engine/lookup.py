"""Prompt lookup: what may come next is what followed the same few tokens earlier in the text.

Source: Apoorv Saxena, "Prompt Lookup Decoding" (2023). Grounded answers copy from their passages.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from operator import mul

LONGEST = 4
"""Tokens of the longest n-gram that is looked up."""
CHANCES = (0.35, 0.75, 0.8, 0.8, 0.85, 0.93)
"""How often an n-gram of 1, 2, ... tokens foretold the next one, in grounded answers."""
TRUST = 4
"""How many foretold tokens outweigh that."""


class Lookup:
    """An index of the n-grams of one growing sequence: where each last occurred.

    It costs a few dictionary entries a token. It learns how far to trust it as the text grows,
    from what it has proposed, whether that was tried or not.
    """

    def __init__(self) -> None:
        self.proposal: list[int] = []
        """Tokens that may follow."""
        self._after: dict[tuple[int, ...], int] = {}  # n-gram -> place of the token that followed
        self._indexed = 0
        self._matched = 0  # tokens of the n-gram that the proposal rests on
        self._right = [chance * TRUST for chance in CHANCES]
        self._tried = [float(TRUST) for _ in CHANCES]

    def propose(self, ids: Sequence[int], k: int) -> list[float]:
        """Propose at most `k` tokens that may follow `ids`, which may only have grown.

        The n-grams that end with the last token are looked up, the longest first.

        Returns:
            The chances that the proposal is right up to and with each of its tokens.
        """
        self._learn(ids)
        self._index(ids)
        self.proposal = []
        for n in range(min(LONGEST, len(ids)), 0, -1):
            place = self._after.get(tuple(ids[-n:]))
            if place is not None:
                self.proposal, self._matched = _following(ids, place, k), n
                break
        return list(accumulate(map(self._chance, range(len(self.proposal))), mul))

    def _chance(self, k: int) -> float:
        """That token `k` is right if those before it are: they count as matched, too."""
        n = min(self._matched + k, len(CHANCES)) - 1
        return self._right[n] / self._tried[n]

    def _learn(self, ids: Sequence[int]) -> None:
        """Compare what was proposed with what came."""
        new = ids[self._indexed :]
        for k, (proposed, came) in enumerate(zip(self.proposal, new, strict=False)):
            n = min(self._matched + k, len(CHANCES)) - 1
            self._tried[n] += 1
            if proposed != came:
                return
            self._right[n] += 1

    def _index(self, ids: Sequence[int]) -> None:
        """Note every n-gram that has a token after it."""
        for place in range(max(self._indexed, 1), len(ids)):
            for n in range(1, min(LONGEST, place) + 1):
                self._after[tuple(ids[place - n : place])] = place
        self._indexed = len(ids)


def _following(ids: Sequence[int], place: int, k: int) -> list[int]:
    """`k` tokens from `place` on; where the text ends, it goes on with itself, as a loop would."""
    period = len(ids) - place
    return [ids[place + n % period] for n in range(k)]
