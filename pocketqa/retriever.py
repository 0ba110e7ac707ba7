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
from dataclasses import asdict
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
from .passages import Hit, Passage
from .scoring import Question, score, weigh

SCHEMA = 1  # raise it with every change of the fields or of `analysis`
TITLE = 3  # a term in the title counts as three in the text
K1, B = 2.0, 0.75  # BM25: saturation of a term's frequency, and how far length is held against it
COMMON = 0.2  # terms in a greater share of the passages are not searched for
FEW = 100  # … but where so few have it, it costs nothing
CANDIDATES = 40  # passages that BM25 hands to the score
RANKING = 1.0  # the weight of BM25, scaled to 1 for its best, beside the score
UNFINISHED_S = 3600  # a build that has taken longer than this was killed

_GENERATION, _BUILDING, _META = "gen-", ".building-", "meta.json"


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
        self._searcher = FileIndex(FileStorage(str(folder))).searcher(weighting=BM25F(B=B, K1=K1))
        self._count = self._searcher.doc_count()
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
        about = describe(directory)
        if about is None:
            raise KnowledgeError(
                "no_index",
                f"{directory} 中没有索引，请先运行 pocketqa index 文件…",
                f"no index in {directory}: run pocketqa index FILE… first",
            )
        if about["schema"] != SCHEMA:
            raise KnowledgeError(
                "old_index",
                f"{directory} 中的索引由另一版本建立，请重新运行 pocketqa index 文件…",
                f"the index in {directory} is of another version: run pocketqa index FILE… again",
            )
        return cls(_generations(directory)[-1])

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
        self._searcher.close()

    def _near(self, text: str, hits: Sequence[Hit], best: Passage | None) -> Iterator[Passage]:
        """What was found, what lies near the question, near the best hit's own, and a choice."""
        yield from (hit.passage for hit in hits)
        for near in (text, best.title if best else ""):
            yield from (passage for passage, _ in self._candidates(self._weigh(near), CANDIDATES))
        yield from self._openers()

    def _openers(self) -> Iterator[Passage]:
        """The first curated passage of each category: an offer for a question like no other."""
        seen: set[str] = set()
        for fields in self._searcher.documents(kind="curated"):
            passage = _load(fields["passage"])
            if not passage.category or passage.category not in seen:
                seen.add(passage.category)
                yield passage

    def _candidates(self, question: Question, k: int) -> Iterator[tuple[Passage, float]]:
        """BM25's best `k`, each with its relevance, 1 for the best."""
        frequency = self._searcher.reader().doc_frequency
        counts = {term: frequency("terms", term) for term in question.terms}
        known = {term: count for term, count in counts.items() if count}
        limit = max(FEW, COMMON * self._count)
        # A question of common terms alone is still searched for, by all of them.
        chosen = [term for term, count in known.items() if count <= limit] or list(known)
        found = self._searcher.search(Or([Term("terms", term) for term in chosen]), limit=k)
        for hit in found:
            yield _load(hit["passage"]), hit.score / found.top_n[0][0]

    def _find_rarity(self, term: str) -> float:
        """1 for a term in no passage, falling with the logarithm of how many have it, to 0.1."""
        count = self._searcher.reader().doc_frequency("terms", term)
        return max(0.1, 1 - math.log(count + 1) / math.log(self._count + 2))

    def _read_smalltalk(self) -> dict[str, Passage]:
        found: dict[str, Passage] = {}
        for fields in self._searcher.documents(kind="smalltalk"):
            passage = _load(fields["passage"])
            for question in (passage.title, *passage.similar):
                found.setdefault(without_particles(question), passage)
        return found


def _write(passages: Iterable[Passage], folder: Path) -> tuple[int, str]:
    schema = Schema(
        kind=ID(), passage=STORED(), terms=TEXT(SpaceSeparatedTokenizer(), phrase=False)
    )
    digest, count = hashlib.sha256(), 0
    index = FileStorage(str(folder)).create_index(schema)
    writer = index.writer(limitmb=256)
    try:
        for passage in passages:
            stored = json.dumps(asdict(passage), ensure_ascii=False)
            digest.update(stored.encode("utf-8", "surrogatepass") + b"\n")
            writer.add_document(kind=passage.kind, passage=stored, terms=_terms(passage))
            count += 1
        writer.commit()
    except BaseException:
        writer.cancel()
        raise
    finally:
        index.close()
    return count, digest.hexdigest()[:16]


def _terms(passage: Passage) -> str:
    """The terms of a passage, those of the title repeated by its weight, joined by spaces.

    Weighing a field by repeating it before BM25 saturates is the simple extension to several
    fields (Robertson, Zaragoza and Taylor 2004); a field each would count a word found in two of
    them twice. Small talk is stored and never searched.
    """
    if passage.kind == "smalltalk":
        return ""
    rest = "\n".join((*passage.similar, passage.text))
    return " ".join(terms(passage.title) * TITLE + terms(rest))


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
