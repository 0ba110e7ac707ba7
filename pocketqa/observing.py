"""What is noted of each request: one line in the log, and its figures."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .errors import PocketQAError
from .logs import bound
from .metrics import Metrics
from .protocol import Request

log = logging.getLogger(__name__)


@dataclass
class Seen:
    """What has been seen of one answer."""

    began: float = field(default_factory=time.monotonic)
    frames: int = 0
    first_s: float | None = None
    last: dict[str, Any] = field(default_factory=dict)
    said: list[str] | None = None
    """Its deltas, where dialogue text is logged."""

    def frame(self, frame: dict[str, Any]) -> None:
        """The next frame is about to be sent."""
        data = frame["data"]
        self.frames += 1
        if self.first_s is None and data["delta"]:
            self.first_s = time.monotonic() - self.began
        if self.said is not None:
            self.said.append(data["delta"])
        if data["finish_reason"] is not None:
            self.last = data


class Observer:
    """Notes what becomes of requests.

    Args:
        log_text: whether questions and answers are logged.
    """

    def __init__(self, metrics: Metrics, *, log_text: bool = False) -> None:
        self._metrics, self._log_text = metrics, log_text

    @contextmanager
    def answering(self, request: Request) -> Iterator[Seen]:
        """While an answer is made: all that its greenlet logs has the request's id."""
        with bound(request_id=request.request_id, event=request.event):
            seen = Seen(said=[] if self._log_text else None)
            try:
                yield seen
            finally:
                self._note(request, seen)

    def refused(self, request: Request, error: PocketQAError) -> None:
        """A request was not accepted."""
        self._metrics.refused(request.event, error.code, accepted=False)
        fields = {
            "request_id": request.request_id,
            "event": request.event,
            "outcome": "refused",
            "code": error.code,
        }
        log.info("refused", extra=fields)

    def _note(self, request: Request, seen: Seen) -> None:
        last, seconds = seen.last, time.monotonic() - seen.began
        outcome = last.get("finish_reason") or "lost"
        way = last["received"].get("clue", {}).get("way", "") if last else ""
        fields: dict[str, object] = {"outcome": outcome, "way": way}
        if error := last.get("error"):
            fields["code"] = error["code"]
            self._metrics.refused(request.event, error["code"], accepted=True)
        if seen.first_s is not None:
            fields["first_s"] = round(seen.first_s, 3)
        fields |= {"frames": seen.frames, "seconds": round(seconds, 3)}
        if seen.said is not None:
            fields |= {"question": request.text, "answer": "".join(seen.said)}
        self._metrics.answered(request.event, outcome, way, seconds, seen.first_s)
        log.info("answered", extra=fields)
