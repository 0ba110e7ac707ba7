"""Whether an answer rests on its passages: its facts exactly, its sentences by a measure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..analysis import clean, is_character, terms
from ..threads import unhurried
from .extracting import sentences
from .facts import ungrounded

SUPPORTED = 0.64
"""Support from which on a sentence counts as supported; this and `NEAR` were chosen on one half of
a labelled set, benchmarks/grounding.jsonl."""
FLIP = 0.12
"""What a sentence loses that may deny what its passage says, or say what it denies."""
NEAR = 0.85
"""How like a clause of the source a clause must be to say the contrary of it: then no support."""
SHORTEST = 6
"""Letters; less is no statement: 可以。"""
_CLAUSE = re.compile(r"[，,。；;：:！!？?\n]")
_NEGATION = re.compile(
    r"不(?!动产|仅|但|同|论|管)|无(?!论)|未(?!成年)|没|非(?!常)|免(?!冠)|勿|\b(?:not?|never|none)\b|n't"
)
_ADMISSION = re.compile(
    r"(?:材料|知识库|资料|原文|文中|以上|上述|提供的)\S{0,8}(?:没有|未|无)\S{0,3}"
    r"(?:提|写|说|包含|涉及|规定|列|明|给|相关|找)|(?:material|passage)s? (?:does|do) not"
)


@dataclass(frozen=True)
class Verdict:
    """What of an answer its passages do not bear out.

    Attributes:
        numbers: facts as written (see `facts`) that neither passages nor question state.
        unsupported: its sentences that the passages do not support.
    """

    numbers: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether nothing was found."""
        return not self.numbers and not self.unsupported


def check(answer: str, question: str, passages: Sequence[str]) -> Verdict:
    """What of `answer` neither `passages` (title and text, one string each) nor `question` say."""
    sources = [*passages, question]
    return Verdict(tuple(ungrounded(answer, sources)), tuple(unsupported(answer, sources)))


def unsupported(answer: str, sources: Sequence[str]) -> list[str]:
    """The sentences of an answer that no source supports."""
    found = [sentence for source in sources for sentence in sentences(source)]
    return [
        sentence
        for sentence in unhurried(sentences(answer), 1)
        if _is_statement(sentence) and support(sentence, found) < SUPPORTED
    ]


def support(sentence: str, sources: Sequence[str]) -> float:
    """How well sentences of the sources bear out `sentence`, from 0 to 1.

    The share of its characters (two thirds) and of its pairs of characters that its best source
    sentence has; for a sentence that joins several, the mean of its clauses'. Less `FLIP` where a
    clause is negated and the source's nearest one is not, or the other way; none where those are
    `NEAR`.
    """
    known, known_clauses = _known(tuple(sources))
    if not known:
        return 0.0
    clauses = [_Held.of(clause) for clause in _clauses(sentence)]
    weights = [len(clause.text) for clause in clauses]
    parts = [clause.best(known) for clause in clauses]
    mean = sum(w * part for w, part in zip(weights, parts, strict=True)) / max(1, sum(weights))
    likeness = _flipped(clauses, known_clauses)
    lost = 1.0 if likeness >= NEAR else FLIP * (likeness > 0)
    return max(0.0, max(_Held.of(sentence).best(known), mean) - lost)


@dataclass(frozen=True)
class _Held:
    """The characters and pairs of a text, as they come and as sets."""

    text: str
    characters: tuple[str, ...]
    pairs: tuple[str, ...]
    character_set: frozenset[str]
    pair_set: frozenset[str]
    is_negated: bool

    @classmethod
    def of(cls, text: str) -> _Held:
        letters = tuple(char for char in clean(text) if char.isalnum())
        pairs = tuple(term for term in terms(text) if not is_character(term))
        return cls(text, letters, pairs, frozenset(letters), frozenset(pairs), _negates(text))

    def best(self, known: Iterable[_Held]) -> float:
        return max(
            (2 * _share(self.characters, other.character_set) + _share(self.pairs, other.pair_set))
            / 3
            for other in known
        )

    def likeness(self, other: _Held) -> float:
        there = _share(self.characters, other.character_set)
        return (there + _share(other.characters, self.character_set)) / 2


@lru_cache(maxsize=16)
def _known(sources: tuple[str, ...]) -> tuple[list[_Held], list[_Held]]:
    """The sources' sentences and clauses: for all sentences of an answer the same."""
    clauses = [clause for source in sources for clause in _clauses(source)]
    return [_Held.of(source) for source in sources], [_Held.of(clause) for clause in clauses]


def _share(found: tuple[str, ...], known: frozenset[str]) -> float:
    return sum(map(known.__contains__, found)) / len(found) if found else 0.0


def _clauses(text: str) -> list[str]:
    return [clause for clause in _CLAUSE.split(text) if any(map(str.isalnum, clause))]


def _flipped(clauses: Sequence[_Held], known: Sequence[_Held]) -> float:
    """How like a clause is to the one of the sources most like it, where one of both is negated.

    The greatest of all clauses; 0 where both are negated, or neither.
    """
    likest = 0.0
    for clause in clauses:
        nearest = max(known, key=lambda each: (clause.likeness(each), each.text), default=clause)
        if nearest.is_negated != clause.is_negated:
            likest = max(likest, clause.likeness(nearest))
    return likest


def _negates(clause: str) -> bool:
    return bool(_NEGATION.search(clause))


def _is_statement(sentence: str) -> bool:
    """Not a heading, a few letters, or that the material does not say something."""
    letters = sum(map(str.isalnum, sentence))
    is_heading = sentence.endswith(("：", ":")) and letters < 20
    return letters >= SHORTEST and not is_heading and not _ADMISSION.search(sentence)
