"""CSV and TSV. One bad row, an unclosed quote too, must not take the rows after it along."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice

from ..documents import Fault
from . import File, Part, tables
from .tables import Row
from .text import text

TICK_EVERY = 500  # rows


def read(file: File) -> Iterator[Part]:
    """The rows of a CSV file; the delimiter is a comma, a tab or a semicolon."""
    # Lines as a table program sees them: not at form feeds and the like, as splitlines() does.
    lines = io.StringIO(text(file), newline="").readlines()
    delimiter, width = _dialect(lines, "\t,;" if file.suffix == ".tsv" else ",\t;")
    yield from tables.parts(_rows(lines, delimiter, width, file), file)


def _dialect(lines: list[str], delimiters: str) -> tuple[str, int]:
    """The delimiter with which a header is found, and the number of columns that it has."""
    for delimiter in delimiters:
        rows = csv.reader(islice(lines, tables.HEADER_WITHIN), delimiter=delimiter)
        try:
            for cells in rows:
                row = tables.row("", cells)
                if tables.is_header(row.cells):
                    return delimiter, len(row.cells)
        except csv.Error:
            continue
    return delimiters[0], 0


def _rows(lines: list[str], delimiter: str, width: int, file: File) -> Iterator[Row | Fault]:
    at, count = 0, 0
    while at < len(lines):
        spot = str(at + 1)
        cells, used = _record(lines, at, delimiter, width)
        if cells is not None:
            yield tables.row(spot, cells)
        elif len(lines[at]) > csv.field_size_limit():
            yield Fault.at(file.name, spot, "这一行过长", "the row is too long")
        else:
            yield Fault.at(
                file.name,
                spot,
                "引号没有结束，已从下一行继续",
                "a quote is not closed; read on below",
            )
        at, count = at + used, count + 1
        if count % TICK_EVERY == 0:
            file.tick(at / len(lines))


def _record(lines: list[str], at: int, delimiter: str, width: int) -> tuple[list[str] | None, int]:
    """The row that begins at a line, and the number of lines it takes; (None, 1) where it has none.

    A row is read strictly, because then an unclosed quote ends in an error at the next quote, and
    not in a cell of many rows. Where that error is in the first line itself, a stray quote in a
    cell ("甲"乙), the line is read as it stands.
    """
    reader = csv.reader((lines[i] for i in range(at, len(lines))), delimiter=delimiter, strict=True)
    try:
        cells = next(reader)
        used = reader.line_num
    except csv.Error:
        return (_lenient(lines[at], delimiter) if reader.line_num == 1 else None), 1
    return (
        (None, 1) if _swallowed(lines[at + 1 : at + used - 1], delimiter, width) else (cells, used)
    )


def _lenient(line: str, delimiter: str) -> list[str] | None:
    reader = csv.reader((line, "\n"), delimiter=delimiter)
    try:
        cells = next(reader)
    except csv.Error:
        return None
    return cells if reader.line_num == 1 else None


def _swallowed(inner: list[str], delimiter: str, width: int) -> bool:
    """Whether the lines within a cell are rows of the table, so that its quote was never closed.

    Only where each of several lines has just as many columns as the header: an answer may well hold
    a comma or two.
    """
    return len(inner) > 2 and all(line.count(delimiter) + 1 == width > 1 for line in inner)
