"""Notices a step that does not end."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from queue import Empty

from ..threads import NativeQueue, start_native_thread

log = logging.getLogger(__name__)


class Watchdog:
    """Watches the engine's steps from a thread of its own, and logs one that takes too long.

    It cannot end such a step: native code that computes or hangs has no such door. It says what was
    computed, and `stuck_s` lets the process be found unready.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._step: tuple[float, Callable[[], str]] | None = None  # when it began, what it is
        self._reported: tuple[float, str] | None = None  # when it began, its name in the log
        self._closing = NativeQueue()
        start_native_thread(self._watch)

    def begin(self, describe: Callable[[], str]) -> None:
        """A step begins; `describe` is called, in the watching thread, if it gets stuck."""
        self._step = (time.monotonic(), describe)

    def end(self) -> None:
        """The step has ended."""
        self._step = None

    @property
    def stuck_s(self) -> float:
        """Seconds since the present step began, if that is too long; else 0."""
        step = self._step
        took = time.monotonic() - step[0] if step else 0.0
        return took if took > self._limit_s else 0.0

    def close(self) -> None:
        """End the thread."""
        self._closing.put(None)

    def _watch(self) -> None:
        while True:
            try:
                self._closing.get(timeout=self._limit_s / 4)
                return
            except Empty:
                self._look()

    def _look(self) -> None:
        step = self._step
        if self._reported and (step is None or step[0] != self._reported[0]):
            log.warning("step %s has ended after all, the engine goes on", self._reported[1])
            self._reported = None
        if step and not self._reported and self.stuck_s:
            began, describe = step
            self._reported = (began, secrets.token_hex(4))
            what = "step %s has not ended after %.0f s: %s"
            log.error(what, self._reported[1], self.stuck_s, describe())
