"""The score of a hit: how far a passage covers a question, as a number from 0 to 1.

BM25 ranks, but its numbers have no scale: the best of nothing useful also has a score. Coverage has
one. Each word of the question weighs as it is rare in the index, and counts as covered as far as
the passage holds terms over it. What no passage holds weighs most, so a question about something
else stays low, however well its function words are matched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .analysis import clean, holds, normalise, spans, words
from .passages import Passage

SINGLE = 0.35  # a lone character in common is a weak sign: 证 is in every second passage
TEXT = 0.65  # at most this for a text that holds every word, under a title that holds none
FILLER = 0.1  # the weight of 请问, 怎么办, 一下 and their like, which any question may hold
BACK = 0.25  # the share of a pair's likeness for how far the known question is covered in turn


@dataclass(frozen=True)
class Question:
    """A question as the score sees it.

    Attributes:
        text: the cleaned text.
        spans: its terms with their places in `text`, see `analysis.spans`.
        weights: of each character of `text`, 0 to 1.
        content: whether there is any word beside filler.
    """

    text: str
    spans: tuple[tuple[str, int, int], ...]
    weights: tuple[float, ...]
    content: bool

    @property
    def terms(self) -> list[str]:
        """Its distinct terms, in the order of the text."""
        return list(dict.fromkeys(term for term, _, _ in self.spans))


def weigh(text: str, rarity: Callable[[str], float]) -> Question:
    """Weigh the words of `text` by their `rarity`: 0 to 1, 1 for one that is in no passage."""
    text = clean(text)
    weights = [0.0] * len(text)
    content = False
    for word, begin, end, filler in words(text):
        weights[begin:end] = [FILLER if filler else rarity(word)] * (end - begin)
        content |= not filler
    return Question(text, tuple(spans(text)), tuple(weights), content)


def coverage(question: Question, text: str) -> float:
    """The weighted share of the question's characters over which the clean `text` holds a term."""
    total = sum(question.weights)
    if not total:
        return 0.0
    covered = [0.0] * len(question.weights)
    for term, begin, end in question.spans:
        if holds(text, term):
            degree = SINGLE if end - begin == 1 else 1.0
            for at in range(begin, end):
                covered[at] = max(covered[at], degree)
    return sum(w * c for w, c in zip(question.weights, covered, strict=True)) / total


def score(asked: Question, passage: Passage, weighed: Callable[[str], Question]) -> float:
    """How surely `passage` answers the question `asked`, 0 to 1; 1 where it is one of its own.

    The mean of how far the whole passage covers the question, and of the likeness to the nearest
    of the questions it is known to answer. `weighed` is `weigh` with the rarities of the index.
    """
    known = [weighed(question) for question in (passage.title, *passage.similar)]
    if normalise(asked.text) in (normalise(question.text) for question in known):
        return 1.0
    whole = coverage(asked, "\n".join([*(q.text for q in known), clean(passage.text)]))
    likeness = max(
        (1 - BACK) * coverage(asked, question.text) + BACK * coverage(question, asked.text)
        for question in known
    )
    best = max(TEXT * whole, (whole + likeness) / 2)
    return best if asked.content else best * FILLER
