"""Follow-ups: the query that a question of a dialogue stands for. Pure, and asks no model.

The words of a question are of four kinds: function words, aspects (what it costs, where to go),
circumstances (for whom, what has happened), and the matter, which is whatever is none of these. A
question that names a matter stands by itself. Any other takes the matter of the turn before; if it
asks about no aspect either (那外地人呢? 真的吗?), the whole question before. Choosing terms of the
history in place of writing a sentence is historical query expansion (Yang et al. 2019) and QuReTeC
(Voskarides et al. 2020), here with closed classes of words in place of learned weights, and, as in
the former, with the score of retrieval where words do not decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from .analysis import words
from .dialogue import Turn
from .reading import Reading, is_guess, read

Surety = Callable[[str], float]
"""How surely a query finds what answers it, 0 to 1."""

STRANGE = 0.15
"""A question less sure than this by itself has words that are strange to the knowledge."""
SURE = 0.7
"""Such a question is joined to the one before only where that is as sure: its words must fit."""
LEAN = 0.2
"""What a matter may lose in surety by joining, where the question begins with 那 or a pronoun."""
ALIKE = 0.1
"""What an exchange in a contrast may lose, where the words share a character: 国内 and 国外."""
MAX_EXCHANGES = 6
"""Words that are tried for an exchange, a retrieval each."""
MAX_PARTS = 8
"""Parts of a matter that are carried on: a long story would drown the question."""

_POINTER = re.compile(
    r"它们?|[他她](?:们|这个|那个)?(?!人)|[这那](?:个|种|些|证|里|边|样)|上述|刚才|其中|里面"
    r"|\b(?:it|that|this|they)\b"
)
_HAPPENED = "丢掉坏补换退转修"
_CONDITION = re.compile(r"如果|要是|万一|假如|的话|\bif\b")
_ASKS = re.compile(r"怎|咋|如何|什么|啥|可以|能不能|要不要|了呢$")
_CONTRAST = re.compile(r"(?:换成|改成)(?P<exchanged>.{1,8}?)的?呢?|[在是]?(?P<other>.{1,8}?)的?呢")


@dataclass(frozen=True)
class Topic:
    """What a dialogue has come to: the matter's parts, and the last question in full."""

    parts: tuple[str, ...]
    query: str


def standalone(question: str, history: Sequence[Turn], surety: Surety | None = None) -> str:
    """The query to search with: `question` with what it refers to in `history`, oldest first.

    Small talk and refusals are passed over, unless there is nothing else. Without `surety`, words
    alone decide.
    """
    surety = surety and cache(surety)
    topic: Topic | None = None
    grounded = [turn for turn in history if turn.grounded]
    for turn in grounded or history[-1:]:
        topic = follow(topic, turn.question, surety)
    return follow(topic, question, surety).query if topic else question


def by_itself(question: str) -> str:
    """The query of a question that nothing came before."""
    return follow(None, question).query


def follow(topic: Topic | None, question: str, surety: Surety | None = None) -> Topic:
    """What a dialogue comes to when `question` is asked after `topic`."""
    asked = read(question)
    alone = Topic(_parts(asked), asked.rest)
    if topic is None:
        return alone
    contrast = _contrasted(asked)
    if contrast:
        return _contrast(topic, contrast, surety)
    joined = Topic(topic.parts, _join(asked, topic))
    if not asked.matter and not (surety and _is_odd(asked)):
        return joined
    if not surety or (asked.matter and not _may_lean(asked)):
        return alone
    sure, sure_alone = surety(joined.query), surety(alone.query)
    if sure_alone < STRANGE and sure < SURE:
        return alone
    points = asked.opener.startswith("那") or bool(_POINTER.match(asked.rest))
    return joined if not asked.matter or sure + LEAN * points > sure_alone else alone


def _is_odd(asked: Reading) -> bool:
    """Whether a word of it is a circumstance by no list: 鱼怎么去腥 has no matter otherwise."""
    return any(is_guess(part) and not set(part) & set(_HAPPENED) for part in asked.circumstances)


def _parts(asked: Reading) -> tuple[str, ...]:
    """What later questions may refer to; of lone characters, those that say what has happened."""
    lasting = (part for part in asked.circumstances if len(part) > 1 or part in _HAPPENED)
    return (*asked.matter, *lasting)[:MAX_PARTS]


def _may_lean(asked: Reading) -> bool:
    """Whether anything but its words lets a question that names a matter lean on another."""
    rest = asked.rest
    return bool(asked.opener or _POINTER.search(rest) or _CONDITION.search(rest))


def _join(asked: Reading, topic: Topic) -> str:
    """The question's own words first, then the matter in the place of its pronouns."""
    own = _POINTER.sub("", asked.rest).strip(" 呢")
    if not (asked.aspect or asked.circumstances or asked.matter):
        return f"{own} {topic.query}".strip()
    return " ".join([own, *(part for part in topic.parts if part not in own)])


def _contrasted(asked: Reading) -> re.Match[str] | None:
    """The match of a question such as 那驾驶证呢, which only names another for what was asked."""
    found = _CONTRAST.fullmatch(asked.rest)
    if asked.aspect or _CONDITION.search(asked.rest) or _ASKS.search(asked.rest):
        return None
    return found


def _contrast(topic: Topic, contrast: re.Match[str], surety: Surety | None) -> Topic:
    """The last question with the other in the place of a word (驾驶证呢), or added (外地人呢)."""
    other = contrast["exchanged"] or contrast["other"]
    best = Topic(topic.parts, f"{other} {topic.query}")
    best_sure = surety(best.query) if surety else 0.0
    if contrast["exchanged"]:
        best_sure = -1.0
    for word in _exchangeable(topic.query)[:MAX_EXCHANGES]:
        exchanged = _exchange(topic, word, other)
        alike = word[0] == other[0] or word[-1] == other[-1]
        sure = (surety(exchanged.query) if surety else 0.0) + ALIKE * alike
        if sure > best_sure:
            best, best_sure = exchanged, sure
    return best


def _exchange(topic: Topic, word: str, other: str) -> Topic:
    parts = tuple(part.replace(word, other) for part in topic.parts)
    return Topic(parts, topic.query.replace(word, other))


def _exchangeable(query: str) -> list[str]:
    """The parts of the matter in `query`, and the words of two and more characters in them."""
    asked = read(query)
    parts = [*asked.matter, *asked.circumstances]
    inner = [word for part in parts for word, _ in words(part)]
    return [each for each in dict.fromkeys([*inner, *parts]) if len(each) > 1]
