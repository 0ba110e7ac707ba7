"""From a ranking to the probability that a passage answers the question."""

from __future__ import annotations

import numpy as np

from .question import Question
from .ranking import Ranked, Ranker


def features(ranker: Ranker, question: Question, ranked: Ranked) -> np.ndarray:
    """What tells whether a hit answers the question; (hits, features)."""
    scores = ranked.scores
    n = len(scores)
    rival = np.full(n, scores[0])
    rival[0] = scores[1] if n > 1 else 0.0
    held = ranker.held(question, ranked.rows)
    own = np.stack(
        [
            ranked.texts,
            held,
            ranked.coverage,
            ranked.reverse,
            ranked.cosine,
            scores,
            scores - rival,
            np.full(n, ranker.known(question)),
            np.full(n, np.log1p(len(question.words))),
            np.full(n, np.log1p(len(question.text))),
            ranked.telling,
        ],
        axis=1,
    )
    return own


def probabilities(ranker: Ranker, question: Question, ranked: Ranked) -> np.ndarray:
    """The probability of each hit."""
    return np.clip(ranked.scores / 2, 0, 1)
