"""The matrices of all segments of an index as one: its vocabulary, its rows, its postings."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from .background import Background
from .matrix import KINDS, key, load
from .passages import Kind
from .segments import Index

REMEMBERED = 100_000
"""Terms whose place is kept in mind: they repeat from question to question."""
DENSE = 8
"""A term that every eighth passage of a segment holds is added as a whole row: 20 times faster."""
DENSE_BYTES = 128 << 20
"""Memory that such rows may take; they are made when they are first needed."""


class Matrices:
    """Row `r` is a document of one of the segments, which lie one after the other.

    Attributes:
        parts: the matrix of each segment.
        firsts: of each segment its first row, and at the end the number of rows.
        deleted: rows of passages that are gone.
        rarities: float32, of each term of the vocabulary its inverse document frequency.
        characters: int8, of each term of the vocabulary, see `Matrix`.
        places: of each segment, the places of its terms in the vocabulary, rising.
        background: what rarity is counted with beside the index's own passages, or None.
    """

    def __init__(self, folder: Path, index: Index, background: Background | None = None) -> None:
        """Map the matrices of `index`, which is in `folder`."""
        self.background = background
        self.count = index.count
        self.parts = [load(folder, segment) for segment in index.segments]
        self.firsts: list[int] = np.cumsum([0, *(len(m.kinds) for m in self.parts)]).tolist()
        gone = zip(self.firsts, index.segments, strict=False)
        self.deleted = np.array([first + doc for first, s in gone for doc in s.deleted], np.int64)
        self._join()
        self.find = lru_cache(REMEMBERED)(self._find)
        self._spans = lru_cache(REMEMBERED)(self._find_spans)
        rows = DENSE_BYTES // max(1, 4 * self.firsts[-1])
        self._row = lru_cache(max(16, rows))(self._make_row)

    def idf(self, term: str) -> float:
        """The rarity of a term, as in BM25; that of a term of no passage is the highest."""
        place = self.find(term)
        if place >= 0:
            return float(self.rarities[place])
        if self.background is None:
            return self._unknown
        elsewhere = self.background.of(np.array([key(term)], np.uint64))
        return float(_rarity(elsewhere, self.count + self.background.count)[0])

    def place(self, row: int) -> tuple[int, int]:
        """The segment, and the document in it, of a row."""
        at = int(np.searchsorted(self.firsts, row, side="right")) - 1
        return at, row - self.firsts[at]

    def rows_of(self, kind: Kind) -> np.ndarray:
        """The rows of all live passages of a kind."""
        kinds = np.concatenate([*(m.kinds for m in self.parts), np.zeros(0, np.uint8)])
        wanted = kinds == KINDS.index(kind)
        wanted[self.deleted] = False
        return np.flatnonzero(wanted)

    def holders(self, place: int) -> Iterator[tuple[int, np.ndarray]]:
        """(first row, documents) of a term of the vocabulary in each segment with it."""
        for part, here in self._spans(place):
            yield self.firsts[part], self.parts[part].docs[here]

    def add(self, place: int, value: float, sums: np.ndarray) -> None:
        """Add `value` times each entry of a term of the vocabulary to its row in `sums`."""
        factor = sums.dtype.type(value)
        for part, here in self._spans(place):
            first, end = self.firsts[part : part + 2]
            if (here.stop - here.start) * DENSE > end - first:
                sums[first:end] += factor * self._row(part, here.start, here.stop)
            else:
                matrix = self.parts[part]
                np.add.at(sums[first:end], matrix.docs[here], factor * matrix.entries[here])

    def _find_spans(self, place: int) -> list[tuple[int, slice]]:
        """Each segment that has a term, and where in its arrays."""
        found = []
        for part, (matrix, places) in enumerate(zip(self.parts, self.places, strict=True)):
            # Of one type with `places`, which would be converted as a whole otherwise.
            local = int(places.searchsorted(places.dtype.type(place)))
            if local < len(places) and places[local] == place:
                span = slice(int(matrix.starts[local]), int(matrix.starts[local + 1]))
                found.append((part, span))
        return found

    def _make_row(self, part: int, start: int, stop: int) -> np.ndarray:
        """The entries of a term in all documents of a segment."""
        matrix = self.parts[part]
        row = np.zeros(len(matrix.kinds), np.float32)
        row[matrix.docs[start:stop]] = matrix.entries[start:stop]
        return row

    def _join(self) -> None:
        """One vocabulary over all segments; most indexes have one, or one large and small ones."""
        keys = [matrix.keys for matrix in self.parts]
        counts = [np.diff(matrix.starts) for matrix in self.parts]
        everything = np.concatenate([*keys, np.zeros(0, np.uint64)])
        self._keys, places = np.unique(everything, return_inverse=True)
        frequencies = np.bincount(places, np.concatenate([*counts, []]), len(self._keys))
        count = self.count
        if self.background is not None:
            frequencies = frequencies + self.background.of(self._keys)
            count += self.background.count
        self.rarities = _rarity(frequencies, count).astype(np.float32)
        self._unknown = float(_rarity(np.zeros(1), self.count)[0])
        ends = np.cumsum([len(each) for each in keys])
        self.places = np.split(places.astype(np.int32), ends[:-1]) if keys else []
        self.characters = np.zeros(len(self._keys), np.int8)
        for places_, matrix in zip(self.places, self.parts, strict=True):
            self.characters[places_] = matrix.characters

    def _find(self, term: str) -> int:
        """The place of a term in the vocabulary, or -1."""
        wanted = key(term)
        place = int(np.searchsorted(self._keys, np.uint64(wanted)))
        found = place < len(self._keys) and int(self._keys[place]) == wanted
        return place if found else -1


def _rarity(frequencies: np.ndarray, count: int) -> np.ndarray:
    """Inverse document frequency, never negative, as in Lucene's BM25."""
    return np.log1p((np.maximum(count - frequencies, 0) + 0.5) / (frequencies + 0.5))
