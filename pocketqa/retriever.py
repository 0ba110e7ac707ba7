"""Search: open an index, retrieve passages with their probabilities, find related questions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np

from .analysis import normalise, without_particles
from .background import Background
from .calibration import probabilities
from .generations import Generation, open_newest
from .passages import Hit, Passage
from .question import Question, parse
from .ranking import Ranker
from .related import Neighbours
from .segments import Index
from .store import SCHEMA

NEAR = 40
"""Passages near a question that related ones are chosen from."""
SAME_TOPIC = 0.2
"""What a passage of the answer's topic has before others, where the best one's relevance is 1."""
OPENERS = 1_000
"""Curated passages, of all parts of a large index, that are looked at for one of each category."""
WHOLE = 0.99
"""A word is held as a whole from this share of its terms on."""
MAX_QUESTION = 300
"""Characters of a question that are searched for: what it is about stands in so many."""


class Retriever:
    """An open index. Calls may come from several threads, one at a time."""

    def __init__(self, folder: Path, background: Background | None = None) -> None:
        """Open one generation; see `open`."""
        self._index = Index(folder)
        self.ranker = Ranker(folder, self._index, background)
        self.passage = lru_cache(5_000)(self._read)
        self._smalltalk = self._read_smalltalk()

    @classmethod
    def open(cls, directory: Path, background: Background | None = None) -> Retriever:
        """Open the newest index in `directory`; a small one of documents wants a background.

        Raises:
            KnowledgeError: `no_index` where there is none; `old_index` where it was built by
                another version of PocketQA.
        """

        def opened(found: Generation) -> Retriever:
            return cls(found.require(SCHEMA).folder, background)

        return open_newest(directory, opened)

    def retrieve(self, text: str, k: int = 10) -> list[Hit]:
        """The `k` passages that answer `text` best, best first; small talk is left out.

        A hit's score is the probability that it answers the question. It falls with the rank: a
        hit is given its own or that of the hit before it, whichever is less.
        """
        question = self._parse(text)
        ranked = self.ranker.rank(question, max(k, 2))
        if not len(ranked.rows):
            return []
        passages = [self.passage(int(row)) for row in ranked.rows]
        asked = normalise(text)
        own = probabilities(self.ranker, question, ranked)
        found = [
            (1.0 if asked in _keys(passage) else float(probability), float(relevance), passage)
            for probability, relevance, passage in zip(
                own, ranked.scores / ranked.scores[0], passages, strict=True
            )
        ]
        # Who asks a known question as it stands gets its answer first.
        found.sort(key=lambda each: each[0] == 1.0, reverse=True)
        hits: list[Hit] = []
        for probability, relevance, passage in found[:k]:
            score = min(probability, hits[-1].score if hits else 1.0)
            hits.append(Hit(passage, round(score, 6), round(relevance, 6)))
        return hits

    def smalltalk(self, text: str) -> Passage | None:
        """The small talk that `text` is, wholly and but for punctuation and modal particles."""
        return self._smalltalk.get(without_particles(text))

    def related(
        self, text: str, hits: Sequence[Hit], k: int = 3, exclude: Iterable[str] = ()
    ) -> list[str]:
        """Up to `k` other questions near `text` that can be answered, nearest first.

        None is `text`, one of `exclude`, or a paraphrase of one of them or of what the best hit
        answers. Curated questions come first, titles of documents after them.
        """
        best = hits[0].passage if hits else None
        chosen = Neighbours(self.ranker.matrices.idf, [text, *exclude], best)
        for passage in self._near(text, best):
            if passage.kind == "document" and len(chosen.documents) >= k:
                continue
            if chosen.offer(passage) and len(chosen.curated) == k:
                break
        return (chosen.curated + chosen.documents)[:k]

    def names(self, text: str) -> bool:
        """Whether a passage holds a whole word of `text` that is not filler. For few passages."""
        question = self._parse(text)
        rows = np.arange(self._index.count)
        words = zip(question.words, self.ranker.held(question, rows), strict=True)
        return any(len(word.text) > 1 and held.max() > WHOLE for word, held in words)

    def examples(self, k: int) -> list[str]:
        """The first question of each of the first `k` categories."""
        return [passage.title for passage in islice(self._openers(), k)]

    def close(self) -> None:
        """Close the files; the retriever is of no use afterwards."""
        self._index.close()

    def _parse(self, text: str) -> Question:
        return parse(text[:MAX_QUESTION], self.ranker.matrices.idf)

    def _near(self, text: str, best: Passage | None) -> Iterator[Passage]:
        """What lies near the question and near the best hit's own, then a choice."""
        relevance: dict[int, float] = defaultdict(float)
        for near in [text, best.title] if best else [text]:
            ranked = self.ranker.rank(self._parse(near), NEAR)
            for row, score in zip(ranked.rows.tolist(), ranked.scores.tolist(), strict=True):
                relevance[row] += score / ranked.scores[0]
        if best:
            for row in relevance:
                relevance[row] += SAME_TOPIC * (self.passage(row).category == best.category)
        yield from map(self.passage, sorted(relevance, key=relevance.__getitem__, reverse=True))
        yield from islice(self._openers(), NEAR)

    def _openers(self) -> Iterator[Passage]:
        """The first curated passage of each category: an offer for a question like no other."""
        seen: set[str] = set()
        rows = self.ranker.matrices.rows_of("curated")
        for row in rows[:: 1 + len(rows) // OPENERS]:
            passage = self.passage(int(row))
            if not passage.category or passage.category not in seen:
                seen.add(passage.category)
                yield passage

    def _read(self, row: int) -> Passage:
        segment, doc = self.ranker.matrices.place(row)
        return self._index.segments[segment].passage(doc)

    def _read_smalltalk(self) -> dict[str, Passage]:
        found: dict[str, Passage] = {}
        for row in self.ranker.matrices.rows_of("smalltalk"):
            passage = self._read(int(row))
            for question in (passage.title, *passage.similar):
                found.setdefault(without_particles(question), passage)
        return found


def _keys(passage: Passage) -> set[str]:
    if passage.kind == "document":
        return set()
    return set(map(normalise, (passage.title, *passage.similar)))
