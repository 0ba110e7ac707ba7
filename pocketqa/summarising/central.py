"""The most central sentences of a text, for where reading all of it would take too long.

A sentence counts by the words in it that many others of its text have (SumBasic: Nenkova and
Vanderwende 2005, with square roots of lengths instead of averages). What chosen sentences have said
counts less from then on, so that they tell different things. No model, no training: a page of
Chinese takes a millisecond or two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from ..analysis import words
from ..threads import unhurried

TOLD = 0.4
"""What a word counts once a chosen sentence has it."""
WANTED = 3.0
"""What a word of the asker's counts, beside the others."""

_IS_CONTENT = re.compile(r"[\u3400-\u9fff]{2,}|[^\W\d_]{4,}|.*\d.*", re.DOTALL)


def size(text: str) -> float:
    """What a text costs to read, in Chinese characters: a third of its bytes in UTF-8.

    So a Latin letter counts a third, which is near what tokenizers make of it.
    """
    return len(text.encode("utf-8", "surrogatepass")) / 3


class Centrality:
    """The sentences of a text, weighed.

    Args:
        sentences: in their order.
        wanted: what the asker is interested in; may be empty.
    """

    def __init__(self, sentences: Sequence[str], wanted: str = "") -> None:
        self.sentences = sentences
        self._sizes = np.array([max(1.0, size(text)) for text in sentences])
        self._factors = 1 / np.sqrt(self._sizes + 10)  # a heading of two words is no sentence
        self._wanted = {word for word, _ in words(wanted) if _IS_CONTENT.fullmatch(word)}

    @cached_property
    def _words(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each word in each sentence, once: the word's and the sentence's number; the weights
        of words."""
        numbers: dict[str, int] = {}
        which: list[int] = []
        where: list[int] = []
        for place, text in unhurried(enumerate(self.sentences), 50):
            for word in dict.fromkeys(word for word, _ in words(text)):
                if _IS_CONTENT.fullmatch(word):
                    which.append(numbers.setdefault(word, len(numbers)))
                    where.append(place)
        counts = np.bincount(which, minlength=len(numbers)).astype(float)
        weights = np.log1p(counts)
        for word in self._wanted & numbers.keys():
            weights[numbers[word]] *= WANTED
        return np.array(which, int), np.array(where, int), weights

    def choose(self, room: float) -> list[int]:
        """The most central sentences that fit into `room`, as `size` counts; in their order.

        At least one, however long it is; all of them where they fit.
        """
        if self._sizes.sum() <= room:
            return list(range(len(self.sentences)))
        return sorted(self.ranked(room))

    def ranked(self, room: float = np.inf) -> Iterator[int]:
        """The most central first, as far as they fit into `room`; the first one fits always."""
        which, where, weights = self._words
        weights, is_free = weights.copy(), np.ones(len(self.sentences), bool)
        fits = is_free
        while fits.any():
            scores = np.bincount(where, weights[which], len(self.sentences)) * self._factors
            best = int(np.where(fits, scores, -1.0).argmax())
            yield best
            is_free[best] = False
            room -= self._sizes[best]
            weights[which[where == best]] *= TOLD
            fits = is_free & (self._sizes <= room)
