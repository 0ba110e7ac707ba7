"""Ranking: which passages of an index answer a question best.

All passages get the sum of their matrix entries, each weighed by what its term is worth in the
question. The best `CANDIDATES` are then compared with the questions that they are known to answer.
The weights are in `ranking.json`, fitted by `benchmarks/fit.py`; docs/retrieval.md tells what each
of them brings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np

from .analysis import is_character
from .background import Background
from .matrices import Matrices
from .question import Question
from .segments import Index

CANDIDATES = 100

LIKENESS = ("coverage", "reverse", "cosine", "pair_coverage", "pair_reverse", "pair_cosine")
"""How much of the question is in a known one by rarity, how much of that is in the question, and
the cosine; of their characters, then of their other terms."""


@dataclass(frozen=True)
class Weights:
    """How much each part counts.

    Attributes:
        characters, pairs: the share of what the question is worth that a passage's entries make
            up, in characters and in all other terms.
        coverage, reverse, cosine, pair_reverse: of `LIKENESS`, as far as titles tell passages
            apart. The others of `LIKENESS` did not help.
        length: what the logarithm of the known question's length costs.
    """

    characters: float
    pairs: float
    coverage: float
    reverse: float
    cosine: float
    pair_reverse: float
    length: float


@dataclass(frozen=True)
class Candidates:
    """Passages that were compared with a question, and each question they are known to answer.

    Attributes:
        rows: (n,) where they are, see `Matrices`.
        characters, pairs: (n,) see `Weights`.
        owners: (m,) of each known question its place in `rows`.
        likeness: (m, 6) see `LIKENESS`; 0 to 1 each.
        length: (m,) logarithm of the number of its characters.
        telling: (m,) how far titles tell passages apart, see `matrix.Pivots`.
    """

    rows: np.ndarray
    characters: np.ndarray
    pairs: np.ndarray
    owners: np.ndarray
    likeness: np.ndarray
    length: np.ndarray
    telling: np.ndarray


@dataclass(frozen=True)
class Ranked:
    """The best passages, best first; each array has an entry for each.

    `scores` are comparable within one question only. `nearest` is the place of its nearest known
    question in `candidates`, `at` its own.
    """

    rows: np.ndarray
    scores: np.ndarray
    at: np.ndarray
    nearest: np.ndarray
    candidates: Candidates


class Ranker:
    """Ranks the passages of one generation. Not for several threads at once: it has buffers."""

    def __init__(self, folder: Path, index: Index, background: Background | None = None) -> None:
        """Map the matrices of `index`, which is in `folder`."""
        self.index, self.matrices = index, Matrices(folder, index, background)
        rows = self.matrices.firsts[-1]
        self._characters, self._pairs = np.zeros(rows, np.float32), np.zeros(rows, np.float32)

    def rank(self, question: Question, k: int) -> Ranked:
        """The best `k` passages."""
        weights = default_weights()
        found = self.candidates(question, max(CANDIDATES, k), weights)
        likeness = found.likeness @ [getattr(weights, name, 0.0) for name in LIKENESS]
        value = found.telling * likeness - weights.length * found.length
        # Of a passage's known questions the nearest counts: the last of its own in this order.
        order = np.lexsort((value, found.owners))
        nearest = order[np.flatnonzero(np.diff(found.owners[order], append=len(found.rows)))]
        scores = weights.characters * found.characters + weights.pairs * found.pairs
        scores = scores + value[nearest]
        best = np.argsort(-scores, kind="stable")[:k]
        return Ranked(found.rows[best], scores[best], best, nearest[best], found)

    def candidates(self, question: Question, k: int, weights: Weights) -> Candidates:
        """The `k` passages with the highest sums of entries, compared with the question."""
        self._add_up(question)
        total = weights.characters * self._characters + weights.pairs * self._pairs
        total[self.matrices.deleted] = 0
        rows = _best(total, k)
        characters, pairs = self._characters[rows], self._pairs[rows]
        self._characters.fill(0)
        self._pairs.fill(0)
        return Candidates(rows, characters, pairs, *self._compare(question, rows))

    def held(self, question: Question, rows: np.ndarray) -> np.ndarray:
        """Of each word of the question, the share that each of `rows` holds; (words, rows).

        A word is held as far as its terms are, by rarity, or those of one of its synonyms.
        """
        shares = np.zeros((len(question.words), len(rows)))
        for word, share in zip(question.words, shares, strict=True):
            for terms in (word.terms, *word.synonyms):
                np.maximum(share, self._share(terms, rows), out=share)
        return shares

    def _share(self, terms: tuple[str, ...], rows: np.ndarray) -> np.ndarray:
        share, total = np.zeros(len(rows)), 0.0
        for term in terms:
            rarity = self.matrices.idf(term)
            total += rarity
            for first, docs in self.matrices.holders(self.matrices.find(term)):
                # Of one type with `docs`, which would be converted as a whole otherwise.
                wanted = (rows - first).astype(docs.dtype)
                at = np.minimum(docs.searchsorted(wanted), len(docs) - 1)
                share += rarity * (docs[at] == wanted)
        return share / total

    def entries(self, question: Question, rows: np.ndarray) -> dict[str, np.ndarray]:
        """What each term of the question adds to the score of each of `rows`, to say why."""
        weights, sums = default_weights(), np.zeros(self.matrices.firsts[-1], np.float32)
        found: dict[str, np.ndarray] = {}
        for weight, counts in ((weights.characters, _is_basic), (weights.pairs, _is_pair)):
            for term, share in self._shares(question, counts):
                sums.fill(0)
                self.matrices.add(self.matrices.find(term), share, sums)
                found[term] = found.get(term, 0) + weight * sums[rows]
        return found

    def _add_up(self, question: Question) -> None:
        """Sum up the entries of every row, of characters and of pairs, in the buffers."""
        for sums, counts in ((self._characters, _is_basic), (self._pairs, _is_pair)):
            for term, share in self._shares(question, counts):
                self.matrices.add(self.matrices.find(term), share, sums)

    def _shares(
        self, question: Question, counts: Callable[[str], bool]
    ) -> Iterator[tuple[str, float]]:
        """The terms that `counts` picks, each with its share in the worth of the own ones."""
        worth = {term: weight * self.matrices.idf(term) for term, weight in question.terms.items()}
        total = sum(worth[term] for term in question.own if counts(term))
        for term in filter(counts, worth if total else ()):
            yield term, worth[term] / total

    def _compare(self, question: Question, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """Compare a question with those that each of `rows` is known to answer."""
        found = [
            self._compare_part(question, rows, part) for part in range(len(self.matrices.parts))
        ]
        columns = zip(*(each for each in found if each), strict=True)
        joined = tuple(np.concatenate(column) for column in columns)
        nothing = np.zeros(0)
        return joined or (np.zeros(0, int), np.zeros((0, len(LIKENESS))), nothing, nothing)

    def _compare_part(
        self, question: Question, rows: np.ndarray, part: int
    ) -> tuple[np.ndarray, ...] | None:
        matrices, matrix = self.matrices, self.matrices.parts[part]
        first, end = matrices.firsts[part : part + 2]
        mine = np.flatnonzero((rows >= first) & (rows < end))
        if not len(mine):
            return None
        asked, owners = _slices(matrix.questions, rows[mine] - first)
        terms, of = _slices(matrix.question_starts, asked)
        places = matrices.places[part][matrix.question_terms[terms]]
        own = np.array(sorted(map(matrices.find, question.own)), np.int32)
        rarities, shared = matrices.rarities[places], np.isin(places, own)
        characters = matrices.characters[places]
        likeness: list[np.ndarray] = []
        for counts, kept in ((_is_basic, characters != 0), (_is_pair, characters != 1)):
            idf = np.array([matrices.idf(term) for term in question.own if counts(term)])
            likeness += _likeness(idf, rarities * kept, shared, of, len(asked))
        length = np.log1p(np.bincount(of, characters != 0, len(asked)))
        telling = np.full(len(asked), matrix.pivots.telling)
        return mine[owners], np.stack(likeness, axis=1), length, telling


def _likeness(
    asked: np.ndarray, rarities: np.ndarray, shared: np.ndarray, of: np.ndarray, n: int
) -> list[np.ndarray]:
    """How like a question, whose terms have the rarities `asked`, `n` known ones are.

    `rarities` are those of the known questions' terms, `shared` says which the question has too,
    `of` whose they are. Returns three arrays of `n`: coverage, reverse coverage, cosine.
    """
    tiny = 1e-9
    both = np.bincount(of, rarities * shared, n)
    squares = np.bincount(of, rarities**2 * shared, n)
    norm = np.sqrt(np.bincount(of, rarities**2, n) * (asked @ asked))
    return [
        both / (asked.sum() + tiny),
        both / (np.bincount(of, rarities, n) + tiny),
        squares / (norm + tiny),
    ]


def _is_basic(term: str) -> bool:
    """Characters, and Latin words, which are both a character's and a pair's match."""
    return is_character(term) or term.isascii()


def _is_pair(term: str) -> bool:
    return not is_character(term)


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    """The rows of the `k` highest scores above 0, in the order of rows."""
    rows = np.arange(len(scores))
    if len(scores) > k:
        rows = np.sort(np.argpartition(scores, -k)[-k:])
    return rows[scores[rows] > 0]


def _slices(starts: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The members of slices `starts[i]:starts[i + 1]`, and the place in `which` of each."""
    begins = np.asarray(starts[which])
    lengths = np.asarray(starts[which + 1]) - begins
    owners = np.repeat(np.arange(len(which)), lengths)
    offsets = np.arange(len(owners)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return begins[owners] + offsets, owners


@cache
def default_weights() -> Weights:
    """The fitted weights that PocketQA brings along."""
    text = (Path(__file__).parent / "ranking.json").read_text(encoding="utf-8")
    return Weights(**json.loads(text)["ranking"])


def as_json(weights: Weights) -> dict[str, float]:
    """The form of `ranking.json`."""
    return asdict(weights)
