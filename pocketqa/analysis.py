"""Chinese analysis for search: from text to terms, and from text to a key for equality.

Chinese has no spaces. Characters and overlapping pairs of characters (bigrams) find what no
dictionary knows; words of a dictionary only weigh them (see `question`). Words in Latin script and
codes (PPR-9087) stay whole, and give their parts and the form without hyphens too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

import opencc
import rjieba

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff〇"
_RUN = re.compile(rf"([{_HAN}]+)|([^\W_{_HAN}]+(?:[-_./][^\W_{_HAN}]+)*)")
_PARTS = re.compile(r"[^\W\d_]+|\d+")

# Modal particles at the end of a clause: they change the tone and not the meaning.
_PARTICLES = "啊呀哦呢吧嘛哈噢喔哟呐啦咯哇诶欸"


def clean(text: str) -> str:
    """`text` in one spelling: compatibility form (NFKC), lower case, simplified characters.

    Ａ１ becomes a1, ㎡ becomes m2, 身份證 becomes 身份证.
    """
    text = unicodedata.normalize("NFKC", text).lower()
    return text if text.isascii() else _simplify(text)


def normalise(text: str) -> str:
    """The key under which two spellings of a question are equal: letters and digits only."""
    return "".join(c for c in clean(text) if c.isalnum())


def without_particles(text: str) -> str:
    """`normalise`, less the modal particles at the end: 你好啊! and 你好 have one key."""
    key = normalise(text)
    return key.rstrip(_PARTICLES) or key


def terms(text: str) -> list[str]:
    """The terms of `text`, repeated as often as they occur.

    A run of Chinese characters gives its characters and its bigrams; anything else gives the whole
    word and, of a joined code, its parts and the whole without joints.
    """
    return list(_terms(clean(text)))


def words(text: str) -> Iterator[tuple[str, int]]:
    """The words of `text`, which do not overlap: (word, place in the clean text)."""
    for run in _RUN.finditer(clean(text)):
        at = run.start()
        for word in rjieba.cut(run[1]) if run[1] else [run[2]]:
            yield word, at
            at += len(word)


def is_character(term: str) -> bool:
    """Whether a term is a single Chinese character, of which most stand in every tenth passage."""
    return len(term) == 1 and not term.isascii()


def _terms(text: str) -> Iterator[str]:
    for run in _RUN.finditer(text):
        if run[1]:
            yield from run[1]
            yield from map("".join, zip(run[1], run[1][1:], strict=False))
        else:
            yield from _of_word(run[2])


def _of_word(word: str) -> Iterator[str]:
    yield word
    parts = _PARTS.findall(word)
    if len(parts) > 1:
        yield from parts
        if "-" in word or "_" in word:
            yield "".join(parts)


def _simplify(text: str) -> str:
    # A lone surrogate is no character, and the converter takes UTF-8.
    try:
        return str(_converter().convert(text))
    except UnicodeEncodeError:
        return text


@cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")
