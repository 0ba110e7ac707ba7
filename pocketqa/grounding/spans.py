"""The shortest stretch of a text that says what an answer says. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..analysis import terms
from .extracting import sentences

MOST_CLAUSES = 8
ENOUGH = 0.3
"""Share of an answer's terms that a stretch must have."""
ASKED = 0.5
"""What having all of the question's terms counts, beside having all of the answer's."""

_CLAUSE = re.compile(r"[^，,；;：:]*[，,；;：:]*")
_JOINTS = "，,；;：: "


def shortest(answer: str, question: str, text: str) -> str:
    """The clauses of one sentence of `text` that say most of `answer`; `''` if none says enough.

    Of stretches that say as much, those that have more of the question, then the shorter.
    """
    said, asked = frozenset(terms(answer)), frozenset(terms(question))
    best, most = "", 0.0
    for sentence in sentences(text):
        for stretch in _stretches(sentence):
            held = frozenset(terms(stretch))
            share = len(said & held) / max(1, len(said))
            worth = share + ASKED * len(asked & held) / max(1, len(asked))
            if share >= ENOUGH and (worth, -len(stretch)) > (most, -len(best)):
                best, most = stretch, worth
    return best.strip(_JOINTS)


def _stretches(sentence: str) -> Iterator[str]:
    clauses = [each for each in _CLAUSE.findall(sentence) if each]
    for begin in range(len(clauses)):
        for end in range(begin + 1, min(len(clauses), begin + MOST_CLAUSES) + 1):
            yield "".join(clauses[begin:end])
