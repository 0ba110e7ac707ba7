"""Chinese analysis for search: from text to terms, and from text to a key for equality.

Chinese has no spaces. Overlapping pairs of characters (bigrams) find what a dictionary does not
know; words of three and more characters from rjieba reward the longer match. Both lie beside each
other in the index. Words in Latin script and codes (PPR-9087) stay whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import rjieba

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff〇"
_RUN = re.compile(rf"([{_HAN}]+)|([^\W_{_HAN}]+(?:[-_./][^\W_{_HAN}]+)*)")
_PARTS = re.compile(r"[^\W_]+")

# Modal particles at the end of a clause: they change the tone and not the meaning.
_PARTICLES = "啊呀哦呢吧嘛哈噢喔哟呐啦咯哇诶欸"


def clean(text: str) -> str:
    """`text` in compatibility form (NFKC) and lower case: Ａ１ becomes a1, ㎡ becomes m2."""
    return unicodedata.normalize("NFKC", text).lower()


def normalise(text: str) -> str:
    """The key under which two spellings of a question are equal: letters and digits only."""
    return "".join(c for c in clean(text) if c.isalnum())


def without_particles(text: str) -> str:
    """`normalise`, less the modal particles at the end: 你好啊! and 你好 have one key."""
    key = normalise(text)
    return key.rstrip(_PARTICLES) or key


def spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Every term of `text` with its place: (term, begin, end) in characters of `clean(text)`.

    A run of Chinese characters gives its characters, its bigrams and its words of three and more
    characters; anything else gives the whole word and, of a joined code, its parts.
    """
    text = clean(text)
    for run in _RUN.finditer(text):
        begin = run.start()
        yield from _han(run[1], begin) if run[1] else _latin(run[2], begin)


def terms(text: str) -> list[str]:
    """The terms of `text` in the order of `spans`, repeated as often as they occur."""
    return [term for term, _, _ in spans(text)]


def _han(run: str, begin: int) -> Iterator[tuple[str, int, int]]:
    for i, character in enumerate(run):
        yield character, begin + i, begin + i + 1
        if i + 1 < len(run):
            yield run[i : i + 2], begin + i, begin + i + 2
    at = begin
    for word in rjieba.cut(run):
        if len(word) > 2:
            yield word, at, at + len(word)
        at += len(word)


def _latin(run: str, begin: int) -> Iterator[tuple[str, int, int]]:
    yield run, begin, begin + len(run)
    parts = list(_PARTS.finditer(run))
    if len(parts) > 1:
        for part in parts:
            yield part[0], begin + part.start(), begin + part.end()


# Words that any question may hold, whatever it is about: they say how it is asked, not what.
_FILLER = frozenset(
    """
    请问 问 问下 问一下 想问 想问一下 咨询 咨询一下 了解 了解一下 一下 告诉 帮 帮我 帮忙 麻烦
    谢谢 你好 您好 您 你 我 我们 他 她 咱 咱们 俺 人家 自己 的 地 得 了 着 过 吗 呢 吧 啊 呀 哦
    嘛 么 哈 啦 诶 是 有 在 和 与 及 或 把 被 给 让 叫 对 跟 就 才 都 也 还 又 再 很 太 那 这 那个
    这个 那么 这么 怎么 怎么办 怎么样 怎样 咋 咋样 咋办 咋整 咋弄 如何 什么 啥 哪 哪里 哪儿 哪些
    哪个 谁 几 多少 多久 多长 时候 什么时候 啥时候 为什么 为啥 是否 是不是 能 能不能 能否 可以
    可不可以 可否 会 会不会 要 要不要 需要 应该 应当 想 想要 行 行不行 有没有 没有 没 不 别 如果
    要是 假如 的话 因为 所以 但是 现在 一般 到底 究竟 怎么回事 情况 事 事情 办 弄 搞 做 一个
    """.split()
)


def words(text: str) -> Iterator[tuple[str, int, int, bool]]:
    """The words of `text`, which do not overlap: (word, begin, end, filler) as in `spans`."""
    text = clean(text)
    for run in _RUN.finditer(text):
        at = run.start()
        for word in rjieba.cut(run[1]) if run[1] else [run[2]]:
            yield word, at, at + len(word), word in _FILLER
            at += len(word)


def holds(text: str, term: str) -> bool:
    """Whether the clean `text` holds `term`; one in Latin script or digits as a whole word."""
    if not term.isascii():
        return term in text
    at = text.find(term)
    while at >= 0:
        end = at + len(term)
        if not (text[at - 1 : at].isascii() and text[at - 1 : at].isalnum()) and not (
            text[end : end + 1].isascii() and text[end : end + 1].isalnum()
        ):
            return True
        at = text.find(term, at + 1)
    return False
