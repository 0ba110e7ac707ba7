"""PDF, through pypdfium2: pages' lines, without what repeats on every page, to paragraphs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ..documents import Block, Fault
from . import File, Part, numbering, ocr, prose
from .excel import encrypted
from .paragraphs import paragraphs

MAX_PAGES = 5_000

REPEATED = 0.1
"""Share of the pages, and at least 3, on which a first or last line is a header or footer."""

_NUMBER = re.compile(
    r"[-—–·\s]*(?:第\s*)?\d+\s*(?:页)?(?:\s*(?:[/／,，]|of|共)\s*(?:共\s*)?\d+\s*(?:页)?)?[-—–·\s]*"
    r"|page\s+\d+(?:\s+of\s+\d+)?",
    re.IGNORECASE,
)

Page = list[str]


def read(file: File) -> Iterator[Part]:
    """Paragraphs, with the place `p3`. A page that is only a picture is recognised, if it can be.

    Raises:
        KnowledgeError: `encrypted`, where it wants a password.
    """
    opened = _open(file.data)
    try:
        pages, faults = _pages(opened, file)
    finally:
        opened.close()
    if not any(pages) and faults:
        yield _scanned(file.name)
        return
    yield from faults
    lines = [(line, f"p{n}") for n, page in enumerate(_without_margins(pages), 1) for line in page]
    yield from prose.parts(file, numbering.headings(Block(*item) for item in paragraphs(lines)))


def pages(data: bytes) -> int:
    """The number of pages.

    Raises:
        KnowledgeError: `encrypted`, where it wants a password.
    """
    opened = _open(data)
    try:
        return len(opened)
    finally:
        opened.close()


def _open(data: bytes) -> Any:
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "assword" in str(error):
            raise encrypted() from None
        raise


def _scanned(name: str) -> Fault:
    zh, en = "没有文字，像是扫描件", "no text, a scan perhaps"
    if not ocr.is_installed():
        zh, en = f"{zh}；{ocr.EXTRA[0]}", f"{en}; {ocr.EXTRA[1]}"
    return Fault(name, 0, zh, en, code="scanned")


def _pages(opened: Any, file: File) -> tuple[list[Page], list[Fault]]:
    pages: list[Page] = []
    faults: list[Fault] = []
    count = len(opened)
    for number in range(1, min(count, MAX_PAGES) + 1):
        try:
            page = opened[number - 1]
            # U+FFFE stands for the hyphen of a divided word.
            text = page.get_textpage().get_text_range().replace("\ufffe", "\u00ad\n")
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            if not lines and next(page.get_objects(max_depth=3), None):
                lines = ocr.lines(page) if ocr.is_installed() else []
                if not lines:
                    zh, en = "这一页没有文字，像是扫描件", "a page without text, scanned perhaps"
                    faults.append(Fault.at(file.name, f"p{number}", zh, en))
            pages.append(lines)
            page.close()
        except RuntimeError as error:  # PdfiumError
            pages.append([])
            zh, en = "这一页无法读取", f"the page cannot be read: {error}"
            faults.append(Fault.at(file.name, f"p{number}", zh, en))
        file.tick(number / count)
    if count > MAX_PAGES:
        zh, en = f"只读了前 {MAX_PAGES} 页", f"only the first {MAX_PAGES} pages are read"
        faults.append(Fault.at(file.name, f"p{MAX_PAGES}", zh, en))
    return pages, faults


def _without_margins(pages: list[Page]) -> list[Page]:
    """Pages without running headers and footers, two lines each, and without page numbers."""
    tops = Counter(_key(line) for page in pages for line in page[:2])
    bottoms = Counter(_key(line) for page in pages for line in page[-2:])
    often = max(3, REPEATED * sum(map(bool, pages)))
    bare = []
    for number, page in enumerate(pages, 1):
        begin, end = 0, len(page)
        while begin < min(2, end) and _is_margin(page[begin], tops, often, number):
            begin += 1
        while end > max(begin, len(page) - 2) and _is_margin(page[end - 1], bottoms, often, number):
            end -= 1
        bare.append(page[begin:end])
    return bare if any(bare) else pages  # short pages of one pattern are no margins


def _is_margin(line: str, seen: Counter[str], often: float, page: int) -> bool:
    if line.isdecimal():
        return int(line[:9]) == page or seen["#"] >= often
    return seen[_key(line)] >= often or bool(_NUMBER.fullmatch(line))


def _key(line: str) -> str:
    return re.sub(r"\d+", "#", line)
