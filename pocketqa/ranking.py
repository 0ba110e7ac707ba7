"""Ranking: which passages of an index answer a question best, from its score matrices.

All passages get the sum of their matrix entries, each weighed by what its term is worth in the
question. The best `CANDIDATES` are then compared with the questions that they are known to answer.
The weights are in `ranking.json`, fitted by `benchmarks/fit.py`; docs/retrieval.md tells what each
of them brings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from .analysis import is_character
from .matrix import KINDS, key, load
from .question import Question
from .segments import Index, Segment

CANDIDATES = 100


@dataclass(frozen=True)
class Weights:
    """How much each part counts; see `Ranker.rank` for what they are."""

    characters: float
    pairs: float
    coverage: float
    reverse: float
    cosine: float
    length: float


@dataclass(frozen=True)
class Ranked:
    """The best passages, best first; each array has one entry for each of them.

    Attributes:
        rows: where they are: documents of all segments, one segment after the other.
        scores: comparable within one question only.
        coverage, reverse, cosine: likeness of the question and the nearest of those known: how much
            of the one is in the other by rarity, and the cosine.
        texts: share of what the question is worth that the whole passage holds, by its entries.
        telling: how far titles tell passages apart, see `matrix.Pivots`.
    """

    rows: np.ndarray
    scores: np.ndarray
    texts: np.ndarray
    coverage: np.ndarray
    reverse: np.ndarray
    cosine: np.ndarray
    telling: np.ndarray


class Ranker:
    """The matrices of one generation. Not for several threads at once: it has buffers."""

    def __init__(self, folder: Path, index: Index) -> None:
        """Map the matrices of `index`, which is in `folder`."""
        self.segments = index.segments
        self._matrices = [load(folder, segment) for segment in index.segments]
        self._firsts = np.cumsum([0, *(len(m.kinds) for m in self._matrices)])
        self._scores = np.zeros(int(self._firsts[-1]), np.float32)
        self._deleted = np.array(
            [first + doc for first, s in self._parts() for doc in s.deleted], np.int64
        )
        self.count = index.count
        self._index_terms()
        # Terms repeat from question to question.
        self._find = lru_cache(100_000)(self._search)

    def idf(self, term: str) -> float:
        """The rarity of a term, as in BM25; that of a term of no passage is the highest."""
        place = self._find(term)
        return self._unknown if place < 0 else float(self._rarities[place])

    def frequency(self, term: str) -> int:
        """How many passages have a term."""
        place = self._find(term)
        return 0 if place < 0 else int(self._frequencies[place])

    def place(self, row: int) -> tuple[int, int]:
        """The segment, and the document in it, of a row."""
        at = int(np.searchsorted(self._firsts, row, side="right")) - 1
        return at, row - int(self._firsts[at])

    def rows_of(self, kind: str) -> np.ndarray:
        """The rows of all live passages of a kind."""
        kinds = np.concatenate([m.kinds for m in self._matrices] or [np.zeros(0, np.uint8)])
        wanted = kinds == KINDS.index(kind)
        wanted[self._deleted] = False
        return np.flatnonzero(wanted)

    def rank(self, question: Question, k: int) -> Ranked:
        """The best `k` passages.

        `characters` and `pairs` weigh the shares of what the question is worth, in characters and
        in all other terms, that a passage's entries make up; the other weights the likeness of the
        nearest known question, as far as titles tell passages apart, less its length.
        """
        weights, scores = default_weights(), self._add_up(question)
        rows = _best(scores, max(CANDIDATES, k))
        texts = scores[rows]
        scores.fill(0)
        known = self._compare(question, rows)
        value = known.telling * (
            weights.coverage * known.coverage
            + weights.reverse * known.reverse
            + weights.cosine * known.cosine
            - weights.length * known.length
        )
        # Of a passage's known questions the nearest counts: the last of its own in this order.
        order = np.lexsort((value, known.owners))
        nearest = order[np.flatnonzero(np.diff(known.owners[order], append=len(rows)))]
        total = texts + value[nearest]
        best = np.argsort(-total, kind="stable")[:k]
        chosen = nearest[best]
        return Ranked(
            rows[best],
            total[best],
            texts[best] / (weights.characters + weights.pairs),
            known.coverage[chosen],
            known.reverse[chosen],
            known.cosine[chosen],
            known.telling[chosen],
        )

    def held(self, question: Question, rows: np.ndarray) -> np.ndarray:
        """Of what the question's words are worth, the share that each of `rows` holds, 0 to 1.

        A word is worth the rarity of its rarest term, and is held as far as its terms are.
        """
        held, total = np.zeros(len(rows)), 0.0
        for word in question.words:
            rarities = [self.idf(term) for term in word.terms]
            worth = max(rarities)
            total += worth
            share = worth / sum(rarities)
            for term, rarity in zip(word.terms, rarities, strict=True):
                for first, docs, _ in self._postings(self._find(term)):
                    at = np.searchsorted(docs, rows - first)
                    found = docs[np.minimum(at, len(docs) - 1)] == rows - first
                    held += share * rarity * found
        return held / total if total else held

    def known(self, question: Question) -> float:
        """Of what the question's words are worth, the share of those that any passage has."""
        worth = [
            (max(map(self.idf, word.terms)), any(map(self.frequency, word.terms)))
            for word in question.words
        ]
        total = sum(value for value, _ in worth)
        return sum(value for value, found in worth if found) / total if total else 0.0

    def _index_terms(self) -> None:
        """One vocabulary over all segments; most indexes have one, or one large and small ones."""
        keys = [matrix.keys for matrix in self._matrices]
        counts = [np.diff(matrix.starts) for matrix in self._matrices]
        everything = np.concatenate([*keys, np.zeros(0, np.uint64)])
        self._keys, places = np.unique(everything, return_inverse=True)
        sums = np.bincount(places, np.concatenate([*counts, []]), len(self._keys))
        self._frequencies = sums.astype(np.int64)
        self._rarities = _rarity(self._frequencies, self.count).astype(np.float32)
        self._unknown = float(_rarity(np.zeros(1), self.count)[0])
        ends = np.cumsum([len(each) for each in keys])
        # Of each segment: the vocabulary's place of its terms. Rising, so it is searched as well.
        self._places = np.split(places.astype(np.int32), ends[:-1]) if keys else []

    def _search(self, term: str) -> int:
        wanted = key(term)
        place = int(np.searchsorted(self._keys, np.uint64(wanted)))
        found = place < len(self._keys) and int(self._keys[place]) == wanted
        return place if found else -1

    def _parts(self) -> Iterator[tuple[int, Segment]]:
        return zip(self._firsts.tolist(), self.segments, strict=False)

    def _add_up(self, question: Question) -> np.ndarray:
        """The sum of entries of every row, in a buffer that the caller clears."""
        weights, scores = default_weights(), self._scores
        worth = {term: weight * self.idf(term) for term, weight in question.terms.items()}
        characters = sum(worth[t] for t in question.own if is_character(t) or t.isascii())
        pairs = sum(worth[t] for t in question.own if not is_character(t))
        for term, value in worth.items():
            weight = 0.0
            if characters and (is_character(term) or term.isascii()):
                weight += weights.characters * value / characters
            if pairs and not is_character(term):
                weight += weights.pairs * value / pairs
            for first, docs, entries in self._postings(self._find(term)):
                scores[docs + first if first else docs] += np.float32(weight) * entries
        scores[self._deleted] = 0
        return scores

    def _postings(self, place: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """(first row, documents, entries) of a term of the vocabulary in each segment."""
        if place < 0:
            return
        for first, matrix, places in zip(
            self._firsts.tolist(), self._matrices, self._places, strict=False
        ):
            local = int(np.searchsorted(places, place))
            if local < len(places) and places[local] == place:
                here = slice(matrix.starts[local], matrix.starts[local + 1])
                yield first, matrix.docs[here], matrix.entries[here]

    def _compare(self, question: Question, rows: np.ndarray) -> _Known:
        """Compare a question with those that each of `rows` is known to answer."""
        own = [t for t in question.own if is_character(t) or t.isascii()]
        places = np.array(sorted(p for p in map(self._find, own) if p >= 0), np.int32)
        mass = sum(map(self.idf, own)) or 1.0
        square = sum(self.idf(term) ** 2 for term in own) or 1.0
        found = []
        for at, matrix in enumerate(self._matrices):
            first = int(self._firsts[at])
            mine = np.flatnonzero((rows >= first) & (rows < self._firsts[at + 1]))
            if len(mine):
                docs = rows[mine] - first
                asked, owners = _slices(matrix.questions, docs)
                terms, of = _slices(matrix.question_starts, asked)
                global_terms = self._places[at][matrix.question_terms[terms]]
                rarities = self._rarities[global_terms]
                shared = rarities * np.isin(global_terms, places)
                n = len(asked)
                masses = np.bincount(of, rarities, n)
                both = np.bincount(of, shared, n)
                cosine = np.bincount(of, shared * shared, n) / np.sqrt(
                    square * np.bincount(of, rarities * rarities, n) + 1e-9
                )
                length = np.log1p(2 * np.bincount(of, minlength=n)) / 6
                telling = np.full(n, matrix.pivots.telling)
                found.append(
                    (mine[owners], both / mass, both / (masses + 1e-9), cosine, length, telling)
                )
        columns = zip(*found, strict=True) if found else [[np.zeros(0)]] * 6
        return _Known(*(np.concatenate(column) for column in columns))


@dataclass(frozen=True)
class _Known:
    """Known questions beside the one that is asked; an entry for each."""

    owners: np.ndarray
    coverage: np.ndarray
    reverse: np.ndarray
    cosine: np.ndarray
    length: np.ndarray
    telling: np.ndarray


def _rarity(frequencies: np.ndarray, count: int) -> np.ndarray:
    """Inverse document frequency, never negative, as in Lucene's BM25."""
    return np.log1p((np.maximum(count - frequencies, 0) + 0.5) / (frequencies + 0.5))


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    """The rows of the `k` highest scores above 0, in the order of rows."""
    if len(scores) > k:
        rows = np.sort(np.argpartition(scores, -k)[-k:])
    else:
        rows = np.arange(len(scores))
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
