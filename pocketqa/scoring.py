"""The score of a hit: how far a passage covers a question, as a number from 0 to 1.

BM25 ranks, but its numbers have no scale: the best of nothing useful also has a score. Coverage has
one. Each word of the question weighs as it is rare in the index, and counts as covered as far as
the passage holds terms over it. What no passage holds weighs most, so a question about something
else stays low, however well its function words are matched.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from .analysis import clean, spans, words
from .passages import Passage

SINGLE = 0.35  # a lone character in common is a weak sign: 证 is in every second passage
TEXT = 0.75  # words found in the answer count less than words found in the question
FILLER = 0.1  # the weight of 请问, 怎么办, 一下 and their like, which any question may hold
BOTH = 0.25  # the share of the score for how much of the known question the asked one covers


@dataclass(frozen=True)
class Question:
    """A question as the score sees it.

    Attributes:
        spans: its terms with their places, see `analysis.spans`.
        weights: of each character of the cleaned text, 0 to 1.
        content: whether there is any word beside filler.
    """

    spans: tuple[tuple[str, int, int], ...]
    weights: tuple[float, ...]
    content: bool

    @property
    def terms(self) -> frozenset[str]:
        """Its distinct terms."""
        return frozenset(term for term, _, _ in self.spans)


def weigh(text: str, idf: Callable[[str], float]) -> Question:
    """Weigh the words of `text` by `idf`: of a term, 0 to 1, 1 for one that is nowhere."""
    weights = [0.0] * len(clean(text))
    content = False
    for word, begin, end, filler in words(text):
        weights[begin:end] = [FILLER if filler else idf(word)] * (end - begin)
        content |= not filler
    return Question(tuple(spans(text)), tuple(weights), content)


def coverage(question: Question, terms: Collection[str]) -> float:
    """The weighted share of the question's characters that lie under one of `terms`, 0 to 1."""
    total = sum(question.weights)
    if not total:
        return 0.0
    covered = [0.0] * len(question.weights)
    for term, begin, end in question.spans:
        if term in terms:
            degree = SINGLE if end - begin == 1 and not term.isascii() else 1.0
            for at in range(begin, end):
                covered[at] = max(covered[at], degree)
    return sum(w * c for w, c in zip(question.weights, covered, strict=True)) / total


def score(asked: Question, passage: Passage, weigh_known: Callable[[str], Question]) -> float:
    """The score of `passage` for the question `asked`.

    The best of its ways to ask counts, by how far each of the two questions covers the other; or
    its whole text. `weigh_known` is `weigh` with the idf of the index.
    """
    whole = {
        term
        for part in (passage.title, *passage.similar, passage.text)
        for term, _, _ in spans(part)
    }
    best = TEXT * coverage(asked, whole)
    for known in (passage.title, *passage.similar):
        other = weigh_known(known)
        both = (1 - BOTH) * coverage(asked, other.terms) + BOTH * coverage(other, asked.terms)
        best = max(best, both)
    return best if asked.content else best * FILLER
