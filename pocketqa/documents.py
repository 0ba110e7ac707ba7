"""Documents: from the text of a file to its sections, and from a section to pieces of a size."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADING = re.compile(r"(##?)\s+(.+?)\s*#*$")
_FIELD = re.compile(r"(分类|来源|category|source)\s*[:：]\s*(.*)", re.IGNORECASE)
_SENTENCE = re.compile(r"[^。！？!?；;\n]*(?:[。！？!?；;\n]+[”’」』）)]*|$)")


@dataclass(frozen=True)
class Section:
    """A part of a document; `line` is where it begins, from 1. The first has no heading."""

    heading: str
    text: str
    line: int


@dataclass(frozen=True)
class Document:
    """A titled text in sections, with what stands before the first one as fields."""

    title: str
    sections: tuple[Section, ...]
    fields: tuple[tuple[str, str], ...] = ()

    def field(self, *names: str) -> str:
        """The first field with one of these names, or an empty string."""
        return next((value for name, value in self.fields if name in names), "")


def plain(text: str, title: str) -> Document:
    """Text without structure: one section without heading."""
    return Document(title, (Section("", text, 1),))


def markdown(text: str, title: str) -> Document:
    """`# title`, then lines `分类：` and `来源：`, then `##` sections; deeper headings stay text.

    `title` serves where the text has none. A `#` in a fenced block is no heading.
    """
    fields: list[tuple[str, str]] = []
    parts: list[tuple[str, list[str], int]] = [("", [], 1)]
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        fenced ^= line.lstrip().startswith("```")
        heading = None if fenced else _HEADING.match(line)
        before = len(parts) == 1
        if before and heading and heading[1] == "#":
            title = heading[2]
        elif heading:
            parts.append((heading[2], [], number))
        elif before and (field := _FIELD.match(line)):
            fields.append((field[1].lower(), field[2].strip()))
        else:
            parts[-1][1].append(line)
    sections = (Section(heading, "\n".join(lines).strip(), line) for heading, lines, line in parts)
    return Document(title, tuple(s for s in sections if s.text), tuple(fields))


def split(text: str, limit: int) -> Iterator[str]:
    """Cut `text` at ends of sentences into pieces of at most `limit` characters.

    Pieces are of like length, so that no last one is a lone half sentence. A sentence longer than
    `limit` is cut at the limit.
    """
    text = re.sub(r"\n\s*\n", "\n", text.strip())
    wanted = len(text) / max(1, math.ceil(len(text) / limit))
    piece = ""
    for sentence in _SENTENCE.findall(text):
        if piece and (len(piece) >= wanted or len(piece) + len(sentence) > limit):
            yield piece.strip()
            piece = ""
        piece += sentence
        while len(piece) > limit:
            yield piece[:limit].strip()
            piece = piece[limit:]
    if piece.strip():
        yield piece.strip()
