"""Prose with tables in it: a table of questions gives entries, any other is text in its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..documents import Block, Document, Entry, Fault, document
from . import File, tables
from .tables import Row


def parts(
    file: File, found: Iterable[Block | list[Row]], title: str = ""
) -> Iterator[Entry | Document | Fault]:
    """The document that a file is, and the entries of its tables of questions.

    Such entries have the document's category and source where the table has none. `title` serves
    where no heading does, and the file's name where that is empty.
    """
    blocks: list[Block] = []
    asked: list[list[Row]] = []
    for item in found:
        if isinstance(item, Block):
            blocks.append(item)
        elif item and tables.is_header(item[0].cells):
            asked.append(item)
        elif item:
            blocks += tables.readable(item, item[0].spot)
    whole = document(title or file.stem, blocks)
    for rows in asked:
        for part in tables.entries(rows, file.name):
            yield part if isinstance(part, Fault) else _with_fields(part, whole)
    if not asked or any(block.text.strip() for block in whole.blocks if not block.level):
        yield whole


def _with_fields(entry: Entry, whole: Document) -> Entry:
    category, source = entry.category or whole.category, entry.source or whole.source
    return replace(entry, category=category, source=source)
