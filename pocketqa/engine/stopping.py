"""Stop texts: an answer ends before the first of them, wherever deltas cut it."""

from __future__ import annotations

from collections.abc import Sequence


class StopTexts:
    """Passes deltas on, up to the first of `texts`; holds back what may be the beginning of one."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = [text for text in texts if text]
        self._held = ""
        self.found = False

    def put(self, delta: str) -> str:
        """What of `delta`, and of what was held back, is surely part of the answer."""
        if self.found:
            return ""
        text = self._held + delta
        places = [place for each in self._texts if (place := text.find(each)) >= 0]
        if places:
            self.found, self._held = True, ""
            return text[: min(places)]
        sure = len(text) - self._beginning(text)
        self._held = text[sure:]
        return text[:sure]

    def flush(self) -> str:
        """What was held back: the answer has ended without a stop text."""
        held, self._held = self._held, ""
        return held

    def _beginning(self, text: str) -> int:
        """Length of the longest end of `text` that a stop text begins with."""
        longest = max((len(each) for each in self._texts), default=1) - 1
        for length in range(min(longest, len(text)), 0, -1):
            if any(each.startswith(text[-length:]) for each in self._texts):
                return length
        return 0
