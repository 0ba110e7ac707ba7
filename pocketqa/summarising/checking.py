"""What a small model says of a text, sentence by sentence, and whether it may be passed on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from ..analysis import clean, normalise, words
from ..grounding.facts import ungrounded

ALIKE = 0.8
"""Of a sentence's pairs of characters, those that an earlier one has, from which on it repeats."""

SUPPORTED = 0.6
"""Of a sentence's words, those that the text has to have."""

# A full stop ends a sentence before a space, but not after a digit: 1. is a mark, 3.5 a number.
_ENDS = re.compile(r"[。！？!?\n]+[”’」』）)]*|(?<=[^\d\s])\.[”’\")]*(?=\s)")
_MARK = re.compile(
    r"^(?:[-*•·#>]+\s*|\(?\d{1,2}[.、)）:：]\s*(?!\d)|[（(][一二三四五六七八九十]+[）)]\s*)+"
)
_LEAD = re.compile(
    r"^(?:[上本][文段](?:主要)?(?:讲述|介绍|讲|说明|概述)了"
    r"|(?:总的来说|总之|综上所述|摘要|概括|主要内容|要点|答案?|summary|overall|in summary"
    r"|main points?)\s*[:：,，])\s*",
    re.IGNORECASE,
)
_LOOP = re.compile(r"(.{2,30}?)\1{3}", re.DOTALL)
_CLOSED = tuple("。！？!?…”’」』）).")

Verdict = Literal["good", "bad", "repeats"]


def told(deltas: Iterable[str], is_cut: Callable[[], bool]) -> Iterator[str]:
    """The sentences of an answer as they come, without marks of lists and the like.

    A sentence that runs in circles ends them, and is left out.

    Args:
        is_cut: asked at the end: whether the limit of tokens has ended it. What is no whole
            sentence then is left out.
    """
    held = ""
    for delta in deltas:
        *whole, held = _split(held + delta)
        yield from filter(None, map(ended, whole))
        if _LOOP.search(held):
            return
    if is_cut():
        return
    if rest := ended(held):
        yield rest


def plain(sentence: str) -> str:
    """A sentence without the marks of a list or a heading, and without words that announce it."""
    text = sentence.replace("**", "").replace("`", "").strip()
    return _LEAD.sub("", _MARK.sub("", text)).strip()


def ended(sentence: str) -> str:
    """A sentence in plain, with its full stop; `''` for what only leads to others, or is none."""
    text = plain(sentence)
    if text.endswith(("：", ":")) or not any(char.isalnum() for char in text):
        return ""
    if not text.endswith(_CLOSED):
        text = text.rstrip("；;，,、") + ("." if text.isascii() else "。")
    return text


def _split(text: str) -> list[str]:
    """Whole sentences, and what has begun after them."""
    found, begin = [], 0
    for end in _ENDS.finditer(text):
        if end.end() < len(text):  # a closing quote may still come
            found.append(text[begin : end.end()])
            begin = end.end()
    return [*found, text[begin:]]


class Checker:
    """Judges sentences about one text, in view of those that were said.

    Args:
        source: what they may rest on.
    """

    def __init__(self, source: str) -> None:
        self.said = 0
        self._source, self._clean = source, clean(source)
        self._keys: list[set[str]] = []

    def judge(self, sentence: str) -> Verdict:
        """Whether it may be said: `bad` where it says what the text does not."""
        pairs = _pairs(sentence)
        if any(_overlap(pairs, earlier) >= ALIKE for earlier in self._keys):
            return "repeats"
        if not pairs or ungrounded(sentence, [self._source]) or not self._is_supported(sentence):
            return "bad"
        return "good"

    def _is_supported(self, sentence: str) -> bool:
        found = {word for word, _ in words(sentence) if len(word) > 1}
        return sum(word in self._clean for word in found) >= SUPPORTED * len(found)

    def say(self, sentence: str) -> str:
        """Take note that it is said."""
        self._keys.append(_pairs(sentence))
        self.said += 1
        return sentence


def _pairs(sentence: str) -> set[str]:
    key = normalise(sentence)
    return {key[at : at + 2] for at in range(max(1, len(key) - 1))} - {""}


def _overlap(pairs: set[str], earlier: set[str]) -> float:
    return len(pairs & earlier) / len(pairs) if pairs else 0.0
