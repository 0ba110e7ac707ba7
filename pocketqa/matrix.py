"""The score matrix of a segment: what each term is worth in each passage, ready to be added up.

Derived once from Whoosh's postings and memory-mapped from then on, so that a query costs a few
vector additions. An entry is BM25F's saturated frequency (Robertson and Zaragoza 2009) of a term
in a passage, without the term's rarity, which changes when passages come and go:

    x = sum over fields of weight * count / (1 - b + b * length / pivot),  entry = x / (x + K1)

Segments never change, so neither does their matrix. Lengths are compared with the pivots of the
index's first large segment, so that entries of all segments are on one scale.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from .analysis import is_character, terms
from .passages import Kind
from .segments import Index, Postings, Segment

K1 = 1.2
B = {"title": 0.6, "similar": 0.6, "text": 0.85}
TITLE, PLAIN_TITLE = 5.0, 1.5  # weight of titles that tell passages apart, and of those that do not
TELLING = 2.0  # bigrams of titles per passage from which titles tell passages apart
SIMILAR = 0.15  # weight of similar questions, in that of the title
REDO = 4  # matrices are made anew when what came since is this many times what they were made for

KINDS: tuple[Kind, ...] = ("smalltalk", "document", "curated")

_ARRAYS = (
    "keys", "characters", "starts", "docs", "entries",
    "kinds", "questions", "question_starts", "question_terms",
)  # fmt: skip

Fields = dict[str, Postings]


@dataclass(frozen=True)
class Pivots:
    """What a matrix was made with.

    Attributes:
        lengths: of each field, the mean number of terms of the passages that have it.
        telling: 0 to 1, how far titles tell passages apart; those of a statute's articles do not.
        made_for: passages that these means are of.
    """

    lengths: dict[str, float]
    telling: float
    made_for: int


@dataclass(frozen=True)
class Matrix:
    """One segment's arrays, memory-mapped. N documents, T terms, P postings, Q known questions.

    Attributes:
        keys: uint64 (T,), rising: `key` of each term.
        characters: int8 (T,): 1 for a Chinese character, 0 for a pair, -1 for a Latin word, which
            is compared with both.
        starts: int64 (T + 1,): term `i` stands in `docs[starts[i]:starts[i + 1]]`.
        docs: int32 (P,), rising within a term.
        entries: float32 (P,), 0 to 1.
        kinds: uint8 (N,), places in `KINDS`.
        questions: int64 (N + 1,): document `d` answers questions `questions[d]:questions[d + 1]`,
            its title first; small talk has none.
        question_starts: int64 (Q + 1,): a question's terms are a slice of `question_terms`.
        question_terms: int32, its distinct terms, as places in `keys`.
        pivots: what it was made with.
    """

    keys: np.ndarray
    characters: np.ndarray
    starts: np.ndarray
    docs: np.ndarray
    entries: np.ndarray
    kinds: np.ndarray
    questions: np.ndarray
    question_starts: np.ndarray
    question_terms: np.ndarray
    pivots: Pivots


def key(term: str) -> int:
    """64 bits that stand for a term."""
    digest = hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def derive(folder: Path) -> None:
    """Make the matrix of each segment of the index in `folder` that has none yet."""
    index = Index(folder)
    try:
        made = [segment for segment in index.segments if _folder(folder, segment).exists()]
        largest = max(made, key=lambda segment: segment.size, default=None)
        pivots = _read_pivots(_folder(folder, largest)) if largest else None
        if pivots is None or pivots.made_for * REDO < index.count:
            for segment in made:
                shutil.rmtree(_folder(folder, segment))
            made, pivots = [], None
        wanted = [segment for segment in index.segments if segment not in made]
        postings = [{field: segment.postings(field) for field in B} for segment in wanted]
        pivots = pivots or measure(postings, index.count)
        for segment, fields in zip(wanted, postings, strict=True):
            _write(_folder(folder, segment), _arrays(segment, fields, pivots), pivots)
    finally:
        index.close()


def load(folder: Path, segment: Segment) -> Matrix:
    """Map the matrix of a segment of the index in `folder`.

    Raises:
        OSError, ValueError: where it is missing or damaged.
    """
    at = _folder(folder, segment)
    mapped = {name: np.load(at / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
    # Plain arrays over the mapping: each slice of a memmap costs a microsecond more.
    arrays = {name: np.asarray(array) for name, array in mapped.items()}
    return Matrix(**arrays, pivots=_read_pivots(at))


def measure(postings: list[Fields], count: int) -> Pivots:
    """The means over all segments of an index of `count` passages."""
    lengths = {}
    for field in B:
        found = [fields[field] for fields in postings]
        owners = sum(len(np.unique(each.docs)) for each in found)
        lengths[field] = sum(float(each.counts.sum()) for each in found) / max(1, owners)
    titles = [fields["title"].terms for fields in postings]
    told = sum(not is_character(term) for terms_ in titles for term in terms_)
    return Pivots(lengths, min(1.0, told / max(1, count) / TELLING), count)


def _arrays(segment: Segment, fields: Fields, pivots: Pivots) -> dict[str, np.ndarray]:
    names = sorted({term for postings in fields.values() for term in postings.terms})
    keys = np.array([key(name) for name in names], np.uint64)
    order = np.argsort(keys, kind="stable")
    place = dict(zip([names[i] for i in order], range(len(names)), strict=True))

    cells, values = [], []
    for field, postings in fields.items():
        counts = postings.counts.astype(np.float32)
        lengths = np.bincount(postings.docs, counts, segment.size)
        norm = 1 - B[field] + B[field] * lengths / max(1e-9, pivots.lengths[field])
        ids = np.array([place[term] for term in postings.terms], np.int64)
        cells.append(np.repeat(ids, np.diff(postings.starts)) * segment.size + postings.docs)
        values.append(_weight(field, pivots.telling) * counts / norm[postings.docs])
    cell, value = np.concatenate(cells), np.concatenate(values).astype(np.float32)
    order_of_cells = np.argsort(cell, kind="stable")
    cell, value = cell[order_of_cells], value[order_of_cells]
    firsts = np.flatnonzero(np.diff(cell, prepend=-1))
    x = np.add.reduceat(value, firsts) if len(firsts) else value
    term, doc = np.divmod(cell[firsts], max(1, segment.size))
    starts = np.zeros(len(names) + 1, np.int64)
    np.cumsum(np.bincount(term, minlength=len(names)), out=starts[1:])
    return {
        "keys": keys[order],
        "characters": np.array([_sort(names[i]) for i in order], np.int8),
        "starts": starts,
        "docs": doc.astype(np.int32),
        "entries": (x / (x + K1)).astype(np.float32),
        **_questions(segment, place),
    }


def _weight(field: str, telling: float) -> float:
    title = PLAIN_TITLE + (TITLE - PLAIN_TITLE) * telling
    return {"title": title, "similar": SIMILAR * title, "text": 1.0}[field]


def _questions(segment: Segment, place: dict[str, int]) -> dict[str, np.ndarray]:
    """The kinds of the documents, and the terms of the questions that they are known to answer."""
    kinds = np.zeros(segment.size, np.uint8)
    questions = np.zeros(segment.size + 1, np.int64)
    starts, found = [0], list[int]()
    for doc, passage in segment.passages():
        kinds[doc] = KINDS.index(passage.kind)
        if passage.kind == "smalltalk":
            continue
        asked = (passage.title, *passage.similar)
        questions[doc + 1] = len(asked)
        for question in asked:
            found.extend(place[term] for term in dict.fromkeys(terms(question)))
            starts.append(len(found))
    return {
        "kinds": kinds,
        "questions": np.cumsum(questions),
        "question_starts": np.array(starts, np.int64),
        "question_terms": np.array(found, np.int32),
    }


def _sort(term: str) -> int:
    return -1 if term.isascii() else int(is_character(term))


def _folder(folder: Path, segment: Segment) -> Path:
    return folder / f"{segment.id}.matrix"


def _write(target: Path, arrays: dict[str, np.ndarray], pivots: Pivots) -> None:
    target.mkdir()
    for name in _ARRAYS:
        np.save(target / f"{name}.npy", arrays[name])
    (target / "pivots.json").write_text(json.dumps(asdict(pivots)), encoding="utf-8")


def _read_pivots(target: Path) -> Pivots:
    return Pivots(**json.loads((target / "pivots.json").read_text(encoding="utf-8")))
