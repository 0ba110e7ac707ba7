"""Markdown: headings of all levels, and pipe tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..documents import Block
from . import File, Part, prose
from .tables import Row, row
from .text import broken, text

_HEADING = re.compile(r" {0,3}(#{1,6})\s+(.+?)\s*#*\s*$")
_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
_PIPE = re.compile(r"(?<!\\)\|")


def read(file: File) -> Iterator[Part]:
    """Headings, lines and tables. A `#` or a `|` in a fenced block is only text."""
    lines = text(file).splitlines()
    yield from broken(lines, file.name)
    yield from prose.parts(file, _blocks(lines))


def _blocks(lines: list[str]) -> Iterator[Block | list[Row]]:
    fence = ""
    at = 0
    while at < len(lines):
        line = lines[at]
        mark = line.lstrip()[:3]
        if mark in ("```", "~~~") and fence in ("", mark):
            fence = "" if fence else mark
        heading = None if fence else _HEADING.match(line)
        end = at if fence else _table_end(lines, at)
        if heading:
            yield Block(heading[2], str(at + 1), len(heading[1]))
        elif end > at:
            # The line below the names is drawn and not written.
            yield [row(str(i + 1), _cells(lines[i])) for i in range(at, end) if i != at + 1]
        else:
            yield Block(line, str(at + 1))
        at = max(end, at + 1)


def _table_end(lines: list[str], at: int) -> int:
    """The line after the table that begins at a line; the same line where none does."""
    if "|" not in lines[at] or at + 1 == len(lines) or not _RULE.match(lines[at + 1]):
        return at
    if len(_cells(lines[at])) != len(_cells(lines[at + 1])):
        return at
    end = at + 2
    while end < len(lines) and "|" in lines[end]:
        end += 1
    return end


def _cells(line: str) -> list[str]:
    line = line.strip()
    line = line[1:] if line.startswith("|") else line
    line = line[:-1] if line.endswith("|") and not line.endswith("\\|") else line
    cells = (cell.replace("\\|", "|").strip() for cell in _PIPE.split(line))
    return [re.sub(r"<br\s*/?>", "\n", cell) for cell in cells]
