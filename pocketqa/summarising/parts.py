"""A long text in parts of like size, which begin where paragraphs do, as sentences with pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..documents import sentences
from ..threads import unhurried
from .asked import Block
from .central import Centrality, size

LONGEST = 200
"""Characters of a sentence; a longer one, such as a line without any full stop, is cut."""
_HEADING = re.compile(r"#{1,6}\s+")
_ITEM = re.compile(r"[-*•·]\s+")
_CUT = re.compile(rf".{{1,{LONGEST - 1}}}[，,、;；:： \t]|.{{1,{LONGEST}}}", re.DOTALL)


@dataclass(frozen=True)
class Sentence:
    """A sentence, or a line that is none; `opens` a paragraph."""

    text: str
    page: int | None
    opens: bool


@dataclass(frozen=True)
class Part:
    """Neighbouring sentences of a text."""

    sentences: tuple[Sentence, ...]

    @property
    def pages(self) -> tuple[int, int] | None:
        """The first and the last page; None where there are no pages."""
        pages = [each.page for each in self.sentences if each.page is not None]
        return (min(pages), max(pages)) if pages else None

    @property
    def text(self) -> str:
        """All of it, a paragraph a line."""
        return _joined(self.sentences)

    @cached_property
    def size(self) -> float:
        """What it costs to read, as `central.size` counts."""
        return sum(size(each.text) for each in self.sentences)

    def central(self, room: float, wanted: str = "") -> str:
        """Its most central sentences in their order, as many as fit into `room`."""
        weighed = Centrality([each.text for each in self.sentences], wanted)
        return _joined([self.sentences[at] for at in weighed.choose(room)])


def read(blocks: Sequence[Block]) -> Part:
    """A text as one part."""
    return Part(tuple(each for block in unhurried(blocks, 20) for each in _sentences(*block)))


def cut(whole: Part, count: int) -> list[Part]:
    """At most `count` parts of like size; each begins with a paragraph where one is near."""
    wanted = whole.size / count
    parts: list[Part] = []
    held: list[Sentence] = []
    total = filled = 0.0
    for each in unhurried(whole.sentences, 500):
        # Where the part should end, give or take a fifth for a paragraph's sake.
        end = wanted * (len(parts) + 1)
        near = 0.2 * wanted if each.opens else -0.2 * wanted
        if held and total >= end - near and filled > 0.5 * wanted and len(parts) < count - 1:
            parts.append(Part(tuple(held)))
            held, filled = [], 0.0
        held.append(each)
        total += size(each.text)
        filled += size(each.text)
    return [*parts, Part(tuple(held))] if held else parts


def _sentences(text: str, page: int | None) -> Iterator[Sentence]:
    opens = True
    for sentence in sentences(text):
        heading = _HEADING.match(sentence)
        opens = opens or bool(heading or _ITEM.match(sentence))
        sentence = sentence[heading.end() :] if heading else sentence
        for piece in [sentence] if len(sentence) <= LONGEST else _CUT.findall(sentence):
            if stripped := piece.strip():
                yield Sentence(stripped, page, opens)
                opens = False
        opens = opens or bool(heading)


def _joined(chosen: Sequence[Sentence]) -> str:
    """Sentences as text; Latin ones are joined by a space."""
    text = ""
    for each in chosen:
        if each.opens and text:
            text += "\n"
        elif text and text[-1].isascii():
            text += " "
        text += each.text
    return text
