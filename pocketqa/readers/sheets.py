"""Guarding calamine from sheets that claim a million rows or 16,384 columns.

It keeps every cell of the rectangle that a sheet's filled cells span, so one space typed in column
XFD costs gigabytes. Before it reads a workbook, we look how far each sheet really reaches, and
hand it a copy without the cells that hold nothing visible or lie too far right.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from xml.parsers import expat

from ..errors import KnowledgeError

MAX_CELLS = 8_000_000
"""Of a sheet's rectangle; calamine takes 32 bytes for each."""

MAX_COLUMNS = 256
"""Of a sheet that reaches too far; what is right of them is no table of questions."""

MAX_XML = 1 << 30
"""Bytes of a workbook, unpacked."""

CHUNK = 1 << 20

# Cells that are only coloured; there may be millions, and few programs write them otherwise.
_EMPTY = re.compile(rb"<c [^<>]*>(?:(?<=/>)|</c>)")
_STRINGS = re.compile(r"xl/sharedStrings\.xml$", re.IGNORECASE)


def slim(data: bytes) -> bytes:
    """The workbook `data`, or a copy of it that spans no more than is filled.

    Raises:
        KnowledgeError: `bomb`, where it is too large all the same.
        zipfile.BadZipFile, expat.ExpatError: where it is damaged.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        if sum(item.file_size for item in book.infolist()) > MAX_XML:
            raise too_large(f"{MAX_XML >> 20} MB")
        names = list(dict.fromkeys(book.namelist()))
        blank: set[str] = set()
        for name in filter(_STRINGS.search, names):
            blank = _blank_strings(_chunks(book, name))
        # A workbook may keep its sheets under any name, so every part in XML is looked at.
        scans = {name: _scan(book, name, blank) for name in names if _is_xml(book, name)}
        for name, scan in scans.items():
            if scan.kept > MAX_CELLS:
                raise too_large(f"{name}: {scan.rows:,} × {scan.columns:,}")
        if all(scan.area <= MAX_CELLS for scan in scans.values()):
            return data
        return _copy(book, {name: scan for name, scan in scans.items() if scan.area > MAX_CELLS})


def too_large(what: str) -> KnowledgeError:
    """The error of a workbook of more cells or bytes than we read."""
    return KnowledgeError(
        "bomb",
        f"工作表过大({what})；请删除多余的行和列，或拆分",
        f"too large ({what}): delete what is not needed, or split it",
    )


def _chunks(book: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    # Reading to the end also verifies the size and the checksum that the zip states.
    with book.open(name) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _without_empty(chunks: Iterator[bytes]) -> Iterator[bytes]:
    # A cell on the border of two chunks stays, which does no harm.
    return (_EMPTY.sub(b"", chunk) for chunk in chunks)


def _scan(book: zipfile.ZipFile, name: str, blank: set[str]) -> Scan:
    scan = Scan(blank).feed(_without_empty(_chunks(book, name)))
    if not scan.is_placed:
        # A cell that does not say where it is stands after the one before, be it empty.
        scan = Scan(blank, are_empty_there=True).feed(_chunks(book, name))
    return scan


def _is_xml(book: zipfile.ZipFile, name: str) -> bool:
    if name.lower().endswith(".vml"):  # old drawings, often not well-formed
        return False
    with book.open(name) as stream:
        return stream.read(64).lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"<")


def _copy(book: zipfile.ZipFile, scans: dict[str, Scan]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy:
        for name in book.namelist():
            if name in scans:
                copy.writestr(name, scans[name].without_cuts(_chunks(book, name)))
            else:
                copy.writestr(name, book.read(name))
    return target.getvalue()


def _parser() -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise KnowledgeError("bomb", "文件含有不允许的 DTD", "a DTD is not allowed in it")

    # Office files have none; entities that multiply each other live there.
    parser.StartDoctypeDeclHandler = refuse
    return parser


def _blank_strings(chunks: Iterator[bytes]) -> set[str]:
    """The numbers, as text, of the shared strings in which nothing is to be seen."""
    blank: set[str] = set()
    count, filled = 0, False

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal filled
        if name.endswith("si"):
            filled = False

    def end(name: str) -> None:
        nonlocal count
        if name.endswith("si"):
            if not filled:
                blank.add(str(count))
            count += 1

    def text(data: str) -> None:
        nonlocal filled
        filled = filled or not data.isspace()

    parser = _parser()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text
    for chunk in chunks:
        parser.Parse(chunk)
    parser.Parse(b"", True)
    return blank


class Scan:
    """How far the filled cells of a sheet reach, and which of them could be cut out.

    Attributes:
        rows, columns: how far the cells that are worth keeping reach.
        area, kept: cells of the rectangle of all filled cells, and of those worth keeping.
        is_placed: whether each cell says where it is.
    """

    def __init__(self, blank: set[str], *, are_empty_there: bool = False) -> None:
        self.is_placed = True
        self._are_empty_there = are_empty_there
        self.rows = self.columns = self._all_rows = self._all_columns = 0
        self._blank, self._cuts = blank, list[tuple[int, int]]()
        self._row = self._column = 0
        self._begin = -1
        self._type, self._value = "", ""
        self._is_filled = self._in_value = False
        self._parser = _parser()

    @property
    def area(self) -> int:
        return self._all_rows * self._all_columns

    @property
    def kept(self) -> int:
        return self.rows * self.columns

    def feed(self, chunks: Iterator[bytes]) -> Scan:
        """Read the XML of a sheet."""
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        for chunk in chunks:
            self._parser.Parse(chunk)
        self._parser.Parse(b"", True)
        return self

    def without_cuts(self, chunks: Iterator[bytes]) -> bytes:
        """The XML without the cells that hold nothing visible or lie too far right."""
        content = b"".join(chunks if self._are_empty_there else _without_empty(chunks))
        kept, at = [], 0
        for begin, end in self._cuts:
            kept.append(content[at:begin])
            # The end is where the closing tag begins.
            at = content.index(b">", end) + 1
        return b"".join((*kept, content[at:]))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        if tag == "c":
            self._begin = self._parser.CurrentByteIndex
            self._type, self._value, self._is_filled = attributes.get("t", ""), "", False
            self._column += 1
            if reference := attributes.get("r"):
                self._row, self._column = _numbers(reference)
            else:
                self.is_placed = False
        elif tag == "row":
            self._row, self._column = int(attributes.get("r", self._row + 1)), 0
        self._in_value = tag in ("v", "t")

    def _characters(self, data: str) -> None:
        if self._begin >= 0:
            self._is_filled = True
            if self._in_value:
                self._value += data

    def _end(self, name: str) -> None:
        self._in_value = False
        if self._begin < 0 or name.rpartition(":")[2] != "c":
            return
        begin, self._begin = self._begin, -1
        if not self._is_filled:
            return
        self._all_rows = max(self._all_rows, self._row)
        self._all_columns = max(self._all_columns, self._column)
        value = self._value.strip()
        blank = not value or self._type == "s" and value in self._blank
        if blank or self._column > MAX_COLUMNS:
            if self._cuts and self._cuts[-1][1] + len("</c>") == begin:
                begin = self._cuts.pop()[0]  # millions of them side by side are one
            self._cuts.append((begin, self._parser.CurrentByteIndex))
        else:
            self.rows = max(self.rows, self._row)
            self.columns = max(self.columns, self._column)


def _numbers(reference: str) -> tuple[int, int]:
    """Row and column of "XFD12", from 1."""
    letters = reference.rstrip("0123456789")
    column = 0
    for letter in letters.upper():
        column = column * 26 + ord(letter) - 64
    return int(reference[len(letters) :]), column
