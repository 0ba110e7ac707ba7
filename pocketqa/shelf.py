"""A few open indexes of many, the least recently used closed first; all work is off the hub."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .retriever import Retriever
from .threads import Worker, native_lock

T = TypeVar("T")

OPEN = 8


class Shelf:
    """Opens the index of a directory when it is first used; greenlets wait for one thread."""

    def __init__(self, size: int = OPEN) -> None:
        self._size = size
        self._worker = Worker()
        self._open: OrderedDict[Path, Retriever] = OrderedDict()
        self._gone: set[Path] = set()
        self._lock = native_lock()

    def use(self, directory: Path, function: Callable[[Retriever], T]) -> T:
        """What `function` makes of the retriever of `directory`.

        Raises:
            KnowledgeError: `no_index`, `old_index`.
        """
        return self._worker.run(lambda: function(self._opened(directory)))

    def run(self, function: Callable[..., T], *args: object) -> T:
        """Call any function in the thread."""
        return self._worker.run(function, *args)

    def forget(self, directory: Path) -> None:
        """Close the index of a directory that is gone, at the next use of any. For any thread."""
        with self._lock:
            self._gone.add(directory)

    def _opened(self, directory: Path) -> Retriever:
        with self._lock:
            gone, self._gone = self._gone, set()
        for each in gone & self._open.keys():
            self._open.pop(each).close()
        if directory not in self._open:
            self._open[directory] = Retriever.open(directory)
        self._open.move_to_end(directory)
        while len(self._open) > self._size:
            self._open.popitem(last=False)[1].close()
        return self._open[directory]
