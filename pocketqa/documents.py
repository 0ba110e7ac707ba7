"""Documents: the one form that every kind of file is read into, and how it is cut into pieces.

A reader gives `Entry` (a question with its answer), `Document` (prose with headings) and `Fault`.
"""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_HEADING = 100
"""Characters; a longer "heading" is a paragraph that somebody made bold."""

JOINT = " › "
"""Between the parts of a title path."""

BROKEN = "\ufffd"
"""What stands for bytes that are no character."""

BROKEN_REASON = ("含有无法识别的字符(编码错误)", "characters that cannot be read (wrong encoding)")

_PAGE = re.compile(r"[ps]\d+")
_FIELD = re.compile(r"(分类|来源|category|source)\s*[:：]\s*(.*)", re.IGNORECASE)
_FIELDS = {"分类": "category", "来源": "source"}
# A full stop ends a sentence before a space; not after a digit, where it belongs to a list.
_SENTENCE = re.compile(
    r"(?:[^。！？!?；;\n.]|(?<=\d)\.|\.(?!\s))*(?:(?:[。！？!?；;\n]|\.(?=\s))+[”’」』）)]*|$)"
)
# Control, zero-width, direction, surrogate and private characters. The two joiners stay: emoji and
# some scripts need them.
_UNSEEN = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ue000-\uf8ff\ufeff\ufff9-\ufffb\ufffe\uffff]"
)


@dataclass(frozen=True)
class Fault:
    """A part of a file that could not be read; the rest was.

    Attributes:
        line: the line, row, page or paragraph, from 1; 0 is the file.
        spot: how people name it where it is not a line: "Sheet1!14", "p3", "¶12".
        code: what is wrong with a whole file, where that has a name: "encrypted", "damaged",
            "bomb" (it would fill the memory), "empty", "wrong_suffix", "unsupported_file",
            "scanned".
    """

    file: str
    line: int
    reason_zh: str
    reason_en: str
    spot: str = ""
    code: str = field(default="", compare=False)

    @classmethod
    def at(cls, file: str, spot: str, zh: str, en: str) -> Fault:
        """A fault at a spot as the readers name it."""
        number = re.search(r"\d+$", spot)
        return cls(file, int(number[0]) if number else 0, zh, en, "" if spot.isdigit() else spot)

    @property
    def place(self) -> str:
        """File and spot as passages have them: "faq.xlsx:Sheet1!14", "faq.csv:3"."""
        return f"{self.file}:{self.spot or self.line}"

    def __str__(self) -> str:
        return f"{self.place}: {self.reason_zh} / {self.reason_en}"


@dataclass(frozen=True)
class Entry:
    """A question with its answer, as a row of a table gives it."""

    question: str
    answer: str
    similar: tuple[str, ...]
    category: str
    source: str
    spot: str


@dataclass(frozen=True)
class Block:
    """A paragraph or line of a document; of a `level` from 1, a heading."""

    text: str
    spot: str
    level: int = 0


@dataclass(frozen=True)
class Document:
    """A titled text: headings and paragraphs in their order."""

    title: str
    blocks: tuple[Block, ...]
    category: str = ""
    source: str = ""


@dataclass(frozen=True)
class Section:
    """The paragraphs below one heading; `title` is the path, "title › section › subsection"."""

    title: str
    blocks: tuple[Block, ...]
    spot: str


def document(title: str, blocks: list[Block]) -> Document:
    """A document with its title and fields taken out of its blocks.

    The title is that of the only heading of the first level, or of the first one if nothing stands
    below it before the next; else `title`. Fields are lines `分类：` and `来源：` (`category:`,
    `source:`) before the first heading below the title.
    """
    blocks = [_plain(block) for block in blocks]
    fields: dict[str, str] = {}
    rest: list[Block] = []
    named = _title(blocks)
    before = True
    for block in blocks:
        if block is named:
            title = block.text
            continue
        before &= not block.level
        if before and (field := _FIELD.fullmatch(block.text.strip())):
            name = field[1].lower()
            fields.setdefault(_FIELDS.get(name, name), field[2].strip())
        else:
            rest.append(block)
    return Document(title, tuple(rest), fields.get("category", ""), fields.get("source", ""))


