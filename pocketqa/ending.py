"""The end of a server: no new requests, but what is being answered gets its last frame."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from flask_socketio import SocketIO

from .delivery import Delivery
from .running import Running

LOOK_S = 0.05
CANCEL_S = 5.0
"""How long cancelled answers have to end: the model's present step, and the disk."""
READ_S = 3.0
"""How long clients have to take what has been sent to them."""
HANG_UP_S = 0.3

log = logging.getLogger(__name__)


class Ending:
    """Ends what a server does, in order. Call `begin`, then `finish`, in a greenlet.

    Attributes:
        grace_s: how long running answers may go on.
        has_begun: no new requests are accepted.
    """

    def __init__(
        self, socketio: SocketIO, running: Running, delivery: Delivery, grace_s: float
    ) -> None:
        self._socketio, self._running, self._delivery = socketio, running, delivery
        self.grace_s = grace_s
        self.has_begun = False

    def begin(self) -> None:
        """Refuse new requests from now on: they get `model_unavailable`."""
        self.has_begun = True
        self._running.close()

    def finish(self, *, at_once: bool = False) -> None:
        """Wait for the running answers, and stop those that take longer than `grace_s`.

        Returns when every client has its last frame, or has had time enough. An answer that did
        not end even then is marked as cut off at the next start.
        """
        self.begin()
        grace_s = 0.0 if at_once else self.grace_s
        if len(self._running):
            log.info("ending: %d answers have %g s left", len(self._running), grace_s)
        if not self._wait(lambda: not len(self._running), grace_s):
            log.warning("ending: %d answers are stopped", len(self._running))
            for answer in self._running:
                answer.cancellation.cancel()
            self._wait(lambda: not len(self._running), CANCEL_S)
        self._wait(lambda: not self._delivery.has_unread(), READ_S)

    def hang_up(self) -> None:
        """End all connections, so that their clients look for a server again."""
        self._delivery.hang_up()
        self._socketio.sleep(HANG_UP_S)

    def _wait(self, is_over: Callable[[], bool], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not is_over():
            if time.monotonic() >= end:
                return False
            self._socketio.sleep(LOOK_S)
        return True
