"""What operators have changed in their view: a file that only grows, a line of JSON each."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path

TAIL = 256 << 10
"""Bytes of the file's end in which the latest are looked for."""

log = logging.getLogger("pocketqa.audit")


@dataclass(frozen=True)
class Noted:
    """A change.

    Attributes:
        at: seconds since 1970.
        who: the session, as a short number, and the address that it came from.
        action: what was done: `add`, `update`, `delete`, `import`, `login`, `refused`, `logout`.
        what: the entry, by its id and wording, or the file.
    """

    at: float
    who: str
    action: str
    what: str


class Changes:
    """The file. Calls block for a disk's time: make them off the hub."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def note(self, who: str, action: str, what: str = "") -> None:
        """Write a line, here and in the log; a disk that takes nothing is no reason to fail."""
        noted = Noted(round(time.time(), 3), who, action, what)
        log.warning("admin %s: %s %s", who, action, what.encode("unicode_escape").decode())
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8", errors="replace") as file:
                file.write(json.dumps(asdict(noted), ensure_ascii=False) + "\n")
        except OSError as error:
            log.error("%s cannot be written: %s", self._file, error)

    def latest(self, count: int) -> list[Noted]:
        """The last ones, the newest first."""
        try:
            with self._file.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - TAIL))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return []
        found: list[Noted] = []
        for line in reversed(lines):
            try:
                found.append(Noted(**json.loads(line)))
            except (ValueError, TypeError):  # cut off, by us or by a crash
                continue
        return found[:count]
