"""How Whoosh keeps our postings: a field of counted terms, and a writer that takes them as such.

The files are in Whoosh's own format. What differs is how they are made: Whoosh keeps a tuple for
every posting, sorts them all, through the disk where they are many, and looks at each again when
it writes. Here each term's documents are gathered in an array, and only the terms are sorted.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from whoosh.codec.whoosh3 import W3Codec, W3FieldWriter, W3PostingsWriter
from whoosh.fields import FieldType
from whoosh.formats import Existence
from whoosh.index import FileIndex
from whoosh.reading import SegmentReader
from whoosh.writing import SegmentWriter

from .segments import Segment

TERM_COUNTS = FieldType(Existence(), None)
"""A field of counted terms; a count is the posting's weight, which Whoosh stores in any case."""

Term = tuple[str, bytes, "array[int]", "array[float]"]
"""A field, a term of it, its documents in rising order, and its counts in them."""


class Pool:
    """Postings in memory until they are written, 8 bytes each; in place of Whoosh's pool.

    Documents come in rising order, those of merged segments after the new ones.
    """

    def __init__(self) -> None:
        # Of each field and term an array of pairs: a document, a count.
        self._fields: dict[str, dict[str, array[int]]] = defaultdict(dict)

    def add(self, posting: tuple[str, bytes, int, float, bytes]) -> None:
        """Add what Whoosh has made of a field: (field, term, document, 1, nothing)."""
        field, term, doc, _, _ = posting
        self.add_counts(field, doc, {term.decode(): 1})

    def add_counts(self, field: str, doc: int, counts: dict[str, int]) -> None:
        """Add a document's terms."""
        terms = self._fields[field]
        for term, count in counts.items():
            pairs = terms.get(term)
            if pairs is None:
                terms[term] = array("I", (doc, count))
            else:
                pairs.extend((doc, count))

    def add_all(self, field: str, term: str, docs: np.ndarray, counts: np.ndarray) -> None:
        """Add a term's documents."""
        pairs = np.column_stack((docs, counts)).astype("I")
        self._fields[field].setdefault(term, array("I")).frombytes(pairs.tobytes())

    def iter_postings(self) -> Iterator[Term]:
        """All terms of all fields in order; each is forgotten when it is handed out."""
        for field in sorted(self._fields):
            terms = self._fields.pop(field)
            for term in sorted(terms):  # by code points, which is the order of UTF-8 too
                pairs = terms.pop(term)
                yield field, term.encode(), pairs[::2], array("f", pairs[1::2])

    def cleanup(self) -> None:
        """Forget what has not been written."""
        self._fields.clear()


class Writer(SegmentWriter):
    """Whoosh's writer with this file's pool and codec, which takes and merges whole terms."""

    def __init__(self, index: FileIndex) -> None:
        super().__init__(index, codec=Codec())
        self.pool = Pool()

    def add_counted(self, counts: dict[str, Counter[str]], **fields: Any) -> None:
        """Add a document of `fields`, and of fields whose terms are counted already."""
        for field, counted in counts.items():
            self.pool.add_counts(field, self.docnum, counted)
        self.add_document(**fields)

    def add_postings_to_pool(
        self, reader: SegmentReader, startdoc: int, docmap: dict[int, int] | None
    ) -> None:
        """Add the postings of a segment that is merged, less those of deleted documents."""
        segment = Segment(reader)
        places = np.full(segment.size, -1)
        kept = list(docmap or range(segment.size))
        places[kept] = np.arange(startdoc, startdoc + len(kept))
        for field in reader.indexed_field_names():
            for term, docs, counts in segment.postings(field):
                to = places[docs]
                if (here := to >= 0).any():
                    self.pool.add_all(field, term, to[here], counts[here])


class Codec(W3Codec):
    """Whoosh's file format with one block a term, not compressed, and without field lengths.

    Blocks let a search skip; here postings are only ever read whole. Field lengths that no field
    has would still be looked for at every posting, in the file system.
    """

    length_stats = False

    def __init__(self) -> None:
        super().__init__(blocklimit=1 << 31, compression=0)

    def field_writer(self, storage: Any, segment: Any) -> _FieldWriter:
        """Writes all postings of a segment."""
        return _FieldWriter(self, storage, segment)

    def postings_writer(self, dbfile: Any, byteids: bool = False) -> _PostingsWriter:
        """Writes the postings of one field."""
        return _PostingsWriter(dbfile, self._blocklimit, byteids, self._compression)


class _FieldWriter(W3FieldWriter):
    def add_postings(self, schema: Any, lengths: object, items: Iterable[Term]) -> None:
        last = None
        for field, term, docs, counts in items:
            if field != last:
                if last is not None:
                    self.finish_field()
                self.start_field(field, schema[field])
                last = field
            self.start_term(term)
            self._postwriter.add_all(docs, counts)
            self.finish_term()
        if last is not None:
            self.finish_field()


class _PostingsWriter(W3PostingsWriter):
    def add_all(self, docs: array[int], counts: array[float]) -> None:
        """Make the block that is being gathered of all of a term's postings."""
        self._ids, self._weights, self._maxweight = docs, counts, max(counts)
