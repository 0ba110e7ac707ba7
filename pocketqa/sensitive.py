"""Sensitive words: a question or an answer that holds one gets a reply, and a line for audit."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from .errors import PocketQAError
from .prompt import language
from .protocol import Piece, Received
from .wordlist import SensitiveText, Watch, Words

REPLY = {
    "zh": "抱歉，这个内容我不能回答。请换一个问题。",
    "en": "Sorry, I cannot answer this. Please ask something else.",
}
CHECK_S = 1.0
"""The file is looked at so often, at most."""

log = logging.getLogger(__name__)
audit = logging.getLogger("pocketqa.audit")
# Whatever is logged else: a match must leave its trace.
audit.setLevel(logging.INFO)


class Listed:
    """The list of a file, read anew when the file changes; a bad new one leaves the old in use."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the file.

        Raises:
            PocketQAError: `bad_sensitive_words`.
        """
        self._path, self._clock = path, clock
        self._seen, self._looked = _signature(path), clock()
        self._words = Words.load(path)

    @property
    def words(self) -> Words:
        """The list as it is now, or was a second ago."""
        now = self._clock()
        if now - self._looked >= CHECK_S:
            self._looked = now
            self._look()
        return self._words

    def _look(self) -> None:
        signature = _signature(self._path)
        if signature == self._seen:
            return
        self._seen = signature
        try:
            self._words = Words.load(self._path)
        except PocketQAError as error:
            log.warning("the sensitive words in use stay: %s", error.en)
        else:
            count = len(self._words.plain) + len(self._words.patterns)
            log.info("%s: %d sensitive words", self._path, count)


def guard(
    pieces: Iterator[Piece],
    words: Words,
    question: str,
    *,
    reply: str = "",
    request_id: str = "",
) -> Generator[Piece, None, None]:
    """The pieces of an answer, with `reply` instead of what is sensitive.

    A sensitive question is not answered at all: `pieces` is never begun. At a match in the answer
    `pieces` is closed, which cancels the model's work, and the reply follows what has been shown.

    Args:
        reply: default: `REPLY` in the question's language.
    """
    said = reply or REPLY[language(question)]
    try:
        if entry := words.find(question):
            _log(request_id, entry, "question")
            yield from _reply(said, Received(way="refused"))
            return
        yield from _guarded(pieces, words, said, request_id)
    finally:
        _close(pieces)


def _guarded(
    pieces: Iterator[Piece], words: Words, reply: str, request_id: str
) -> Generator[Piece, None, None]:
    watch, has_shown = Watch(words), False
    for piece in pieces:
        is_last = piece.finish_reason is not None
        try:
            shown = watch.put(piece.delta)
            shown += watch.flush() if is_last else ""
        except SensitiveText as found:
            _log(request_id, found.entry, "answer")
            _close(pieces)
            said = f"\n\n{reply}" if has_shown else reply
            yield from _reply(said, _without_evidence(piece.received))
            return
        has_shown = has_shown or bool(shown)
        if shown or is_last:
            yield replace(piece, delta=shown)


def _reply(text: str, received: Received) -> Iterator[Piece]:
    yield Piece(text, None, received)
    yield Piece("", "stop", received)


def _without_evidence(received: Received) -> Received:
    """The passages may say what the answer must not."""
    return Received(alter=received.alter, history=received.history, way="refused")


def _close(pieces: Iterator[Piece]) -> None:
    close = getattr(pieces, "close", None)
    if close:
        close()


def _log(request_id: str, entry: str, where: str) -> None:
    audit.warning("request %s: sensitive %s, entry %r", request_id or "-", where, entry)


def _signature(path: Path) -> Any:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
