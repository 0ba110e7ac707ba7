"""From the text of a question to weighted search terms.

A sum over characters and bigrams counts a long word several times: 运输合同 brings seven terms,
改签 three. So the terms of each word share what its rarest one is worth (times `WORD`), and
filler, which says how something is asked and not what, is worth half. Bigrams that lie across two
words keep their own worth in a sentence, where segmentation may be wrong, and little in a list of
keywords, where they mean nothing.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import synonyms
from .analysis import clean, is_character, terms, words

WORD = 3.0  # a word of two characters brings three terms, so it keeps about its weight
FILLER = 0.5
ACROSS_KEYWORDS = 0.2
SYNONYM = 0.3

_FILLER = frozenset(
    """
    请问 问 问下 问一下 想问 想问一下 咨询 咨询一下 了解 了解一下 一下 告诉 帮 帮我 帮忙 麻烦
    谢谢 你好 您好 您 你 我 我们 他 她 咱 咱们 俺 人家 自己 的 地 得 了 着 过 吗 呢 吧 啊 呀 哦
    嘛 么 哈 啦 诶 是 有 无 在 和 与 及 或 或者 以及 把 被 给 让 叫 对 跟 就 则 才 都 也 还 又 再 很
    太 那 这 那个 这个 那么 这么 其 该 等 之 所 而 于 为 以 因 从 到 由 且 并 并且 但 即 怎么 怎么办
    怎么样 怎样 咋 咋样 咋办 咋整 咋弄 如何 什么 什么样 啥 何 何种 哪 哪里 哪儿 哪些 哪个 哪种 谁 几
    多少 多久 多长 多大 时候 什么时候 啥时候 为什么 为啥 为何 有何 是否 是不是 能 能不能 能否 可以
    可不可以 可否 会 会不会 要 要不要 需 需要 应 应该 应当 想 想要 行 行不行 有没有 没有 没 不 别
    如果 要是 假如 的话 因为 所以 但是 现在 一般 到底 究竟 怎么回事 情况 事 事情 办 弄 搞 做 一个
    个 种 项 条 些 时 后 前 中 上 下 进行 属于 构成 算 算不算 请
    a an and are can do does for how i in is it my of on or please the to what when where which who
    why you your
    """.split()
)
_KEYWORDS = re.compile(r"[^\W_]\s+[^\W_]")
_SENTENCE = re.compile(r"[?？!！。,，]")


@dataclass(frozen=True)
class Word:
    """A word of a question that is not filler.

    Attributes:
        text: the word.
        terms: its distinct terms.
        synonyms: those of each of its synonyms.
    """

    text: str
    terms: tuple[str, ...]
    synonyms: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Question:
    """A question as search sees it.

    Attributes:
        text: the cleaned text.
        terms: of each term, how much of its rarity (idf) it counts.
        words: its distinct words, less filler.
        own: its distinct terms, without those of synonyms.
    """

    text: str
    terms: dict[str, float]
    words: tuple[Word, ...]
    own: frozenset[str]


def parse(text: str, idf: Callable[[str], float]) -> Question:
    """Weigh the terms of `text`; `idf` gives a term's rarity, the highest for an unknown one."""
    text = clean(text)
    found = list(words(text))
    others = list(_synonyms(text, found))
    weights: dict[str, float] = defaultdict(float)
    content: dict[str, Word] = {}
    for word, at in found:
        own = _distinct(word)
        filler = _is_filler(word)
        _add(weights, own, idf, FILLER if filler else 1.0)
        if not filler:
            end = at + len(word)
            same = (terms_ for begin, to, terms_, _ in others if begin <= at and end <= to)
            content.setdefault(word, Word(word, own, tuple(same)))
    across = ACROSS_KEYWORDS if _is_keywords(text) else 1.0
    for term, count in Counter(terms(text)).items():
        if term not in weights:
            weights[term] = across * count
    own_terms = frozenset(weights)
    for _, _, terms_, share in others:
        extra: dict[str, float] = defaultdict(float)
        _add(extra, terms_, idf, SYNONYM * share)
        for term in extra.keys() - own_terms:
            weights[term] = max(weights[term], extra[term])
    return Question(text, dict(weights), tuple(content.values()), own_terms)


def content(text: str) -> frozenset[str]:
    """The distinct terms of the words of `text` that are not filler; of all where there is none."""
    found = [word for word, _ in words(text)]
    kept = [word for word in found if not _is_filler(word)] or found
    return frozenset(term for word in kept for term in terms(word))


def explain(text: str) -> list[tuple[str, bool, tuple[str, ...]]]:
    """The words of `text` in order: (word, whether it is filler, its synonyms)."""
    text = clean(text)
    found = list(words(text))
    bounds = {at for _, at in found} | {at + len(word) for word, at in found}
    table = synonyms.default()
    same = [(at, end, table[text[at:end]]) for at, end in synonyms.find(text, bounds, table)]
    return [
        (word, _is_filler(word), tuple(o for b, e, others in same if b <= at < e for o in others))
        for word, at in found
    ]


def _add(
    weights: dict[str, float], own: tuple[str, ...], idf: Callable[[str], float], share: float
) -> None:
    """Share what a word is worth among its terms."""
    rarities = {term: idf(term) for term in own}
    pairs = [rarity for term, rarity in rarities.items() if not is_character(term)]
    total = sum(rarities.values())
    if total:
        worth = WORD * share * max(pairs or rarities.values()) / total
        for term in own:
            weights[term] += worth


def _synonyms(
    text: str, found: list[tuple[str, int]]
) -> Iterator[tuple[int, int, tuple[str, ...], float]]:
    """The synonyms in a question: (begin, end, the synonym's terms, its share)."""
    bounds = {at for _, at in found} | {at + len(word) for word, at in found}
    table = synonyms.default()
    for begin, end in synonyms.find(text, bounds, table):
        word = text[begin:end]
        for other in table[word]:
            yield begin, end, _distinct(other), FILLER if _is_filler(word) else 1.0


def _is_filler(word: str) -> bool:
    """Words of `_FILLER`, and small numbers, which stand in passages of every kind."""
    return word in _FILLER or (len(word) < 3 and word.isdecimal())


def _distinct(word: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(terms(word)))


def _is_keywords(text: str) -> bool:
    """Whether `text` is a list of keywords: parts with spaces between, and not a sentence."""
    return bool(_KEYWORDS.search(text)) and not text.isascii() and not _SENTENCE.search(text)
