"""Token ids to text, as they come, never splitting a character."""

from __future__ import annotations

from collections.abc import Callable, Sequence

REPLACEMENT = "\ufffd"


class Detokenizer:
    """Turns a growing list of token ids into deltas.

    A byte-level token may end within a UTF-8 character, which then decodes to U+FFFD: such a tail
    is held back until it is whole. The window that is decoded again starts some tokens before the
    new one, because a token's text can depend on its neighbour (as text-generation-inference does).
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self._window = 0
        self._given = 0

    def put(self, token: int) -> str:
        """The text that `token` completes; `''` while a character is incomplete."""
        self._ids.append(token)
        before, now = self._texts()
        if now.endswith(REPLACEMENT) or len(now) <= len(before):
            return ""
        self._window, self._given = self._given, len(self._ids)
        return now[len(before) :].replace(REPLACEMENT, "")

    def peek(self, token: int) -> str:
        """The text that `token` would add, what is held back included, less a split character."""
        before = self._decode(self._ids[self._window : self._given])
        now = self._decode([*self._ids[self._window :], token])
        return now[len(before) :].replace(REPLACEMENT, "")

    def flush(self) -> str:
        """What was held back, less a character that will not become whole any more."""
        before, now = self._texts()
        self._window = self._given = len(self._ids)
        return now[len(before) :].replace(REPLACEMENT, "")

    def _texts(self) -> tuple[str, str]:
        before = self._decode(self._ids[self._window : self._given])
        return before, self._decode(self._ids[self._window :])