def _plain(block: Block) -> Block:
    text = visible(block.text)
    if block.level:
        text = " ".join(text.split())
    return Block(text, block.spot, block.level if 0 < len(text) <= MAX_HEADING else 0)


def _title(blocks: list[Block]) -> Block | None:
    tops = [i for i, block in enumerate(blocks) if block.level == 1]
    if not tops:
        return None
    between = blocks[tops[0] + 1 : tops[1]] if len(tops) > 1 else []
    empty = all(not b.level and (not b.text or _FIELD.fullmatch(b.text)) for b in between)
    return blocks[tops[0]] if empty else None


def sections(document: Document) -> Iterator[Section]:
    """The parts of a document that hold text, each with the path of headings above it."""
    path: list[tuple[int, str]] = []
    found: list[Block] = []
    spot = ""
    for block in (*document.blocks, Block("", "", 1)):
        if not block.level:
            found.append(block)
            continue
        if held := _without_blank_ends(found):
            title = JOINT.join((document.title, *(text for _, text in path)))
            yield Section(title, tuple(held), spot or held[0].spot)
        path = [(level, text) for level, text in path if level < block.level]
        path.append((block.level, block.text))
        found, spot = [], block.spot


def _without_blank_ends(blocks: list[Block]) -> list[Block]:
    filled = [i for i, block in enumerate(blocks) if block.text.strip()]
    return blocks[filled[0] : filled[-1] + 1] if filled else []


def page_number(spot: str) -> int | None:
    """The page or slide that a spot names, from 1: that of "p3" and "s3"; of others None."""
    return int(spot[1:]) if _PAGE.fullmatch(spot) else None


def by_page(section: Section) -> Iterator[Section]:
    """A section in parts, one a page, where its blocks name pages, so that evidence names them too.

    A paragraph that goes on overleaf belongs to the page where it begins.
    """
    page = section.blocks[0].spot
    spot = page if _PAGE.fullmatch(page) else section.spot  # a heading may stand on the page before
    held: list[Block] = []
    for block in section.blocks:
        if block.spot != page and _PAGE.fullmatch(block.spot):
            yield Section(section.title, tuple(held), spot)
            spot, page, held = block.spot, block.spot, []
        held.append(block)
    yield Section(section.title, tuple(held), spot)


def pieces(section: Section, limit: int) -> Iterator[tuple[str, str]]:
    """A section's text in pieces of at most `limit` characters, each with the spot it begins at."""
    blocks = [(text, b.spot) for b in section.blocks if (text := b.text.strip())]
    starts = [0]
    for text, _ in blocks:
        starts.append(starts[-1] + len(text) + 1)
    whole = "\n".join(text for text, _ in blocks)
    for begin, piece in _cut(whole, limit):
        if text := piece.strip():
            at = begin + len(piece) - len(piece.lstrip())
            spot = blocks[bisect.bisect_right(starts, at) - 1][1]
            yield text, spot if at else section.spot


def sentences(text: str) -> list[str]:
    """The sentences and lines of `text`, without the space around them."""
    return [stripped for sentence in _SENTENCE.findall(text) if (stripped := sentence.strip())]


def split(text: str, limit: int) -> Iterator[str]:
    """Cut `text` at ends of sentences into pieces of at most `limit` characters.

    Pieces are of like length, so that no last one is a lone half sentence. A sentence longer than
    `limit` is cut at the limit.
    """
    text = re.sub(r"\n\s*\n", "\n", text.strip())
    return (piece.strip() for _, piece in _cut(text, limit) if piece.strip())


def _cut(text: str, limit: int) -> Iterator[tuple[int, str]]:
    wanted = len(text) / max(1, math.ceil(len(text) / limit))
    begin, piece = 0, ""
    for sentence in _SENTENCE.findall(text):
        if piece and (len(piece) >= wanted or len(piece) + len(sentence) > limit):
            yield begin, piece
            begin, piece = begin + len(piece), ""
        piece += sentence
        while len(piece) > limit:
            yield begin, piece[:limit]
            begin, piece = begin + limit, piece[limit:]
    if piece:
        yield begin, piece


def visible(text: str) -> str:
    """`text` without what nobody sees: control characters, half surrogates, marks of direction."""
    return _UNSEEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
