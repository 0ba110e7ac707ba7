"""Reading the index of record: its segments, their passages and postings, through Whoosh."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from whoosh.codec.whoosh3 import W3LeafMatcher
from whoosh.filedb.filestore import FileStorage
from whoosh.index import FileIndex
from whoosh.reading import SegmentReader

from .passages import Passage

FIELDS = ("title", "similar", "text")
NAME = "MAIN"  # Whoosh's name for the index, with which its file names begin


@dataclass(frozen=True)
class Postings:
    """One field's postings in a segment: term `i` is in `docs[starts[i]:starts[i + 1]]`.

    Attributes:
        terms: in the order of their UTF-8 bytes.
        starts: int64, one more than terms.
        docs: int32, document numbers, rising within a term; deleted ones too.
        counts: float32, how often the term stands in the document's field.
    """

    terms: list[str]
    starts: np.ndarray
    docs: np.ndarray
    counts: np.ndarray

    def __iter__(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """(term, docs, counts) of each term."""
        for i, term in enumerate(self.terms):
            here = slice(self.starts[i], self.starts[i + 1])
            yield term, self.docs[here], self.counts[here]


class Segment:
    """A part of an index that never changes, but for which of its documents are deleted."""

    def __init__(self, reader: SegmentReader) -> None:
        """Made by `Index`."""
        self._reader = reader
        self.deleted: frozenset[int] = frozenset(reader.segment().deleted_docs())

    @property
    def id(self) -> str:
        """The name its files begin with, the same in every clone of the index."""
        return str(self._reader.segment().segment_id())

    @property
    def size(self) -> int:
        """Its documents, deleted ones too: their numbers are below it."""
        return int(self._reader.doc_count_all())

    def passage(self, doc: int) -> Passage:
        """The passage that is document `doc`."""
        return _load(self._reader.stored_fields(doc)["passage"])

    def passages(self) -> Iterator[tuple[int, Passage]]:
        """(document number, passage) of all that are not deleted."""
        for doc in range(self.size):
            if doc not in self.deleted:
                yield doc, self.passage(doc)

    def documents(self, key: str) -> Iterator[int]:
        """The documents with an id that are not deleted: one or none."""
        if ("id", key) in self._reader:
            found = self._reader.postings("id", key)
            yield from (doc for doc in found.all_ids() if doc not in self.deleted)

    def postings(self, field: str) -> Postings:
        """All postings of one of `FIELDS`."""
        reader, found = self._reader, []
        docs, counts, blocks, starts = array("I"), array("f"), array("I"), array("q", [0])
        file = reader.segment().open_file(reader.storage(), reader.codec().POSTS_EXT)
        kind = reader.schema[field].format
        for (name, term), info in reader.iter_from(field, ""):
            if name != field:
                break
            found.append(term.decode())
            _Blocks(file, *info.extent(), kind).append_to(docs, counts, blocks)
            starts.append(len(docs))
        file.close()
        return Postings(
            found,
            np.frombuffer(starts, dtype=np.int64),
            _undelta(np.frombuffer(docs, dtype=np.uint32), np.frombuffer(blocks, dtype=np.uint32)),
            np.frombuffer(counts, dtype=np.float32),
        )


class Index:
    """An open index. Its segments may be read from several threads."""

    def __init__(self, folder: Path) -> None:
        """Open what `write` and `change` have left in `folder`."""
        self._reader = FileIndex(FileStorage(str(folder)), indexname=NAME).reader()
        leaves = [leaf for leaf, _ in self._reader.leaf_readers()]
        self.segments = [Segment(leaf) for leaf in leaves if isinstance(leaf, SegmentReader)]

    @property
    def count(self) -> int:
        """Its passages."""
        return int(self._reader.doc_count())

    def passages(self) -> list[Passage]:
        """All passages: as they were written, then as they were added."""
        found = [
            (segment._reader.stored_fields(doc)["order"], segment.passage(doc))
            for segment in self.segments
            for doc in range(segment.size)
            if doc not in segment.deleted
        ]
        return [passage for _, passage in sorted(found, key=lambda each: each[0])]

    def find(self, key: str) -> Passage | None:
        """The passage whose id was stored as `key`; None where there is none."""
        for segment in self.segments:
            for doc in segment.documents(key):
                return segment.passage(doc)
        return None

    def close(self) -> None:
        """Close the files."""
        self._reader.close()


def load(folder: Path) -> list[Passage]:
    """All passages of the index in `folder`, in a stable order."""
    index = Index(folder)
    try:
        return index.passages()
    finally:
        index.close()


class _Blocks(W3LeafMatcher):
    """A term's postings, read a block at a time: a step a posting takes twice as long."""

    def append_to(self, docs: array[int], counts: array[float], blocks: array[int]) -> None:
        """Append document numbers, as differences within a block, counts, and blocks' lengths."""
        while True:
            self._read_data()
            ids, weights, _ = self._data
            docs.extend(ids)
            blocks.append(len(ids))
            # Whoosh writes nothing where all counts are 1, and one where all are equal.
            if not isinstance(weights, tuple):
                weights = (weights or 1.0,) * len(ids)
            counts.extend(weights)
            if self._lastblock:
                return
            self._goto(self._nextoffset)


def _undelta(differences: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Numbers from their differences, which begin anew with each block."""
    # Sums over all blocks may exceed 32 bits; what is left of them modulo 2^32 is still right.
    total = np.cumsum(differences, dtype=np.uint32)
    before = np.zeros(len(blocks), np.uint32)
    before[1:] = total[np.cumsum(blocks, dtype=np.int64)[:-1] - 1]
    total -= np.repeat(before, blocks)
    return total.view(np.int32)


def _load(stored: str) -> Passage:
    fields = json.loads(stored)
    lists = {name: tuple(fields.get(name, ())) for name in ("similar", "expansion")}
    return Passage(**{**fields, **lists})
