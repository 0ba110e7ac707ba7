"""PPTX, through python-pptx: slides in their order, text as it is read on each, and the notes.

Macros, which a PPTM may hold, are parts of the file that nobody here opens.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

from lxml import etree

from ..documents import Block
from ..errors import KnowledgeError
from . import File, Part, prose
from .excel import encrypted
from .tables import Row, row
from .word import require_small

SAME_LINE = 300_000
"""EMU, a third of an inch: what begins no lower than this is read from left to right."""

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
_DATA = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}dm"


def read(file: File) -> Iterator[Part]:
    """A section for each slide under its title, with the place `s3`; then its notes.

    Raises:
        KnowledgeError: where it wants a password or is too large.
    """
    import pptx

    if file.data.startswith(b"\xd0\xcf\x11\xe0"):
        old = "PowerPoint Document".encode("utf-16-le") in file.data
        raise _old() if old else encrypted()
    require_small(file.data)
    yield from prose.parts(file, _blocks(pptx.Presentation(io.BytesIO(file.data)), file))


def pages(data: bytes) -> int:
    """The number of slides."""
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        names = (name.rpartition("/") for name in package.namelist())
        return sum(folder == "ppt/slides" and name.endswith(".xml") for folder, _, name in names)


def _old() -> KnowledgeError:
    return KnowledgeError(
        "unsupported_file",
        "这是旧的 .ppt 文件；请用 PowerPoint 另存为 .pptx",
        "an old .ppt file: save it as .pptx in PowerPoint",
    )


def _blocks(presentation: Any, file: File) -> Iterator[Block | list[Row]]:
    count = len(presentation.slides)
    for number, slide in enumerate(presentation.slides, 1):
        spot = f"s{number}"
        title = slide.shapes.title
        heading = " ".join(title.text_frame.text.split()) if title is not None else ""
        yield Block(heading or f"第 {number} 页", spot, 2)
        for shape in _in_order(slide.shapes):
            if title is None or shape.shape_id != title.shape_id:
                yield from _shape(shape, spot)
        if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame):
            yield from _paragraphs(notes, spot)
        file.tick(number / count)


def _in_order(shapes: Any) -> list[Any]:
    """Shapes from the top down, those side by side from left to right."""
    placed = sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0))
    lines: list[list[Any]] = []
    for shape in placed:
        if lines and (shape.top or 0) - (lines[-1][0].top or 0) <= SAME_LINE:
            lines[-1].append(shape)
        else:
            lines.append([shape])
    return [shape for line in lines for shape in sorted(line, key=lambda each: each.left or 0)]


def _shape(shape: Any, spot: str) -> Iterator[Block | list[Row]]:
    if hasattr(shape, "shapes"):  # a group
        for each in _in_order(shape.shapes):
            yield from _shape(each, spot)
    elif shape.has_text_frame:
        yield from _paragraphs(shape.text_frame, spot)
    elif getattr(shape, "has_table", False):
        yield _table(shape.table, spot)
    else:
        yield from _diagram(shape, spot)


def _paragraphs(frame: Any, spot: str) -> Iterator[Block]:
    for paragraph in frame.paragraphs:
        if text := paragraph.text.replace("\v", "\n").strip():
            yield Block(text, spot)


def _table(table: Any, spot: str) -> list[Row]:
    """Rows; a merged cell's text stands in each row that it reaches down into."""
    held: dict[int, str] = {}
    rows: list[Row] = []
    for line in table.rows:
        merged = set()
        cells = []
        for column, cell in enumerate(line.cells):
            if cell.is_spanned and cell._tc.vMerge:
                merged.add(column)
            else:
                held[column] = cell.text_frame.text
            cells.append(held.get(column, ""))
        rows.append(row(spot, cells, merged))
    return [found for found in rows if found.cells]


def _diagram(shape: Any, spot: str) -> Iterator[Block]:
    """The text of SmartArt, which lies in a part of its own."""
    for ids in shape._element.iter(_DIAGRAM):
        data = shape.part.related_part(ids.get(_DATA))
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        for paragraph in etree.fromstring(data.blob, parser).iter(f"{_A}p"):
            if text := "".join(run.text or "" for run in paragraph.iter(f"{_A}t")).strip():
                yield Block(text, spot)
