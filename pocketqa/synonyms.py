"""Synonyms and short forms, from `synonyms.txt`: what a question is also searched for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from .analysis import clean

Table = dict[str, tuple[str, ...]]


def read(lines: Iterable[str]) -> Table:
    """The table that `lines` spell: of each word, the words to search for as well.

    `a = b` joins in both directions, `a > b c` in one; `#` begins a comment.

    Raises:
        ValueError: for a line of another form.
    """
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for line in lines:
        line = clean(line.split("#")[0]).strip()
        if not line:
            continue
        left, mark, right = line.partition(" > ")
        if mark:
            found[left.strip()].update(dict.fromkeys(right.split()))
            continue
        group = [word.strip() for word in line.split(" = ")]
        if len(group) < 2 or not all(group):
            raise ValueError(f"not a line of synonyms: {line!r}")
        for word in group:
            found[word].update(dict.fromkeys(group))
    # Two spellings of a word may be one once they are clean.
    table = {word: tuple(o for o in others if o != word) for word, others in found.items()}
    return {word: others for word, others in table.items() if others}


def find(text: str, bounds: set[int], table: Table) -> Iterator[tuple[int, int]]:
    """Where the clean `text` holds words of `table`: (begin, end), the longest where several begin.

    Both ends of a word must be among `bounds`, the places where dictionary words begin or end: 个税
    is not in 每个税种.
    """
    at, longest = 0, max(map(len, table), default=0)
    while at < len(text):
        for end in range(min(len(text), at + longest), at + 1, -1):
            word = text[at:end]
            if word in table and at in bounds and end in bounds:
                yield at, end
                at = end - 1
                break
        at += 1


@cache
def default() -> Table:
    """The table that PocketQA brings along."""
    text = (Path(__file__).parent / "synonyms.txt").read_text(encoding="utf-8")
    return read(text.splitlines())
