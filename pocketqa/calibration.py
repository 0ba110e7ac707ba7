"""From a ranking to the probability that a passage answers the question.

It is the product of two logistic models: whether the question belongs to this knowledge base at
all, and, if so, whether the passage answers it. Questions about something else share words with
passages by chance, so the first looks at what the question's words are worth that no passage has;
questions that belong differ in how far the best passage leads. Coefficients are in `ranking.json`,
fitted by `benchmarks/fit.py`; data and figures are in docs/retrieval.md.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np

from .question import Question
from .ranking import Ranked, Ranker

FEATURES = (
    "texts",  # share of what the question is worth that the passage's entries make up
    "held",  # share of what its words are worth that the passage holds
    "found",  # logarithm of the worth of the words that the passage holds
    "missing",  # and of those that it does not hold
    "surest",  # worth of the rarest word that it holds
    "words",  # logarithm of the number of words
    "alike",  # likeness to the nearest known question, both ways
    "score",
    "lead",  # score less that of the best other passage
    "relative_lead",
    "telling",  # how far titles tell passages apart in this index
)
ANSWERS = ("texts", "held", "alike", "score", "lead", "relative_lead", "telling")
BELONGS = ("texts", "held", "alike", "found", "missing", "surest", "words", "telling")


def features(ranker: Ranker, question: Question, ranked: Ranked) -> np.ndarray:
    """What tells whether a hit answers the question; (hits, features)."""
    found, idf, scores = ranked.candidates, ranker.matrices.idf, ranked.scores
    n = len(scores)
    rival = np.full(n, scores[0])
    rival[0] = scores[1] if n > 1 else 0.0
    worth = np.array([max(map(idf, word.terms)) for word in question.words])
    held = ranker.held(question, ranked.rows)
    telling = found.telling[ranked.nearest]
    coverage, reverse, _, pair_coverage, pair_reverse, _ = (
        found.likeness[ranked.nearest].T * telling
    )
    columns = {
        "texts": (found.characters + found.pairs)[ranked.at] / 2,
        "held": worth @ held / (worth.sum() or 1.0),
        "found": np.log1p(worth @ held),
        "missing": np.log1p(worth @ (1 - held)),
        "surest": (worth[:, None] * held).max(0, initial=0.0),
        "words": np.full(n, np.log1p(len(worth))),
        "alike": np.maximum(coverage * reverse, pair_coverage * pair_reverse),
        "score": scores,
        "lead": scores - rival,
        "relative_lead": (scores - rival) / (np.abs(scores) + 0.1),
        # The few headings of a single document differ, but nobody wrote them to be asked.
        "telling": telling if ranker.matrices.background is None else np.zeros(n),
    }
    return np.stack([columns[name] for name in FEATURES], axis=1)


def probabilities(ranker: Ranker, question: Question, ranked: Ranked) -> np.ndarray:
    """The probability of each hit that it answers the question; (hits,)."""
    if not len(ranked.rows):
        return np.zeros(0)
    belongs, answers = both(features(ranker, question, ranked))
    return belongs * answers


def both(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two probabilities of hits with the `features` `values`: belonging, and answering then."""
    models = _models()
    return _logistic(values, models["belongs"]), _logistic(values, models["answers"])


def _logistic(values: np.ndarray, model: dict[str, float]) -> np.ndarray:
    coefficients = np.array([model.get(name, 0.0) for name in FEATURES])
    logit = values @ coefficients + model["intercept"]
    return 1 / (1 + np.exp(-np.clip(logit, -50, 50)))


@cache
def _models() -> dict[str, dict[str, float]]:
    text = (Path(__file__).parent / "ranking.json").read_text(encoding="utf-8")
    models: dict[str, dict[str, float]] = json.loads(text)
    return models
