"""The requests that were accepted and have not ended, in order of arrival."""

from __future__ import annotations

import time

from ..threads import native_rlock
from . import refusals
from .generation import EndReason, Generation


class Line:
    """Who is served and who waits. Its methods may be called from any thread; none blocks.

    A request ends exactly once: whoever takes it out of the line ends it.
    """

    def __init__(self, places: int, queue_size: int) -> None:
        self.places = places
        """How many can be served at present; fewer than there might be when memory is short."""
        self.served_ever, self.waited_s = 0, 0.0
        """How many have been served so far, and how long they waited, all together."""
        self._most = places + queue_size
        # An iteration that nobody holds any more withdraws its request when it is collected.
        self._lock = native_rlock()
        self._served: list[Generation] = []
        self._waiting: list[Generation] = []
        self._is_closed = False

    def counts(self) -> tuple[int, int]:
        """How many are served, and how many wait."""
        return len(self._served), len(self._waiting)

    def join(self, generation: Generation) -> None:
        """Put a request at the end.

        Raises:
            RequestError: `queue_full`, with `retry_after_s`.
            ModelError: `model_unavailable` when the line is closed.
        """
        with self._lock:
            if self._is_closed:
                raise refusals.unavailable()
            if len(self._served) + len(self._waiting) >= self._most:
                raise refusals.queue_full(len(self._waiting))
            self._waiting.append(generation)

    def first(self) -> Generation | None:
        """The one that has waited longest."""
        with self._lock:
            return self._waiting[0] if self._waiting else None

    def serve(self, generation: Generation) -> bool:
        """It is served from now on; false when it has been withdrawn meanwhile."""
        with self._lock:
            if generation not in self._waiting:
                return False
            self._waiting.remove(generation)
            self._served.append(generation)
            self.served_ever += 1
            self.waited_s += time.monotonic() - generation.began
            return True

    def position(self, generation: Generation) -> int:
        """How many must end before it is served."""
        with self._lock:
            if generation not in self._waiting:
                return 0
            before = len(self._served) + self._waiting.index(generation)
            return max(0, before - self.places + 1)

    def withdraw(self, generation: Generation) -> None:
        """End it if it still waits; one that is served is ended by the engine."""
        with self._lock:
            waits = generation in self._waiting
            if waits:
                self._waiting.remove(generation)
        if waits:
            generation.end("abort")

    def end(self, generation: Generation, reason: EndReason | BaseException) -> None:
        """End it, unless it has ended."""
        with self._lock:
            place = next((p for p in (self._served, self._waiting) if generation in p), None)
            if place is not None:
                place.remove(generation)
        if place is not None:
            generation.end(reason)

    def end_late(self) -> None:
        """End those that have waited beyond their deadline."""
        for generation in [each for each in self._waiting if each.is_late]:
            self.end(generation, refusals.deadline_exceeded(generation.options.deadline_s))

    def end_all(self, reason: EndReason | BaseException) -> None:
        """End every request."""
        for generation in [*self._served, *self._waiting]:
            self.end(generation, reason)

    def close(self) -> None:
        """Let nobody join any more, and end those that wait with `abort`."""
        with self._lock:
            self._is_closed = True
        for generation in list(self._waiting):
            self.end(generation, "abort")
