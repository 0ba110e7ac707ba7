"""DOCX, through python-docx: headings by style, and tables with their merged cells."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from ..documents import Block
from ..errors import KnowledgeError
from . import File, Part, numbering, prose
from .excel import encrypted
from .tables import Row, row

MAX_XML = 128 << 20
"""Bytes of XML, unpacked; its tree takes ten times as much."""

TICK_EVERY = 200  # paragraphs

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_HEADING = re.compile(r"(?:heading|标题)\s*([1-9])", re.IGNORECASE)
_TITLE = re.compile(r"title|标题", re.IGNORECASE)
_CONTENTS = re.compile(r"(?:toc|目录)\s*\d?", re.IGNORECASE)


def read(file: File) -> Iterator[Part]:
    """Paragraphs, with the place `¶n`, and tables; where no style is a heading, numbers may be.

    Raises:
        KnowledgeError: where it wants a password or is too large.
    """
    import docx

    if file.data.startswith(b"\xd0\xcf\x11\xe0"):
        raise _old() if b"WordDocument".decode().encode("utf-16-le") in file.data else encrypted()
    require_small(file.data)
    opened = docx.Document(io.BytesIO(file.data))
    found = list(_blocks(opened.element.body, _levels(opened.styles), file))
    if not any(isinstance(item, Block) and item.level for item in found):
        found = numbering.headings(found)
    yield from prose.parts(file, found)


def require_small(data: bytes) -> None:
    """Refuse an office file whose XML would fill the memory.

    Raises:
        KnowledgeError: `bomb`.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        size = sum(
            i.file_size for i in package.infolist() if i.filename.endswith((".xml", ".rels"))
        )
    if size > MAX_XML:
        raise KnowledgeError(
            "bomb",
            f"文档过大(解压后超过 {MAX_XML >> 20} MB)，请拆分",
            f"over {MAX_XML >> 20} MB unpacked: split it",
        )


def _old() -> KnowledgeError:
    return KnowledgeError(
        "unsupported_file",
        "这是旧的 .doc 文件；请用 Word 另存为 .docx",
        "an old .doc file: save it as .docx in Word",
    )


def _levels(styles: Any) -> dict[str, int]:
    """Level of heading by the id of a style; -1 for a table of contents, which repeats headings.

    A style of another name counts by its outline level, or by the style that it is based on.
    """
    about = {}
    for style in styles.element.iter(f"{_W}style"):
        name, base = style.find(f"{_W}name"), style.find(f"{_W}basedOn")
        outline = style.find(f"{_W}pPr/{_W}outlineLvl")
        about[style.get(f"{_W}styleId")] = (
            _level(name.get(f"{_W}val", "") if name is not None else "", outline),
            base.get(f"{_W}val") if base is not None else None,
        )
    levels = {}
    for key in about:
        at, seen = key, set()
        while at in about and not about[at][0] and at not in seen:
            seen.add(at)
            at = about[at][1]
        levels[key] = about[at][0] if at in about else 0
    return levels


def _level(name: str, outline: Any) -> int:
    if heading := _HEADING.fullmatch(name.strip()):
        return min(int(heading[1]), 6)
    if _CONTENTS.fullmatch(name.strip()):
        return -1
    if _TITLE.fullmatch(name.strip()):
        return 1
    value = outline.get(f"{_W}val", "9") if outline is not None else "9"
    return int(value) + 1 if value in "012345" else 0


def _blocks(body: Any, levels: dict[str, int], file: File) -> Iterator[Block | list[Row]]:
    elements = list(_children(body))
    count = tables = 0
    for number, element in enumerate(elements):
        if element.tag == f"{_W}p":
            count += 1
            style = element.find(f"{_W}pPr/{_W}pStyle")
            level = levels.get(style.get(f"{_W}val"), 0) if style is not None else 0
            own = _level("", element.find(f"{_W}pPr/{_W}outlineLvl"))
            if level >= 0:
                yield Block(_text(element), f"¶{count}", level or own)
        else:
            tables += 1
            yield _table(element, f"table{tables}")
        if number % TICK_EVERY == 0:
            file.tick(number / len(elements))


def _children(body: Any) -> Iterator[Any]:
    """Paragraphs and tables, also those in content controls."""
    for element in body:
        if element.tag in (f"{_W}p", f"{_W}tbl"):
            yield element
        elif element.tag == f"{_W}sdt":
            for content in element.iterchildren(f"{_W}sdtContent"):
                yield from _children(content)


def _text(element: Any) -> str:
    """Text as it is shown: with insertions and links, without deletions."""
    found: list[str] = []
    for node in element.iter(f"{_W}t", f"{_W}tab", f"{_W}br", f"{_W}cr"):
        # Text boxes stand in the file twice, the second time for old programs.
        if any(
            above.tag in (_FALLBACK, f"{_W}moveFrom", f"{_W}tabs") for above in node.iterancestors()
        ):
            continue
        kind = node.tag.removeprefix(_W)
        found.append(node.text or "" if kind == "t" else "\t" if kind == "tab" else "\n")
    return "".join(found)


def _table(table: Any, name: str) -> list[Row]:
    rows: list[Row] = []
    above: dict[int, str] = {}
    for number, line in enumerate(table.iterchildren(f"{_W}tr"), 1):
        cells: list[str] = []
        merged = set()
        for cell in line.iter(f"{_W}tc"):
            if next(cell.iterancestors(f"{_W}tr")) is not line:
                continue  # of a table within a cell, whose text that cell has
            merge = cell.find(f"{_W}tcPr/{_W}vMerge")
            if merge is not None and merge.get(f"{_W}val", "continue") == "continue":
                merged.add(len(cells))
                cells.append(above.get(len(cells), ""))
            else:
                cells.append("\n".join(map(_text, cell.iter(f"{_W}p"))))
            span = cell.find(f"{_W}tcPr/{_W}gridSpan")
            wide = span.get(f"{_W}val", "1") if span is not None else "1"
            cells += [""] * (min(int(wide), 256) - 1)
        above = dict(enumerate(cells))
        rows.append(row(f"{name}!{number}", cells, merged))
    return [found for found in rows if found.cells]
