"""Search: build an index of passages, open it, retrieve. The only file that imports Whoosh.

Terms come from `analysis`, joined by spaces, and queries are built from terms: Whoosh's own
analysers know no Chinese and its query parser reads a question mark as a wildcard.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from whoosh.analysis import SpaceSeparatedTokenizer
from whoosh.fields import ID, STORED, TEXT, Schema
from whoosh.filedb.filestore import FileStorage
from whoosh.index import FileIndex
from whoosh.query import Or, Term
from whoosh.scoring import BM25F

from .analysis import normalise, terms, without_particles
from .errors import KnowledgeError
from .passages import Passage
from .scoring import Question, score, weigh

SCHEMA = 1  # raise it with every change of the fields or of `analysis`
FIELDS = {"title": 2.0, "similar": 2.0, "text": 1.0}  # searched fields and their weights
CANDIDATES = 40  # passages that BM25 hands to the score
UNFINISHED_S = 3600  # a build that has taken longer than this was killed

_GENERATION, _BUILDING, _META = "gen-", ".building-", "meta.json"


@dataclass(frozen=True)
class Hit:
    """A passage that was found, and how surely it answers the question, 0 to 1."""

    passage: Passage
    score: float


def build(
    passages: Iterable[Passage], directory: Path, *, origin: dict[str, str] | None = None
) -> int:
    """Build an index of `passages` in `directory` beside the one that is there, then swap.

    A build is a folder that gets its lasting name when it is complete, in one step; the highest
    number is the index. So a build that is killed changes nothing, and a reader of the old index
    reads on. The one before is kept, older ones are removed. `origin` is handed back by `describe`.

    Returns the number of passages.
    """
    directory.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=directory))
    try:
        count, fingerprint = _write(passages, folder)
        meta = {
            "schema": SCHEMA,
            "origin": origin or {},
            "count": count,
            "fingerprint": fingerprint,
        }
        (folder / _META).write_text(json.dumps(meta, ensure_ascii=False), encoding="utf-8")
        _swap(folder, directory)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _tidy(directory)
    return count


def describe(directory: Path) -> dict[str, Any] | None:
    """What the index is: `schema`, `origin`, `count`, `fingerprint`. None where there is none."""
    found = _generations(directory)
    if not found:
        return None
    about: dict[str, Any] = json.loads((found[-1] / _META).read_text(encoding="utf-8"))
    return about


class Retriever:
    """An open index. Calls may come from several threads, one at a time."""

    def __init__(self, folder: Path) -> None:
        """Open one generation; see `open`."""
        self._searcher = FileIndex(FileStorage(str(folder))).searcher(weighting=BM25F())
        self._count = self._searcher.doc_count()
        # Words repeat from question to question; known questions repeat among the hits.
        self._rarity = lru_cache(20_000)(self._find_rarity)
        self._weigh = lru_cache(20_000)(partial(weigh, idf=self._rarity))
        self._smalltalk = self._read_smalltalk()

    @classmethod
    def open(cls, directory: Path) -> Retriever:
        """Open the newest index in `directory`.

        Raises:
            KnowledgeError: `no_index` where there is none; `old_index` where it was built by
                another version of PocketQA.
        """
        about = describe(directory)
        if about is None:
            raise KnowledgeError(
                "no_index",
                f"{directory} 中没有索引,请先运行 pocketqa index",
                f"no index in {directory}: run pocketqa index first",
            )
        if about["schema"] != SCHEMA:
            raise KnowledgeError(
                "old_index",
                f"{directory} 中的索引由另一版本建立,请重新运行 pocketqa index",
                f"the index in {directory} is of another version: run pocketqa index again",
            )
        return cls(_generations(directory)[-1])

    def retrieve(self, text: str, k: int = 10) -> list[Hit]:
        """The `k` passages that answer `text` best, best first; small talk is left out."""
        asked = weigh(text, self._rarity)
        hits = [
            Hit(passage, round(score(asked, passage, self._weigh), 6))
            for passage in self._candidates(asked, max(CANDIDATES, k))
        ]
        hits.sort(key=lambda hit: -hit.score)  # stable: BM25's order where scores are equal
        return hits[:k]

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
        self._searcher.close()

    def _near(self, text: str, hits: Sequence[Hit], best: Passage | None) -> Iterator[Passage]:
        """What was found, then what lies near the question, then near the best hit's own."""
        yield from (hit.passage for hit in hits)
        for near in (text, best.title if best else ""):
            yield from self._candidates(weigh(near, self._rarity), CANDIDATES)

    def _candidates(self, question: Question, k: int) -> Iterator[Passage]:
        query = Or(
            [
                Term(field, term, boost=weight)
                for term in sorted(question.terms)
                for field, weight in FIELDS.items()
            ]
        )
        for found in self._searcher.search(query, limit=k):
            yield _load(found["passage"])

    def _find_rarity(self, term: str) -> float:
        """idf scaled to 0..1: 1 for a term in no passage."""
        reader = self._searcher.reader()
        count = max(reader.doc_frequency(field, term) for field in FIELDS)
        return max(0.1, 1 - math.log(count + 1) / math.log(self._count + 2))

    def _read_smalltalk(self) -> dict[str, Passage]:
        found: dict[str, Passage] = {}
        for fields in self._searcher.documents(kind="smalltalk"):
            passage = _load(fields["passage"])
            for question in (passage.title, *passage.similar):
                found.setdefault(without_particles(question), passage)
        return found


