"""Headings by their numbers: 第一章, 第三条, 一、 where no style marks them, as in PDF."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeVar

from ..documents import Block

LONGEST = 40  # characters of a heading

_N = "零〇一二三四五六七八九十百千"
_CHAPTER = re.compile(rf"第\s*([{_N}\d]+)\s*([编篇章节])(?:[\s:：]+(.*)|)$")
_ARTICLE = re.compile(rf"第\s*([{_N}\d]+)\s*条(之[{_N}\d]+)?(?:[\s:：]+|(?=【))(.*)$", re.DOTALL)
_POINT = re.compile(rf"([{_N}]+)、\s*(.+)$")
_SENTENCE = re.compile(r"[。；;，,！!]|[.…·]{3,}|\s\d+$")  # or a line of a table of contents

_LEVELS = {"编": 2, "篇": 2, "章": 3, "节": 4}
_ARTICLE_LEVEL = 5
_POINT_LEVEL = 6

Other = TypeVar("Other")


def headings(blocks: Iterable[Block | Other]) -> list[Block | Other]:
    """`blocks` with levels for those that are numbered headings beyond doubt.

    Chapters stand on short lines of their own. Articles (第n条) count only in their order from the
    first, since a sentence may begin with "第十条" too; so do points (一、), also anew below each
    heading. The text that follows an article's number on its line becomes a block of its own.
    """
    found: list[Block | Other] = []
    article = point = 0
    for block in blocks:
        if not isinstance(block, Block):
            found.append(block)
            continue
        text = block.text.strip()
        if is_chapter(text):
            found.append(Block(text, block.spot, _LEVELS[_CHAPTER.match(text)[2]]))  # type: ignore[index]
            point = 0
        elif (match := _ARTICLE.match(text)) and _follows(match, article):
            article, point = number(match[1]), 0
            name = text[: match.start(3)].strip(" :：\u3000\t\n")
            found.append(Block(name, block.spot, _ARTICLE_LEVEL))
            found.append(Block(match[3], block.spot))
        elif is_point(text) and number(_POINT.match(text)[1]) in (1, point + 1):  # type: ignore[index]
            point = number(_POINT.match(text)[1])  # type: ignore[index]
            found.append(Block(text, block.spot, _POINT_LEVEL))
        else:
            found.append(block)
    return found


def _follows(match: re.Match[str], last: int) -> bool:
    return number(match[1]) == (last if match[2] else last + 1)


def is_chapter(line: str) -> bool:
    """Whether a line is "第一章 总则" and the like."""
    return len(line) <= LONGEST and bool(_CHAPTER.match(line)) and not _SENTENCE.search(line)


def is_point(line: str) -> bool:
    """Whether a line is "一、办理条件" and the like, and no sentence."""
    return len(line) <= LONGEST and bool(_POINT.match(line)) and not _SENTENCE.search(line)


def is_article(line: str) -> bool:
    """Whether a line begins as an article does, "第一条 为了"."""
    return bool(_ARTICLE.match(line))


def number(text: str) -> int:
    """The number of "二十一", "一百零三" or "12"; 0 where it is none."""
    if text.isdecimal():
        return int(text[:9])
    total = digit = 0
    for character in text:
        if character in "十百千":
            total += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[character]
            digit = 0
        else:
            digit = max(0, "零一二三四五六七八九".find(character))
    return total + digit
