"""The list of what the knowledge base holds, and single entries, read off the hub."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .. import editing, generations, indexing
from ..errors import KnowledgeError
from ..passages import Passage
from ..threads import Worker

KINDS = ("curated", "document", "smalltalk")
BEGINNING = 160
"""Characters of an entry's text in the list."""
REMEMBERED = 4
"""Lists that are kept for the next page: each is made by reading all passages."""


@dataclass(frozen=True)
class Row:
    """An entry in the list."""

    id: str
    title: str
    beginning: str
    category: str
    kind: str
    place: str


@dataclass(frozen=True)
class Listing:
    """The entries that were asked for, and the categories of all, the most frequent first."""

    rows: tuple[Row, ...] = ()
    categories: tuple[tuple[str, int], ...] = ()


class Shelf:
    """Reads the newest index in a directory; what is answered from may be a second behind."""

    def __init__(self, directory: Path, worker: Worker) -> None:
        self._directory, self._worker = directory, worker
        self._listed = lru_cache(REMEMBERED)(self._read)

    def list(self, text: str = "", category: str = "", kind: str = "") -> Listing:
        """The entries that hold `text` anywhere and are of `category` and `kind`."""
        return self._worker.run(self._newest, text, category, kind)

    def find(self, id: str) -> Passage:
        """An entry.

        Raises:
            KnowledgeError: `not_found`.
        """
        found = self._worker.run(indexing.find, self._directory, id)
        if found is None:
            raise KnowledgeError(
                "not_found",
                "没有这个条目，可能已被删除或修改了问题",
                "there is no such entry: it was deleted perhaps, or its question was changed",
            )
        return found

    def _newest(self, text: str, category: str, kind: str) -> Listing:
        try:
            return self._listed(generations.signature(self._directory), text, category, kind)
        except KnowledgeError as error:
            if error.code == "no_index":
                return Listing()
            raise

    def _read(self, _: object, text: str, category: str, kind: str) -> Listing:
        held = indexing.read_all(self._directory)
        rows = tuple(
            Row(each.id, each.title, each.text[:BEGINNING], each.category, each.kind, each.place)
            for each in editing.holding(held, text)
            if category in ("", each.category) and kind in ("", each.kind)
        )
        counted = Counter(each.category for each in held if each.category)
        return Listing(rows, tuple(counted.most_common()))
