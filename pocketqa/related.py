"""Related questions: neighbours of a question that say something else."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .analysis import terms
from .passages import Passage
from .question import content

PARAPHRASE = 0.6
"""Likeness from which two questions ask the same; measured in docs/retrieval.md."""
SAME_ANSWER = 0.8
"""Likeness from which two answers say the same."""


class Neighbours:
    """Questions chosen to be offered, each unlike the others and what has been answered."""

    def __init__(
        self, idf: Callable[[str], float], asked: Iterable[str], answered: Passage | None
    ) -> None:
        """Begin with what has been `asked`, and what has just been `answered`."""
        self._idf = idf
        self._taken = [content(text) for text in asked]
        self._answers: list[frozenset[str]] = []
        self._seen: set[str] = set()
        self.curated: list[str] = []
        self.documents: list[str] = []
        if answered:
            self._take(answered)

    def offer(self, passage: Passage) -> bool:
        """Choose the passage's question if it is new; says whether it was."""
        if passage.id in self._seen or passage.kind == "smalltalk":
            return False
        self._seen.add(passage.id)
        asks = [content(question) for question in (passage.title, *passage.similar)]
        if any(self.alike(a, b) >= PARAPHRASE for a in asks for b in self._taken):
            return False
        answer = frozenset(terms(passage.text))
        if any(self.alike(answer, other) >= SAME_ANSWER for other in self._answers):
            return False
        self._take(passage)
        chosen = self.documents if passage.kind == "document" else self.curated
        chosen.append(passage.title)
        return True

    def _take(self, passage: Passage) -> None:
        self._seen.add(passage.id)
        self._taken += [content(question) for question in (passage.title, *passage.similar)]
        self._answers.append(frozenset(terms(passage.text)))

    def alike(self, a: frozenset[str], b: frozenset[str]) -> float:
        """The terms that both have among those that either has, by rarity, 0 to 1."""
        either = sum(map(self._idf, a | b))
        return sum(map(self._idf, a & b)) / either if either else float(a == b)
