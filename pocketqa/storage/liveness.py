"""Who of the processes that use a database lives: each holds a lock that dies with it.

For SQLite a lock on a file beside the database, for PostgreSQL an advisory lock of the session: no
clocks, no heartbeats, and the end of a process is known at once, however it ended.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, func, select

try:
    import fcntl
except ImportError:  # without locks every other process counts as dead
    fcntl = None  # type: ignore[assignment]


class Presence:
    """Shows that this process lives, and tells it of others."""

    def __init__(self, instance: str, file: Path | None, engine: Engine) -> None:
        self._instance = instance
        self._folder = file.with_name(file.name + ".alive") if file else None
        self._is_shared = engine.dialect.name == "postgresql"
        self._lock: int | None = None
        self._is_shown = False
        event.listen(engine, "connect", self._connected)

    def show(self, connection: Connection) -> None:
        """Hold the lock, from now on. Cheap where it is held."""
        if self._is_shown:
            return
        if self._is_shared:
            connection.execute(select(func.pg_advisory_lock(int(self._instance, 16))))
        elif self._folder and fcntl:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._lock = os.open(self._folder / self._instance, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._is_shown = True

    def is_alive(self, instance: str, connection: Connection) -> bool:
        """Whether the process of that name lives; it must have shown itself once."""
        if instance == self._instance:
            return True
        if self._is_shared:
            number = int(instance, 16)
            took = connection.execute(select(func.pg_try_advisory_lock(number))).scalar_one()
            if took:
                connection.execute(select(func.pg_advisory_unlock(number)))
            return not took
        if self._folder is None or fcntl is None:
            return False
        return _is_locked(self._folder / instance)

    def close(self) -> None:
        """Be gone."""
        if self._lock is not None and self._folder:
            (self._folder / self._instance).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def _connected(self, *_: Any) -> None:
        """A new session of PostgreSQL holds no lock yet."""
        self._is_shown = self._is_shown and not self._is_shared


def _is_locked(file: Path) -> bool:
    try:
        lock = os.open(file, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    with suppress(OSError):
        file.unlink()
    return False
