"""Search: open an index and retrieve.

Terms come from `analysis`, and BM25 is computed over the postings: Whoosh's own analysers know no
Chinese and its query parser reads a question mark as a wildcard.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from .analysis import normalise, without_particles
from .generations import open_newest
from .passages import Hit, Passage
from .scoring import Question, score, weigh
from .segments import FIELDS, Index
from .store import SCHEMA

TITLE = 3  # a term in the title counts as three in the text
K1, B = 2.0, 0.75  # BM25: saturation of a term's frequency, and how far length is held against it
COMMON = 0.2  # terms in a greater share of the passages are not searched for
FEW = 100  # … but where so few have it, it costs nothing
CANDIDATES = 40  # passages that BM25 hands to the score
RANKING = 1.0  # the weight of BM25, scaled to 1 for its best, beside the score


class Retriever:
    """An open index. Calls may come from several threads, one at a time."""

    def __init__(self, folder: Path) -> None:
        """Open one generation; see `open`."""
        self._index = Index(folder)
        self._count = self._index.count
        self._places = [
            (segment, doc) for segment in self._index.segments for doc in range(segment.size)
        ]
        self._postings = self._read_postings()
        lengths = np.zeros(len(self._places))
        for docs, counts in self._postings.values():
            np.add.at(lengths, docs, counts)
        self._norm = K1 * (1 - B + B * lengths / max(1.0, lengths.sum() / max(1, self._count)))
        # Words repeat from question to question, known questions among the hits. What people ask
        # is not kept: it may be long.
        self._rarity = lru_cache(10_000)(self._find_rarity)
        self._weigh = partial(weigh, rarity=self._rarity)
        self._weigh_known = lru_cache(2_000)(self._weigh)
        self._smalltalk = self._read_smalltalk()

    @classmethod
    def open(cls, directory: Path) -> Retriever:
        """Open the newest index in `directory`.

        Raises:
            KnowledgeError: `no_index` where there is none; `old_index` where it was built by
                another version of PocketQA.
        """
        return open_newest(directory, lambda found: cls(found.require(SCHEMA).folder))

    def retrieve(self, text: str, k: int = 10) -> list[Hit]:
        """The `k` passages that answer `text` best, best first; small talk is left out.

        BM25 and the score together make the order. The score that a hit is given is its own or
        that of the hit before it, whichever is less: it falls with the rank.
        """
        asked = self._weigh(text)
        found = []
        for passage, relevance in self._candidates(asked, max(CANDIDATES, k)):
            own = score(asked, passage, self._weigh_known)
            found.append((own == 1.0, own + RANKING * relevance, own, passage))
        found.sort(key=lambda each: each[:2], reverse=True)
        hits: list[Hit] = []
        for _, _, own, passage in found[:k]:
            hits.append(Hit(passage, round(min(own, hits[-1].score if hits else 1.0), 6)))
        return hits

    def smalltalk(self, text: str) -> Passage | None:
        """The small talk that `text` is, wholly and but for punctuation and modal particles."""
        return self._smalltalk.get(without_particles(text))

    def related(
        self, text: str, hits: Sequence[Hit], k: int = 3, exclude: Iterable[str] = ()
    ) -> list[str]:
        """Up to `k` questions of curated passages near `text`, nearest first.

        Each is another question: none is `text`, one of `exclude`, or asks what the best hit
        answers.
        """
        taken = {normalise(text), *map(normalise, exclude)}
        best = hits[0].passage if hits else None
        if best:
            taken |= set(map(normalise, (best.title, *best.similar)))
        found: list[str] = []
        for passage in self._near(text, hits, best):
            asks = {normalise(question) for question in (passage.title, *passage.similar)}
            if passage.kind == "curated" and not asks & taken:
                taken |= asks
                found.append(passage.title)
                if len(found) == k:
                    break
        return found

    def close(self) -> None:
        """Close the files; the retriever is of no use afterwards."""
        self._index.close()

    def _near(self, text: str, hits: Sequence[Hit], best: Passage | None) -> Iterator[Passage]:
        """What was found, what lies near the question, near the best hit's own, and a choice."""
        yield from (hit.passage for hit in hits)
        for near in (text, best.title if best else ""):
            yield from (passage for passage, _ in self._candidates(self._weigh(near), CANDIDATES))
        yield from self._openers()

    def _openers(self) -> Iterator[Passage]:
        """The first curated passage of each category: an offer for a question like no other."""
        seen: set[str] = set()
        for passage in self._of_kind("curated"):
            if not passage.category or passage.category not in seen:
                seen.add(passage.category)
                yield passage

    def _candidates(self, question: Question, k: int) -> Iterator[tuple[Passage, float]]:
        """BM25's best `k`, each with its relevance, 1 for the best."""
        known = [term for term in question.terms if term in self._postings]
        limit = max(FEW, COMMON * self._count)
        # A question of common terms alone is still searched for, by all of them.
        chosen = [term for term in known if len(self._postings[term][0]) <= limit] or known
        scores = np.zeros(len(self._places))
        for term in chosen:
            docs, counts = self._postings[term]
            idf = math.log(self._count / (len(docs) + 1)) + 1
            scores[docs] += idf * counts * (K1 + 1) / (counts + self._norm[docs])
        for place in np.argsort(-scores, kind="stable")[:k]:
            if not scores[place]:
                return
            segment, doc = self._places[place]
            yield segment.passage(doc), float(scores[place] / scores.max())

    def _find_rarity(self, term: str) -> float:
        """1 for a term in no passage, falling with the logarithm of how many have it, to 0.1."""
        count = len(self._postings[term][0]) if term in self._postings else 0
        return max(0.1, 1 - math.log(count + 1) / math.log(self._count + 2))

    def _read_postings(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Of each term its documents, by their place, and its counts over all fields."""
        found: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        first = 0
        for segment in self._index.segments:
            for field in FIELDS:
                weight = TITLE if field == "title" else 1
                for term, docs, counts in segment.postings(field):
                    for doc, count in zip(docs.tolist(), counts.tolist(), strict=True):
                        if doc not in segment.deleted:
                            found[term][first + doc] += count * weight
            first += segment.size
        return {
            term: (np.array(list(docs)), np.array(list(docs.values())))
            for term, docs in found.items()
        }

    def _of_kind(self, kind: str) -> Iterator[Passage]:
        return (passage for passage in self._index.passages() if passage.kind == kind)

    def _read_smalltalk(self) -> dict[str, Passage]:
        found: dict[str, Passage] = {}
        for passage in self._of_kind("smalltalk"):
            for question in (passage.title, *passage.similar):
                found.setdefault(without_particles(question), passage)
        return found
