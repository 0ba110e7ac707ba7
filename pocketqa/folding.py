"""A text as a filter reads it: case, width and what is invisible make no difference. Pure.

Every character is folded by itself, so that it is known which one each folded character comes from.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from functools import lru_cache

_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u2800\u3164\uffa0"
"""Characters that are called marks or letters and show nothing."""


@lru_cache(maxsize=65_536)
def fold(char: str) -> str:
    """A character in compatibility form (NFKC) and lower case; `''` for what is invisible.

    White space is one space. Ａ gives a, ㎡ gives m2.
    """
    if char.isspace():
        return " "
    if unicodedata.category(char) in ("Cf", "Cc") or char in _BLANK or "\ufe00" <= char <= "\ufe0f":
        return ""
    return unicodedata.normalize("NFKC", char).casefold()


def word(text: str) -> str:
    """A text folded, without white space."""
    return "".join(map(fold, text)).replace(" ", "")


class Folded:
    """A text that grows at its end, folded, with the place that each folded character comes from.

    Places are those of characters in the whole text as it was; an index is one into `text`.
    """

    def __init__(self, spaces: bool) -> None:
        self.text = ""
        self._spaces = spaces
        self._places: list[int] = []

    def add(self, delta: str, begin: int) -> None:
        """Append `delta`, whose first character is at the place `begin`."""
        parts = []
        for place, char in enumerate(delta, begin):
            folded = fold(char) if self._spaces else fold(char).replace(" ", "")
            parts.append(folded)
            self._places += [place] * len(folded)
        self.text += "".join(parts)

    def place(self, index: int, end: int) -> int:
        """Where the folded character at `index` comes from; `end` where it is beyond the text."""
        return self._places[index] if index < len(self._places) else end

    def index(self, place: int) -> int:
        """The first folded character that comes from `place` or later."""
        return bisect_left(self._places, place)

    def forget(self, place: int) -> None:
        """Drop what comes from before `place`."""
        index = self.index(place)
        self.text, self._places = self.text[index:], self._places[index:]
