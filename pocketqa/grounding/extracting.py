"""An answer in the passages' own words: their best sentences for a question. Pure.

What is given where no model may speak, or where what it said failed the check. It invents nothing,
because it says nothing of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..analysis import is_character, terms
from ..passages import Passage
from ..question import content
from . import aspects

MOST = 3
"""Sentences that are chosen; a list's heading brings its items, an item its heading."""
CHARACTER = 0.3
"""What a single character weighs, beside a word or a pair of characters."""
IN_TITLE = 0.5
"""What terms of the title weigh less: all of a passage is about them."""
CUE = 0.5
"""What it counts that a sentence has the kind of thing that is asked for, beside all terms."""
LATER = 0.8
"""Of the sentences of each further passage, what those of the one before it count."""
WORTH = 0.35
"""A sentence that scores less than this share of the best one is not worth saying."""
_SENTENCE = re.compile(
    r"(?:\s*\d{1,2}\.\s)?(?:[^。！？!?；;.]|\.(?!\s|$))+(?:[。！？!?；;.]+[”’」』）)]*)?|\S"
)
_ITEM = re.compile(
    r"\s*(?:[-*•·●]|\d{1,2}[.、)）]|[(（][\d一二三四五六七八九十]+[)）]|[①-⑳]|[一二三四五六七八九十]+、)"
)
_PLACE = re.compile(r"在?(?:哪|什么地方|何处)|where", re.IGNORECASE)
_PLACES = re.compile(r"[省市县区乡镇村街路号楼厅局所站院馆](?!有)|中心|窗口|部门|机关|网")


@dataclass(frozen=True)
class Sentence:
    """A sentence or line of a passage; `of` is the place of the passage among those given."""

    text: str
    of: int
    line: int


def sentences(text: str) -> list[str]:
    """The sentences of a text, with the mark that ends each; a line ends one too."""
    found = (each.strip() for line in text.splitlines() for each in _SENTENCE.findall(line))
    return [each for each in found if any(map(str.isalnum, each))] or [text.strip()][: bool(text)]


def extract(question: str, passages: Sequence[Passage], limit: int, most: int = MOST) -> str:
    """The best sentences for `question`, at most `most` and `limit` characters, in their order.

    Sentences count by the share of the question's words that they hold, pairs of characters more
    than single ones and what stands in the title or in every sentence less, and by whether they
    have what is asked for (see `aspects`). Never empty for a passage that is not.
    """
    scored = weighed(question, passages)
    if not scored:
        return ""
    found, scores = [each for each, _ in scored], [score for _, score in scored]
    chosen = _choose(found, scores, limit, most)
    return _joined([found[at] for at in sorted(chosen)]) or found[0].text[:limit]


def weighed(question: str, passages: Sequence[Passage]) -> list[tuple[Sentence, float]]:
    """The sentences of the passages in their order, and what each is worth for `question`."""
    found = [
        Sentence(text, n, line)
        for n, passage in enumerate(passages)
        for line, row in enumerate(passage.text.splitlines())
        for text in sentences(row)
    ]
    return list(zip(found, _scores(question, found, passages), strict=True))


def _scores(question: str, found: list[Sentence], passages: Sequence[Passage]) -> list[float]:
    """What each sentence is worth, from 0."""
    asked = content(question)
    held = [asked & set(terms(each.text)) for each in found]
    common = Counter(term for each in held for term in each)
    titles = [set(terms(passage.title)) for passage in passages]
    kind = aspects.asks_for(question)
    weights = [
        {term: _weight(term, common[term], term in title) for term in asked} for title in titles
    ]
    return [
        (
            sum(weights[each.of][term] for term in terms_)
            / max(1e-9, sum(weights[each.of].values()))
            + CUE * _has_asked(question, kind, each.text)
        )
        * LATER**each.of
        for each, terms_ in zip(found, held, strict=True)
    ]


def _weight(term: str, sentences: int, is_in_title: bool) -> float:
    weight = CHARACTER if is_character(term) else 1.0
    return weight * (IN_TITLE if is_in_title else 1.0) / max(1, sentences) ** 0.5


def _has_asked(question: str, kind: aspects.Kind | None, text: str) -> bool:
    if kind:
        return aspects.has(kind, [text])
    return bool(_PLACE.search(question) and _PLACES.search(text))


def _choose(found: list[Sentence], scores: list[float], limit: int, most: int) -> set[int]:
    """Places of the sentences that are said."""
    order = sorted(range(len(found)), key=lambda at: -scores[at])
    chosen: set[int] = set()
    heads = 0
    for at in order:
        if heads == most or scores[at] < WORTH * scores[order[0]]:
            break
        if at in chosen:
            continue
        group = sorted(_with_context(found, at))
        while group and not _fits(found, chosen.union(group), limit):
            group.pop()  # of a long list the first items
        if group and not (len(group) == 1 and _is_heading(found, group[0])):
            chosen.update(group)
            heads += 1
    return chosen


def _fits(found: list[Sentence], chosen: set[int], limit: int) -> bool:
    return len(_joined([found[each] for each in sorted(chosen)])) <= limit


def _with_context(found: list[Sentence], at: int) -> set[int]:
    """A heading with its items; an item with its heading; else the sentence alone."""
    if _is_heading(found, at):
        end = at + 1
        while end < len(found) and _continues(found, at, end):
            end += 1
        return set(range(at, end))
    head = at
    while head and _ITEM.match(found[head].text) and found[head].of == found[at].of:
        head -= 1
    return {head, at} if head < at and _is_heading(found, head) else {at}


def _is_heading(found: list[Sentence], at: int) -> bool:
    """Whether what follows belongs to it: 所需材料：, or a first item on the same line."""
    text = found[at].text
    following = found[at + 1].text if at + 1 < len(found) else ""
    ends = text.endswith(("：", ":"))
    return ends or (bool(re.search("[：:]", text)) and bool(_ITEM.match(following)))


def _continues(found: list[Sentence], head: int, at: int) -> bool:
    if found[at].of != found[head].of:
        return False
    is_next = at == head + 1 and found[head].text.endswith(("：", ":"))
    return is_next or bool(_ITEM.match(found[at].text)) or _is_within_item(found, head, at)


def _is_within_item(found: list[Sentence], head: int, at: int) -> bool:
    """Whether it goes on with the line of an item."""
    same = (each for each in range(head + 1, at) if found[each].line == found[at].line)
    return any(_ITEM.match(found[each].text) for each in same)


def _joined(chosen: list[Sentence]) -> str:
    """The sentences as they stood: those of a line together, lines below each other."""
    text = ""
    for before, each in zip([None, *chosen], chosen, strict=False):
        if before is not None:
            same = (before.of, before.line) == (each.of, each.line)
            text += (" " if before.text.isascii() else "") if same else "\n"
        text += each.text
    return text
