"""The stretch of the passages that answers a question shortly. Pure.

Found by where a language model looks before it answers and by what it says (`most_read`), or by
the latter alone (`shortest`). Some attention heads look at what a question asks for (Wu et al.
2024, "Retrieval Head Mechanistically Explains Long-Context Factuality"), and are surer of it than
a small model's words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np

from ..analysis import terms
from ..passages import Passage
from .extracting import sentences, weighed

MOST_CLAUSES = 8
ENOUGH = 0.3
"""Share of an answer's terms that a stretch must have."""
ASKED = 0.5
"""What having all of the question's terms counts, beside having all of the answer's."""

SHORT = 0.25
"""What a stretch's length takes from what it is worth, as a power: 0 takes whole sentences."""
IN_WORDS = 0.3
"""What a sentence's words count, beside its attention."""
SAID = 0.3
"""What it counts to say all that the model says, beside having all the attention."""

_CLAUSE = re.compile(r"(?:[^，,；;：:]|(?<=\d)[,:](?=\d))*[，,；;：:]*")
_AT_LENGTH = re.compile(
    r"为什么|为何|为啥|原因|怎么|如何|怎样|什么样|哪些|影响|描述|特点|特征"
    r"|\b(?:why|describe|how(?! (?:much|many|long|old|far|big|tall|high)))\b",
    re.IGNORECASE,
)
"""Questions that a clause rarely answers: for a reason, a way, or several things."""
_JOINTS = "，,；;：: "


def shortest(answer: str, question: str, text: str) -> str:
    """The clauses of one sentence of `text` that say most of `answer`; `''` if none says enough.

    Of stretches that say as much, those that have more of the question, then the shorter.
    """
    said, asked = frozenset(terms(answer)), frozenset(terms(question))
    best, most = "", 0.0
    for sentence in sentences(text):
        for begin, end in _stretches(sentence):
            stretch = sentence[begin:end]
            share = _share(said, stretch)
            worth = share + ASKED * _share(asked, stretch)
            if share >= ENOUGH and (worth, -len(stretch)) > (most, -len(best)):
                best, most = stretch, worth
    return best.strip(_JOINTS)


def most_read(
    said: str, question: str, passages: Sequence[Passage], weights: Sequence[np.ndarray]
) -> str:
    """The clauses of one sentence of the passages that are looked at most, and said.

    The whole sentence where a reason, a way or several things are asked for.

    Args:
        said: the model's answer.
        weights: for each passage float32 (characters of its text,).
    """
    found = weighed(question, passages)
    if not found:
        return ""
    worth = max(score for _, score in found) or 1.0
    looks, begin, of = [], 0, 0
    for sentence, _ in found:
        begin = 0 if sentence.of != of else begin
        of = sentence.of
        begin = max(0, passages[of].text.find(sentence.text, begin))
        looks.append(weights[of][begin : begin + len(sentence.text)])
        begin += len(sentence.text)
    most = max(look.sum() for look in looks) or 1.0
    answer = frozenset(terms(said))
    sums = [
        look.sum() / most + IN_WORDS * score / worth + SAID * _share(answer, sentence.text)
        for look, (sentence, score) in zip(looks, found, strict=True)
    ]
    best = int(np.argmax(sums))
    text = found[best][0].text
    if not _AT_LENGTH.search(question):
        text = _densest(text, looks[best], answer)
    return text.strip(_JOINTS)


def _share(answer: frozenset[str], text: str) -> float:
    """How much of an answer's or question's terms a text has."""
    return len(answer.intersection(terms(text))) / max(1, len(answer))


def _densest(sentence: str, look: np.ndarray, answer: frozenset[str]) -> str:
    """The clauses with most attention, and most of the answer, for their length."""
    read = np.concatenate([[0.0], np.cumsum(look)])

    def worth(begin: int, end: int) -> float:
        attention = (read[end] - read[begin]) / (read[-1] or 1.0)
        return (attention + SAID * _share(answer, sentence[begin:end])) / (end - begin) ** SHORT

    begin, end = max(_stretches(sentence), key=lambda at: worth(*at))
    return sentence[begin:end]


def _stretches(sentence: str) -> Iterator[tuple[int, int]]:
    """Where stretches of whole clauses begin and end."""
    ends = list(accumulate(map(len, _CLAUSE.findall(sentence)), initial=0))
    for n, begin in enumerate(ends):
        for end in ends[n + 1 : n + 1 + MOST_CLAUSES]:
            if end > begin:  # the last match is empty
                yield begin, end
