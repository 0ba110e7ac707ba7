"""Writing the index of record: new, changed or cloned. With `segments`, all that imports Whoosh.

Each passage is one document: the passage itself, stored, and how often each term stands in its
title, its similar questions and its text. Whoosh keeps segments that are written once; a change
adds a small one and marks what is gone. Terms come from `analysis`, counted, so that Whoosh
tokenises nothing, and what ranks is derived from the postings, not from Whoosh's scorers.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from whoosh.fields import ID, STORED, Schema
from whoosh.filedb.filestore import FileStorage
from whoosh.index import FileIndex
from whoosh.reading import SegmentReader

from .analysis import terms
from .codec import TERM_COUNTS, Writer
from .passages import Passage
from .segments import FIELDS, NAME, Index

GROWTH = 4  # times smaller segments are merged: fewer segments, more to write
SCHEMA = 4  # raise it with every change of the fields, of `codec`, `analysis` or `matrix`


@dataclass(frozen=True)
class Change:
    """What a write did: passages added, replaced and removed.

    Attributes:
        digest: the sum of the digests of the passages that came less those that went, modulo 2^64.
            So an index has the same fingerprint whatever way it got to its passages.
    """

    added: int
    replaced: int
    removed: int
    digest: int


def write(
    passages: Iterable[Passage], folder: Path, progress: Callable[[int], object] | None = None
) -> Change:
    """Write a new index of `passages` into the empty `folder`.

    `progress` is called with 1 for each passage. Of two with the same id both are written.
    """
    schema = Schema(
        id=ID(unique=True),
        kind=ID(),
        order=STORED(),
        passage=STORED(),
        **dict.fromkeys(FIELDS, TERM_COUNTS),
    )
    FileStorage(str(folder)).create_index(schema, indexname=NAME)
    with _Writer(folder) as writer:
        for number, passage in enumerate(passages):
            writer.add(passage, number)
            if progress:
                progress(1)
    return writer.change


def change(folder: Path, put: Iterable[Passage], remove: Iterable[str] = ()) -> Change:
    """Put passages into the index in `folder`, in place of those with the same id; remove ids.

    Ids that are not there are passed over. Files that the index has are never written to, only
    removed: the folder may be a `clone`.
    """
    wanted = {passage.id: passage for passage in put}
    with _Writer(folder) as writer:
        for identifier in set(remove) - wanted.keys():
            writer.delete(identifier)
        # What is new comes after what is there, in the order given.
        now = time.time_ns()
        for number, passage in enumerate(wanted.values()):
            writer.put(passage, now + number)
    _remove_strays(folder)
    return writer.change


def clone(source: Path, target: Path) -> None:
    """Copy the index in `source` into the empty `target`, what never changes by hard links.

    Everything that belongs to a segment, and is so named, is linked; the rest is copied.
    """
    for path in sorted(source.iterdir()):
        if path.name.startswith(f"{NAME}_") and path.suffix:
            _link(path, target / path.name)
        elif path.name.startswith(f"_{NAME}_") and path.suffix == ".toc":
            shutil.copy2(path, target / path.name)


def _link(path: Path, target: Path) -> None:
    if path.is_dir():
        target.mkdir()
        for below in path.iterdir():
            _link(below, target / below.name)
        return
    try:
        os.link(path, target)
    except OSError:  # a file system without hard links
        shutil.copy2(path, target)


def _remove_strays(folder: Path) -> None:
    """Remove folders that were derived from segments that have been merged away.

    Files of such segments Whoosh has removed itself.
    """
    index = Index(folder)
    kept = {segment.id for segment in index.segments}
    index.close()
    for path in folder.glob(f"{NAME}_*.*"):
        if path.is_dir() and path.name.split(".")[0] not in kept:
            shutil.rmtree(path)


class _Writer:
    """One commit to the index in a folder; an exception inside leaves the index as it was."""

    def __init__(self, folder: Path) -> None:
        index = FileIndex(FileStorage(str(folder)), indexname=NAME)
        self._searcher = index.searcher()
        self._writer = Writer(index)
        self._added = self._replaced = self._removed = self._digest = 0

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._searcher.close()
        if kind:
            self._writer.cancel()
        else:
            self._writer.commit(mergetype=_merge)

    @property
    def change(self) -> Change:
        return Change(self._added, self._replaced, self._removed, self._digest % (1 << 64))

    def add(self, passage: Passage, order: int) -> None:
        """Add a passage; `order` is its place among all."""
        stored = json.dumps(asdict(passage), ensure_ascii=False)
        self._writer.add_counted(
            _terms(passage),
            id=stored_id(passage.id),
            kind=passage.kind,
            order=order,
            passage=stored,
        )
        self._digest += _digest(stored)
        self._added += 1

    def delete(self, identifier: str) -> int | None:
        """Delete a passage; returns its place, None where there is no such passage."""
        order = None
        for doc in self._searcher.document_numbers(id=stored_id(identifier)):
            fields = self._searcher.stored_fields(doc)
            self._writer.delete_document(doc)
            self._digest -= _digest(fields["passage"])
            self._removed += 1
            order = fields["order"]
        return order

    def put(self, passage: Passage, order: int) -> None:
        """Add a passage, or replace the one with its id, which hands down its place."""
        old = self.delete(passage.id)
        self.add(passage, order if old is None else old)
        if old is not None:
            self._replaced += 1
            self._added -= 1
            self._removed -= 1


def _merge(writer: Writer, segments: list[Any]) -> list[Any]:
    """Merge into what is being written what is small beside it, or half deleted; the rest stays.

    So there are few segments, each a multiple of the one below, and re-adding a whole knowledge
    base does not double the index: what is wholly deleted goes without any work.
    """
    kept, size = [], writer.docnum
    for segment in sorted(segments, key=_live):
        live = _live(segment)
        if live >= GROWTH * size and live > segment.deleted_count():
            kept.append(segment)
        elif live:
            reader = SegmentReader(writer.storage, writer.schema, segment)
            writer.add_reader(reader)
            reader.close()
            size += live
    return kept


def _live(segment: Any) -> int:
    return int(segment.doc_count_all() - segment.deleted_count())


def _terms(passage: Passage) -> dict[str, Counter[str]]:
    """The counted terms of each field. Small talk is stored and never searched."""
    if passage.kind == "smalltalk":
        return {}
    return {
        "title": Counter(terms(passage.title)),
        "similar": Counter(terms("\n".join(passage.similar + passage.expansion))),
        "text": Counter(terms(passage.text)),
    }


def stored_id(identifier: str) -> str:
    """An id as Whoosh can store it: JSON can spell half a character, UTF-8 cannot."""
    return identifier.encode("utf-8", "backslashreplace").decode()


def _digest(stored: str) -> int:
    digest = hashlib.sha256(stored.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")
