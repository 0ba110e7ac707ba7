"""HTML: headings, paragraphs and tables, without what a page has around its text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lxml import etree
from lxml.html import HtmlElement, HTMLParser, document_fromstring

from ..documents import Block, Fault
from . import File, Part, prose
from .tables import MAX_CELL, Row, row
from .text import broken, text

BREAK = "\v"  # in the text of a file it would be white space, if it occurred

MAX_SPAN = 256  # columns or rows of one cell

_LEVELS = {f"h{level}": level for level in range(1, 7)}
_UNREAD = set(
    "script style noscript template nav footer aside form iframe svg button select head".split()
)
_INLINE = set(
    "a abbr b bdi bdo big br cite code em data del dfn font i ins kbd label mark q s samp small"
    " span strike strong sub sup time tt u var wbr".split()
)


def read(file: File) -> Iterator[Part]:
    """The text below `<body>`; the title is that of the only `<h1>`, else `<title>`."""
    content = text(file)
    yield from broken(content.splitlines(), file.name)
    # The text is decoded; a charset that the file declares is past.
    parser = HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    try:
        root = document_fromstring(content.encode("utf-8", "replace"), parser=parser)
    except etree.ParserError:
        yield Fault(file.name, 0, "没有正文", "there is no text", code="empty")
        return
    if any("depth" in error.message for error in parser.error_log):
        yield Fault(file.name, 0, "嵌套过深，有内容未读", "nested too deep: some is not read")
    title = " ".join((root.findtext(".//title") or "").split())
    yield from prose.parts(file, _blocks(root), title)


def _blocks(root: HtmlElement) -> Iterator[Block | list[Row]]:
    held: list[str] = []
    count = tables = level = 0
    walker = etree.iterwalk(root, events=("start", "end"))
    for event, element in walker:
        tag = element.tag
        opens, block = event == "start", tag not in _INLINE
        if block and (found := _lines(held)):
            count += 1
            yield Block(found, f"¶{count}", level)
        if block:
            held = []
        if tag in _LEVELS:
            level = _LEVELS[tag] if opens else 0
        if opens and _is_unread(element):
            walker.skip_subtree()
        elif opens and tag == "table" and _is_data(element):
            tables += 1
            for caption in element.iterchildren("caption"):
                yield Block(_lines(list(_texts(caption))), f"¶{count}")
            yield _table(element, f"table{tables}")
            walker.skip_subtree()
        elif opens:
            held.append(element.text or "")
        if opens and tag == "br":
            held.append(BREAK)
        if not opens:
            held.append(element.tail or "")


def _is_unread(element: HtmlElement) -> bool:
    style = (element.get("style") or "").replace(" ", "").lower()
    hidden = element.get("hidden") is not None or element.get("aria-hidden") == "true"
    return element.tag in _UNREAD or hidden or "display:none" in style


def _lines(held: list[str]) -> str:
    """Text as a browser shows it: white space is one space, `BREAK` a new line."""
    lines = (" ".join(line.split()) for line in "".join(held).split(BREAK))
    return "\n".join(filter(None, lines))


def _is_data(table: HtmlElement) -> bool:
    """Whether a table holds data, and not the columns of the page."""
    return table.find(".//table") is None and not any(
        element.tag in _LEVELS for element in table.iter()
    )


def _table(table: HtmlElement, name: str) -> list[Row]:
    """Rows with the text of spanning cells in each place that they cover, of those below."""
    rows: list[Row] = []
    reaching: dict[int, tuple[int, str]] = {}
    for number, line in enumerate(table.iter("tr"), 1):
        cells: dict[int, str] = {c: held for c, (left, held) in reaching.items() if left}
        merged = set(cells)
        reaching = {c: (left - 1, held) for c, (left, held) in reaching.items() if left > 1}
        column = 0
        for cell in line.iterchildren("td", "th"):
            while column in cells:
                column += 1
            cells[column] = _lines(list(_texts(cell)))[: MAX_CELL + 1]
            if (down := _span(cell, "rowspan")) > 1:
                reaching[column] = (down - 1, cells[column])
            column += _span(cell, "colspan")
        width = max(cells, default=-1) + 1
        rows.append(row(f"{name}!{number}", (cells.get(c, "") for c in range(width)), merged))
    return [found for found in rows if found.cells]


def _texts(cell: HtmlElement) -> Iterator[str]:
    for event, element in etree.iterwalk(cell, events=("start", "end")):
        if event == "start":
            if element.tag == "br" or element.tag not in _INLINE and element is not cell:
                yield BREAK
            yield element.text or ""
        elif element is not cell:
            yield element.tail or ""


def _span(cell: Any, name: str) -> int:
    value = cell.get(name, "1").strip()
    return min(max(1, int(value)), MAX_SPAN) if value.isascii() and value.isdigit() else 1
