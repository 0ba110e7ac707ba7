"""Why a passage ranks where it does: the ranking's own numbers, taken apart.

Nothing is estimated here. The parts are computed by the code that ranks and add up to its score,
and the probabilities are those that answering decides by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import calibration, question
from .analysis import normalise
from .passages import Hit
from .ranking import LIKENESS, Ranked, default_weights
from .retriever import MAX_QUESTION, Retriever


@dataclass(frozen=True)
class Word:
    """A word of the question.

    Attributes:
        filler: whether it says how something is asked, and counts half.
        synonyms: what is searched for as well, with less weight.
        worth: its rarity in this knowledge base; 0 for filler.
        known: whether any passage has one of its terms.
    """

    text: str
    filler: bool
    synonyms: tuple[str, ...]
    worth: float
    known: bool


@dataclass(frozen=True)
class Why:
    """A hit, and what makes its score.

    Attributes:
        hit: as answering gets it.
        exact: whether the question is one that the passage is known to answer.
        score: the sum of `texts`, `alike` and `length`; comparable within a question.
        texts: what the question's terms add, by their presence in the passage.
        alike: what likeness to the nearest known question adds.
        length: what that question's length costs, below 0.
        nearest: the known question that is nearest.
        terms: (term, what it adds), the greatest first.
        held: (word of the question, share of it that the passage holds, 0 to 1).
        belongs: the probability that the question belongs to this knowledge base.
        answers: if so, that the passage answers it; `own` is the product of both.
        features: what these are computed from, see `calibration.FEATURES`.
    """

    hit: Hit
    exact: bool
    score: float
    texts: float
    alike: float
    length: float
    nearest: str
    terms: tuple[tuple[str, float], ...]
    held: tuple[tuple[str, float], ...]
    belongs: float
    answers: float
    features: dict[str, float]

    @property
    def own(self) -> float:
        """The hit's own probability; it is given that of the hit before it, if that is less."""
        return self.belongs * self.answers


@dataclass(frozen=True)
class Explanation:
    """A search, explained; `smalltalk` is the ready answer that would be given instead, if any."""

    words: tuple[Word, ...]
    hits: tuple[Why, ...]
    smalltalk: str = ""


def explain(retriever: Retriever, text: str, k: int = 10) -> Explanation:
    """Search for `text` as answering does, and say why each hit is where it is."""
    hits = retriever.retrieve(text, k)
    small = retriever.smalltalk(text)
    ranker = retriever.ranker
    asked = question.parse(text[:MAX_QUESTION], ranker.matrices.idf)
    words = _words(retriever, asked, text[:MAX_QUESTION])
    answer = small.text if small else ""
    if not hits:
        return Explanation(words, (), answer)
    ranked = ranker.rank(asked, max(k, 2))
    places = {retriever.passage(int(row)).id: at for at, row in enumerate(ranked.rows)}
    features = calibration.features(ranker, asked, ranked)
    belongs, answers = calibration.both(features)
    entries = ranker.entries(asked, ranked.rows)
    held = ranker.held(asked, ranked.rows)
    weights = default_weights()
    found = []
    for hit in hits:
        at = places[hit.passage.id]
        nearest = ranked.nearest[at]
        likeness = ranked.candidates.likeness[nearest]
        alike = sum(
            getattr(weights, name, 0.0) * value
            for name, value in zip(LIKENESS, likeness, strict=True)
        )
        terms = [(term, float(values[at])) for term, values in entries.items() if values[at] > 0]
        found.append(
            Why(
                hit=hit,
                exact=_is_known(text, hit),
                score=float(ranked.scores[at]),
                texts=sum(value for _, value in terms),
                alike=float(ranked.candidates.telling[nearest] * alike),
                length=-float(weights.length * ranked.candidates.length[nearest]),
                nearest=_nearest(hit, ranked, at),
                terms=tuple(sorted(terms, key=lambda each: -each[1])),
                held=tuple((w.text, float(s[at])) for w, s in zip(asked.words, held, strict=True)),
                belongs=float(belongs[at]),
                answers=float(answers[at]),
                features=dict(zip(calibration.FEATURES, map(float, features[at]), strict=True)),
            )
        )
    return Explanation(words, tuple(found), answer)


def _words(retriever: Retriever, asked: question.Question, text: str) -> tuple[Word, ...]:
    matrices = retriever.ranker.matrices
    content = {word.text: word for word in asked.words}
    found: dict[str, Word] = {}
    for word, filler, same in question.explain(text):
        terms = content[word].terms if word in content else ()
        worth = max(map(matrices.idf, terms), default=0.0)
        known = any(matrices.find(term) >= 0 for term in terms)
        found.setdefault(word, Word(word, filler, same, worth, known))
    return tuple(found.values())


def _nearest(hit: Hit, ranked: Ranked, at: int) -> str:
    """The wording of the known question that `ranked` names by its place among the candidate's."""
    owners = ranked.candidates.owners
    own = np.flatnonzero(owners == owners[ranked.nearest[at]])
    known = (hit.passage.title, *hit.passage.similar)
    return known[int(np.searchsorted(own, ranked.nearest[at]))]


def _is_known(text: str, hit: Hit) -> bool:
    if hit.passage.kind == "document":
        return False
    return normalise(text) in map(normalise, (hit.passage.title, *hit.passage.similar))
