"""How near an answer comes to those that people gave. Pure.

`gold_recall` and `char_f1` count characters that both say in the same order, with anything between
them (longest common subsequence): an answer in a sentence of its own is not punished for being one.
`cmrc_f1` is that of the CMRC 2018 evaluation (Cui et al. 2019, "A Span-Extraction Dataset for
Chinese Machine Reading Comprehension", EMNLP): Chinese by characters, anything else by words,
punctuation left out; what counts as shared is the longest run that both have in common.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff〇"
_WORD = rf"[^\W_{_HAN}]+"
# A point or comma within a number is part of it.
_SEGMENT = re.compile(rf"[{_HAN}]|{_WORD}(?:(?<=\d)[.,](?=\d){_WORD})*")


def segments(text: str) -> list[str]:
    """Mixed segmentation: a Chinese character, a number or a word each, in lower case.

    CMRC's own script leaves anything but Chinese to NLTK's English tokenizer; these rules agree
    with it on words and numbers, and need no model.
    """
    return _SEGMENT.findall(text.lower())


def cmrc_f1(answer: str, golds: Sequence[str]) -> float:
    """F1 of the longest common run of segments, between 0 and 1; of several golds the best."""
    said = segments(answer)
    return max(_f1(_longest_run, said, segments(gold)) for gold in golds)


def char_f1(answer: str, golds: Sequence[str]) -> float:
    """F1 of the longest common subsequence of characters; of several golds the best.

    Twice its length over the lengths of both, of the same characters as in `gold_recall`.
    """
    said = _characters(answer)
    return max(_f1(_common, said, _characters(gold)) for gold in golds)


def gold_recall(answer: str, golds: Sequence[str]) -> float:
    """The share of a gold answer's characters that `answer` says in its order; the best gold's.

    The longest common subsequence over the gold's length, of letters and digits (Chinese
    characters are letters) in lower case.
    """
    return max(_recall(_characters(answer), _characters(gold)) for gold in golds)


def agreement(expected: Sequence[int], found: Sequence[int]) -> float:
    """The share of positions where two token sequences of the same length are equal; 1 of none."""
    equal = [a == b for a, b in zip(expected, found, strict=True)]
    return sum(equal) / len(equal) if equal else 1.0


def _f1(
    common: Callable[[Sequence[str], Sequence[str]], int],
    answer: Sequence[str],
    gold: Sequence[str],
) -> float:
    shared = common(answer, gold)
    return 2 * shared / (len(answer) + len(gold)) if shared else 0.0


def _longest_run(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of the longest stretch without gaps that `a` and `b` share."""
    longest, before = 0, [0] * (len(b) + 1)
    for x in a:
        now = [0] * (len(b) + 1)
        for at, y in enumerate(b):
            if x == y:
                now[at + 1] = before[at] + 1
        longest, before = max(longest, *now), now
    return longest


def _recall(answer: Sequence[str], gold: Sequence[str]) -> float:
    return _common(answer, gold) / len(gold) if gold else 0.0


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of the longest common subsequence, whose parts may lie apart."""
    before = [0] * (len(b) + 1)
    for x in a:
        now = [0]
        for at, y in enumerate(b):
            now.append(before[at] + 1 if x == y else max(before[at + 1], now[at]))
        before = now
    return before[-1]


def _characters(text: str) -> list[str]:
    return [char for char in text.lower() if char.isalnum()]
