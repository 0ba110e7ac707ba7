"""While answers are made: who waits is told its place, and what nobody listens to is ended."""

from __future__ import annotations

import logging
import time

from flask_socketio import SocketIO

from .delivery import Delivery
from .running import Answer, Running

log = logging.getLogger(__name__)

LOOK_S = 0.2
"""Pause between two looks: what moves up within it is told once."""
NEAR, FAR_S = 10, 1.0
"""Who has more answers than so many before it is told so often."""


class Watch:
    """A greenlet that looks at the running answers as long as there are any.

    Args:
        keep_s: how long an answer goes on when nobody listens.
    """

    def __init__(
        self, socketio: SocketIO, running: Running, delivery: Delivery, keep_s: float
    ) -> None:
        self._socketio, self._running, self._delivery = socketio, running, delivery
        self._keep_s = keep_s
        self._is_watching = False
        self._told_all = 0.0

    def start(self) -> None:
        """Look from now on; harmless while it does."""
        if not self._is_watching:
            self._is_watching = True
            self._socketio.start_background_task(self._watch)

    def look(self) -> None:
        """Look once."""
        now = time.monotonic()
        is_for_all = now - self._told_all >= FAR_S
        self._told_all = now if is_for_all else self._told_all
        for answer in self._running.moved_up(None if is_for_all else NEAR):
            self._delivery.place(answer)
        for answer in self._running:
            self._listen(answer)

    def _watch(self) -> None:
        try:
            while len(self._running):
                try:
                    self.look()
                except Exception:
                    log.exception("cannot look at the running answers")
                self._socketio.sleep(LOOK_S)
        finally:
            self._is_watching = False

    def _listen(self, answer: Answer) -> None:
        request_id, now = answer.request.request_id, time.monotonic()
        if self._delivery.is_heard(answer):
            answer.unheard_since = None
            return
        if answer.unheard_since is None:
            answer.unheard_since = now
        if now - answer.unheard_since >= self._keep_s and not answer.cancellation.cancelled:
            if self._running.elsewhere.hears(answer.heard_in, request_id):
                answer.unheard_since = None
                return
            log.info("%s: nobody listens to it any more", request_id)
            answer.cancellation.cancel()
