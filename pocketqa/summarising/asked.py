"""What an instruction for a summary asks for: which part of the text, and how much of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..grounding.numerals import value

Block = tuple[str, "int | None"]
"""A paragraph or heading, and its page; None where there are no pages."""

MAX_INSTRUCTION = 100
"""Characters of an instruction that the model is told."""

_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}
_NUMBER = r"(\d{1,4}|[零〇一二两三四五六七八九十百]+)"
_SENTENCES = re.compile(
    rf"[用以]?{_NUMBER}\s*句话?|\b(\d+|{'|'.join(_WORDS)})[\s-]+sentences?\b", re.I
)
_ONE = re.compile(r"[用以成]?一段话?|one paragraph", re.I)
_LENGTH = re.compile(rf"{_NUMBER}\s*个?(?:字|字符)|\b(\d+)\s+words?\b", re.I)
_CHAPTER = re.compile(
    rf"第\s*{_NUMBER}\s*([章节部编篇条])|\b(chapter|section|part)\s+(\d+)\b", re.I
)
_PAGES = re.compile(
    rf"第?\s*{_NUMBER}\s*(?:[-–—~～至到]+\s*第?\s*{_NUMBER})?\s*页"
    r"|\bpages?\s+(\d+)(?:\s*(?:[-–—~]|to|and)\s*(\d+))?",
    re.I,
)
_ASKS = re.compile(r"总结|概括|摘要|归纳|概述|提炼|要点|summar|main points|tl;?dr", re.I)
# What says no more than that a summary is wanted, how long, and of which part.
_GENERIC = re.compile(
    rf"{_SENTENCES.pattern}|{_ONE.pattern}|{_LENGTH.pattern}|{_CHAPTER.pattern}|{_PAGES.pattern}"
    r"|列出|要点|总结|概括|摘要|归纳|概述|提炼|请|麻烦|帮我|帮忙|给我|一下|[写做](?:一?[个份]|出)|生成|以内|左右|不超过"
    r"|这[个份篇些段]|上[面传述]的?|以[下上]|下面|全[文部]|整[个篇]|文[件档章字本]|内容|材料|主要|简[单短要]地?|的"
    r"|\b(?:please|can|could|you|summar\w*|the|this|file|document|text|article|above|below|following"
    r"|briefly?|short|give|me|write|a|an|of|in|main|points?|at|most|for|uploaded)\b|\W",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Wish:
    """How an asker wants a summary; 0 where nothing is said."""

    focus: str = ""
    """What it should be about; empty for an instruction that only asks for a summary."""
    sentences: int = 0
    characters: int = 0

    @property
    def is_short(self) -> bool:
        """Whether the whole is wanted in a few words, without points for its parts."""
        return 0 < self.sentences <= 5 or 0 < self.characters <= 300


def read(instruction: str) -> Wish:
    """The wish of an instruction such as 用三句话概括."""
    text = " ".join(instruction.split())[:MAX_INSTRUCTION]
    sentences = length = 0
    if found := _SENTENCES.search(text):
        sentences = _number(found[1] or found[2])
    elif _ONE.search(text):
        sentences = 4
    if found := _LENGTH.search(text):
        length = _number(found[1]) if found[1] else 6 * _number(found[2])
    focus = " ".join(_GENERIC.sub(" ", text).split())
    return Wish(focus if len(focus) > 1 else "", min(sentences, 20), length)


def instruction_of(text: str) -> tuple[str, str]:
    """(instruction, text) of a text that begins or ends with a line that asks for its summary."""
    lines = text.strip().split("\n")
    for at in (0, -1):
        line = lines[at].strip()
        rest = "\n".join(lines[1:] if at == 0 else lines[:-1]).strip()
        if len(line) <= MAX_INSTRUCTION // 2 and len(rest) > len(line) and _ASKS.search(line):
            return line, rest
    first, colon, rest = text.strip().partition("：" if "：" in text[:50] else ":")
    if colon and len(first) <= 30 and len(rest) > len(first) and _ASKS.search(first):
        return first, rest.strip()
    return "", text


def part_of(blocks: Sequence[Block], instruction: str) -> list[Block]:
    """The pages or the chapter that an instruction names; all blocks if none, or not found."""
    if found := _PAGES.search(instruction):
        first = _number(found[1] or found[3])
        last = _number(found[2] or found[4] or str(first))
        chosen = [block for block in blocks if block[1] is not None and first <= block[1] <= last]
        if chosen:
            return chosen
    if found := _CHAPTER.search(instruction):
        if chosen := _chapter(blocks, found):
            return chosen
    return list(blocks)


def _chapter(blocks: Sequence[Block], found: re.Match[str]) -> list[Block]:
    """From the chapter's heading to the next heading of its kind; the last such place, since a
    table of contents has the same lines."""
    if found[1]:
        number, begins = _number(found[1]), re.compile(rf"第\s*{_NUMBER}\s*{found[2]}")
    else:
        number, begins = int(found[4]), re.compile(rf"{found[3]}\s+(\d+)\b", re.I)
    heads = [
        (at, _number(head[1]))
        for at, (text, _) in enumerate(blocks)
        if (head := begins.match(text.strip())) and (found[2] == "条" or _is_heading(text))
    ]
    if not heads:
        return []
    ends = [at for at, _ in heads[1:]] + [len(blocks)]
    ranges = [(at, end) for (at, n), end in zip(heads, ends, strict=True) if n == number]
    if not ranges:
        return []
    at, end = max(ranges, key=lambda found: sum(len(text) for text, _ in blocks[slice(*found)]))
    return list(blocks[at:end])


def _is_heading(text: str) -> bool:
    return len(text) <= 60 and not re.search(r"[。；;，]", text)


def _number(text: str) -> int:
    """The value of digits, of a Chinese numeral, or of an English word; 0 of what is no number."""
    if text.isascii():
        return int(text) if text.isdigit() else _WORDS[text.lower()]
    return value(text) or 0
