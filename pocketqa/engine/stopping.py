"""Stop texts: an answer ends before the first of them."""

from __future__ import annotations


class StopTexts:
    """Cuts a text that comes in deltas before the first stop text, which may span deltas.

    What could be the beginning of a stop text is held back until the next delta decides.
    """

    def __init__(self, texts: tuple[str, ...]) -> None:
        self._texts = tuple(text for text in texts if text)
        self._held = ""

    def put(self, delta: str) -> tuple[str, bool]:
        """The text that is certain now, and whether a stop text has come."""
        if not self._texts:
            return delta, False
        self._held += delta
        # The first that is complete, so that it does not matter how the text is cut into deltas.
        found = [(at + len(text), at) for text in self._texts if (at := self._held.find(text)) >= 0]
        if found:
            certain = self._held[: min(found)[1]]
            self._held = ""
            return certain, True
        keep = max(_beginning(self._held, text) for text in self._texts)
        certain = self._held[: len(self._held) - keep]
        self._held = self._held[len(self._held) - keep :]
        return certain, False

    def flush(self) -> str:
        """What was held back, when no more comes."""
        held, self._held = self._held, ""
        return held


def _beginning(text: str, stop: str) -> int:
    """How many of the last characters of `text` could begin `stop`."""
    for n in range(min(len(text), len(stop) - 1), 0, -1):
        if stop.startswith(text[-n:]):
            return n
    return 0
