"""Native threads that run one compiled function together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..threads import NativeQueue, start_native_thread


class Crew:
    """The calling thread and `size` - 1 more, which sleep between the calls."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._queues = [NativeQueue() for _ in range(size - 1)]
        for number, queue in enumerate(self._queues, 1):
            start_native_thread(partial(_obey, number, queue))

    def run(self, function: Callable[[int], None]) -> None:
        """Call `function(number)` in every thread; it must end by meeting the others."""
        for queue in self._queues:
            queue.put(function)
        function(0)

    def close(self) -> None:
        """Let the threads end."""
        for queue in self._queues:
            queue.put(None)


def _obey(number: int, queue: object) -> None:
    while (function := queue.get()) is not None:  # type: ignore[attr-defined]
        function(number)