def _write(passages: Iterable[Passage], folder: Path) -> tuple[int, str]:
    analyser = SpaceSeparatedTokenizer()
    searched = {field: TEXT(analyser, phrase=False) for field in FIELDS}
    schema = Schema(kind=ID(), passage=STORED(), **searched)
    digest, count = hashlib.sha256(), 0
    index = FileStorage(str(folder)).create_index(schema)
    writer = index.writer(limitmb=256)
    try:
        for passage in passages:
            stored = json.dumps(asdict(passage), ensure_ascii=False)
            digest.update(stored.encode("utf-8", "surrogatepass") + b"\n")
            writer.add_document(kind=passage.kind, passage=stored, **_searched(passage))
            count += 1
        writer.commit()
    except BaseException:
        writer.cancel()
        raise
    finally:
        index.close()
    return count, digest.hexdigest()[:16]


def _searched(passage: Passage) -> dict[str, str]:
    """The searched fields as terms joined by spaces; small talk is stored and never searched."""
    if passage.kind == "smalltalk":
        return {}
    parts = {"title": passage.title, "similar": "\n".join(passage.similar), "text": passage.text}
    return {field: " ".join(terms(part)) for field, part in parts.items()}


def _load(stored: str) -> Passage:
    fields = json.loads(stored)
    return Passage(**{**fields, "similar": tuple(fields["similar"])})


def _generations(directory: Path) -> list[Path]:
    """Complete indexes, oldest first."""
    return sorted(directory.glob(f"{_GENERATION}*"), key=_number)


def _number(generation: Path) -> int:
    return int(generation.name.removeprefix(_GENERATION))


def _swap(folder: Path, directory: Path) -> None:
    """Give a complete build the next number. Renaming onto a folder with files fails: try again."""
    while True:
        found = _generations(directory)
        number = _number(found[-1]) + 1 if found else 1
        try:
            os.rename(folder, directory / f"{_GENERATION}{number:06d}")
            return
        except OSError:
            if _generations(directory) == found:
                raise


def _tidy(directory: Path) -> None:
    """Remove all but the two newest indexes, and what killed builds have left."""
    for old in _generations(directory)[:-2]:
        shutil.rmtree(old, ignore_errors=True)
    for left in directory.glob(f"{_BUILDING}*"):
        if left.stat().st_mtime < time.time() - UNFINISHED_S:
            shutil.rmtree(left, ignore_errors=True)
