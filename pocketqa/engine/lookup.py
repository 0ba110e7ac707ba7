"""Prompt lookup: what may come next is what followed the same few tokens earlier in the text.

Source: Apoorv Saxena, "Prompt Lookup Decoding" (2023). Grounded answers copy from their passages.
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST = 4
"""Tokens of the longest n-gram that is looked up."""


class Lookup:
    """An index of the n-grams of one growing sequence: where each last occurred.

    It costs a few dictionary entries a token.
    """

    def __init__(self) -> None:
        self._after: dict[tuple[int, ...], int] = {}  # n-gram -> place of the token that followed
        self._indexed = 0

    def propose(self, ids: Sequence[int], k: int) -> tuple[list[int], int]:
        """At most `k` tokens that may follow `ids`, and the length of the n-gram they rest on.

        The last token's n-grams are looked up, the longest first; `ids` may only have grown since
        the last call.
        """
        self._index(ids)
        for n in range(min(LONGEST, len(ids)), 0, -1):
            place = self._after.get(tuple(ids[-n:]))
            if place is not None:
                return _following(ids, place, k), n
        return [], 0

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
