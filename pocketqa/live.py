"""A retriever that follows the directory of an index: it changes over to what is newest there.

Whoever asks gets all of one index: the one that was open when the call began. A native thread looks
once a second and opens what is new; queries go on meanwhile, and the last one to use the old index
closes it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from .errors import KnowledgeError
from .generations import Generation, open_newest, signature
from .passages import Hit, Passage
from .retriever import Retriever
from .store import SCHEMA
from .threads import native_lock, native_sleep, start_native_thread

T = TypeVar("T")

POLL_S = 1.0
EXAMPLES = 6
"""Questions that a page may offer."""

log = logging.getLogger(__name__)


@dataclass
class _Opened:
    """An open generation; `users` are the calls that it serves, and 1 while it is the newest.

    A retriever takes one call at a time: each holds `turn`.
    """

    generation: Generation
    retriever: Retriever
    examples: list[str]
    users: int = 1
    turn: Any = field(default_factory=native_lock, compare=False)


class Live:
    """A `Retrieval` of whatever index is newest in a directory; also of one that is still to come.

    Calls may come from several threads; they take turns.
    """

    def __init__(self, directory: Path) -> None:
        """Open the newest index, if there is one; see `watch`.

        Raises:
            KnowledgeError: `old_index`.
        """
        self._directory = directory
        self._lock, self._refreshing = native_lock(), native_lock()
        self._current: _Opened | None = None
        self._closed = False
        self._seen = signature(directory)
        try:
            self._current = _open(directory)
        except KnowledgeError as error:
            if error.code != "no_index":
                raise

    def watch(self) -> None:
        """Look for a newer index once a second, in a native thread, until `close`."""
        start_native_thread(self._watch)

    def refresh(self) -> bool:
        """Change over to a newer index, if there is one that can be opened; one call at a time.

        A broken one is logged, once; what is open stays.
        """
        with self._refreshing:
            return self._refresh()

    def _refresh(self) -> bool:
        now = signature(self._directory)
        if now == self._seen:
            return False
        self._seen = now
        try:
            opened = _open(self._directory)
        except Exception as error:
            log.warning("%s: the index that is open stays: %s", self._directory, repr(error))
            return False
        if self._current and opened.generation == self._current.generation:
            opened.retriever.close()
            return False
        with self._lock:
            before, self._current = self._current, opened
        if before:
            self._release(before)
        about = opened.generation.about
        log.info(
            "index %s: %d passages, %s",
            opened.generation.folder.name, about.count, about.fingerprint,
        )  # fmt: skip
        return True

    def state(self) -> dict[str, Any]:
        """For `/ready`: `index` is `open` or `none`; of an open one `passages`, `fingerprint`."""
        current = self._current
        if current is None:
            return {"index": "none"}
        about = current.generation.about
        return {"index": "open", "passages": about.count, "fingerprint": about.fingerprint}

    def examples(self) -> list[str]:
        """Questions that can be answered, of different categories."""
        current = self._current
        return current.examples if current else []

    def retrieve(self, text: str, k: int = 10) -> list[Hit]:
        """See `Retriever.retrieve`."""
        with self._use() as retriever:
            return retriever.retrieve(text, k) if retriever else []

    def smalltalk(self, text: str) -> Passage | None:
        """See `Retriever.smalltalk`."""
        with self._use() as retriever:
            return retriever.smalltalk(text) if retriever else None

    def related(
        self, text: str, hits: Sequence[Hit], k: int = 3, exclude: Sequence[str] = ()
    ) -> list[str]:
        """See `Retriever.related`."""
        with self._use() as retriever:
            return retriever.related(text, hits, k, exclude) if retriever else []

    def call(self, function: Callable[[Retriever], T]) -> T | None:
        """What `function` makes of the retriever that is open; None where none is."""
        with self._use() as retriever:
            return function(retriever) if retriever else None

    def close(self) -> None:
        """Stop watching; close what is open when its last call has ended."""
        self._closed = True
        with self._lock:
            before, self._current = self._current, None
        if before:
            self._release(before)

    @contextmanager
    def _use(self) -> Iterator[Retriever | None]:
        with self._lock:
            current = self._current
            if current:
                current.users += 1
        if not current:
            yield None
            return
        try:
            with current.turn:
                yield current.retriever
        finally:
            self._release(current)

    def _release(self, opened: _Opened) -> None:
        with self._lock:
            opened.users -= 1
            last = not opened.users
        if last:
            opened.retriever.close()

    def _watch(self) -> None:
        while not self._closed:
            native_sleep(POLL_S)
            try:
                self.refresh()
            except Exception:  # the thread must outlive whatever a broken disk brings up
                log.exception("looking for a newer index failed")


def _open(directory: Path) -> _Opened:
    def opened(found: Generation) -> _Opened:
        retriever = Retriever(found.require(SCHEMA).folder)
        return _Opened(found, retriever, retriever.examples(EXAMPLES))

    return open_newest(directory, opened)
