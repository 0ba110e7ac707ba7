"""From the lines of a page to the paragraphs that were broken into them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from . import numbering

SHORT = 0.7
"""Of the usual width; a shorter line is a paragraph's last, or a heading."""

_ITEM = re.compile(
    r"[（(][一二三四五六七八九十\d]+[)）]|\d+(?:[、．)）]|\.(?!\d))\s*\D|[一二三四五六七八九十]+、|[•·●■◆○▪]\s*\S"
)
# A full stop within a line ends a sentence only before a space.
_SENTENCE = re.compile(r".*?(?:[。！？!?][”’」』）)]*|\.(?=\s+[A-Z]|$))")
_ENDS = re.compile(r"[。！？!?：:；;.][”’」』）)]*$")


def paragraphs(lines: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Join (text, spot) of lines to paragraphs, each with the spot where it begins.

    Layout is gone, so the width of a line decides, its end, and what the next one begins with. A
    paragraph ends with its page, or with the sentence that goes on overleaf.
    """
    widths = sorted(width(text) for text, _ in lines)
    usual = widths[int(0.8 * (len(widths) - 1))] if widths else 0
    held: list[str] = []
    begun = last = ""
    for text, spot in lines:
        overleaf = spot != begun
        if held and (_begins(text, last, usual) or overleaf and _ENDS.search(last)):
            yield "".join(held), begun
            held = []
        elif held and overleaf and (end := _SENTENCE.match(text)):
            yield "".join((*held[:-1], before(held[-1], text), end[0])), begun
            held, text = [], text[end.end() :].lstrip()
            if not text:
                continue
        if held:
            held[-1] = before(held[-1], text)
        else:
            begun = spot
        held.append(text)
        last = text
    if held:
        yield "".join(held), begun


def _begins(line: str, last: str, usual: int) -> bool:
    """Whether a line begins a paragraph, and does not go on the one of the last line."""
    if last.endswith("\u00ad"):
        return False
    if any(is_heading(text) for text in (line, last) for is_heading in _HEADINGS):
        return True
    if _ITEM.match(line) or numbering.is_article(line):
        return True
    wide = width(last) / max(usual, 1)
    return wide < SHORT or wide < 0.95 and bool(_ENDS.search(last))


_HEADINGS = (numbering.is_chapter, numbering.is_point)


def before(line: str, following: str) -> str:
    """A line as it stands before the next one of its paragraph.

    Chinese takes no space there, English one, and a divided word loses its hyphen.
    """
    if line.endswith("\u00ad") or re.match(r"[a-z]-", line[-2:]) and re.match(r"[a-z]", following):
        return line[:-1]
    return f"{line} " if line[-1] < "\u2e80" and following[0] < "\u2e80" else line


def width(text: str) -> int:
    """Columns that a line takes: Chinese characters and punctuation are two wide."""
    return sum(2 if character >= "\u2e80" else 1 for character in text)
