"""The database as the rest sees it: transactions off the hub, those that come together as one.

Three connections, each with a native thread: what is written waits for the disk, what is read does
not wait behind it, nor behind what counts all turns. SQLite takes one writer at a time anyway.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ..errors import PocketQAError
from ..threads import Worker
from .engines import BUSY_S, address, connectable, file_of
from .liveness import Presence
from .migrating import migrate
from .schema import metadata

T = TypeVar("T")
Work = Callable[[Connection], T]

TRIES = 2
"""So often something is tried where the connection turns out to be broken."""
TIDY_MS = 200

log = logging.getLogger(__name__)


class Database:
    """A database with today's schema. Usable from greenlets and from threads.

    Attributes:
        file: the file of a SQLite database on the disk, else None.
        instance: names this process among those that use the database.
        measured: called after each writing with the seconds that it took, in any thread.
    """

    def __init__(self, url: str) -> None:
        """Open it, and bring its tables up to date.

        Raises:
            PocketQAError: `bad_config`, `bad_database`: with what to do.
        """
        where = address(url)
        self.file = file_of(where)
        self.instance = secrets.token_hex(7)
        self.measured: Callable[[float], None] | None = None
        self._waiting: deque[_Job[Any]] = deque()
        writing = connectable(where, writing=True)
        self.presence = Presence(self.instance, self.file, writing)
        self._writing = self._reading = self._studying = _Side(writing)
        if where.get_backend_name() == "sqlite" and self.file is None:
            metadata.create_all(writing)
        else:
            migrate(writing, self.file)
            self._reading = _Side(connectable(where, writing=False))
            self._studying = _Side(connectable(where, writing=False))

    def write(self, work: Work[T]) -> T:
        """Do `work` in a transaction; what it did is on the disk when this returns.

        What others want written meanwhile goes into the same transaction: one wait for the disk.
        Where a connection breaks, work may be done twice.

        Raises:
            PocketQAError: `internal`, where it cannot be done.
        """
        job, began = _Job(work), time.monotonic()
        self._waiting.append(job)
        self._writing.run(self._take)
        if self.measured:
            self.measured(time.monotonic() - began)
        return job.result()

    def read(self, work: Work[T]) -> T:
        """Do `work`, which only reads.

        Raises:
            PocketQAError: `internal`, where it cannot be done.
        """
        job = _Job(work)
        self._reading.run(lambda: [job])
        return job.result()

    def study(self, work: Work[T]) -> T:
        """`read`, for what may take seconds: nobody else's reading waits for it.

        Raises:
            PocketQAError: `internal`, where it cannot be done.
        """
        job = _Job(work)
        self._studying.run(lambda: [job])
        return job.result()

    def tidy(self) -> bool:
        """Put SQLite's log into its file: what was deleted is then in neither.

        False where somebody who reads at the moment keeps it from that.
        """
        return self.file is None or self._writing.checkpoint()

    def close(self) -> None:
        """Give the connections back."""
        for side in {self._writing, self._reading, self._studying}:
            side.close()
        self.presence.close()

    def _take(self) -> list[_Job[Any]]:
        """What waits. Whoever comes after another's commit finds its own work done."""
        jobs = []
        while self._waiting:
            jobs.append(self._waiting.popleft())
        return jobs


class _Job(Generic[T]):
    """Something to be done in a transaction, and what came of it."""

    def __init__(self, work: Work[T]) -> None:
        self.work = work
        self.error: Exception | None = None
        self._value: T

    def do(self, connection: Connection, *, alone: bool) -> None:
        """Do it. In company, what it raises undoes its own work only; a broken connection, all."""
        if alone:
            self._value = self.work(connection)
            return
        try:
            with connection.begin_nested():
                self._value = self.work(connection)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            _fail([self], error)
        except Exception as error:
            self.error = error

    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return self._value


class _Side:
    """A connection, and the native thread in which it is used."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._worker = engine, Worker()
        self._connection: Connection | None = None

    def run(self, take: Callable[[], Sequence[_Job[Any]]]) -> None:
        """Do the jobs that `take` gives, in one transaction."""
        self._worker.run(lambda: self._do(take()))

    def checkpoint(self) -> bool:
        """Whether others who read and write at the moment let it."""
        return self._worker.run(self._checkpoint)

    def close(self) -> None:
        self._worker.run(self._drop)
        self._engine.dispose()

    def _do(self, jobs: Sequence[_Job[Any]]) -> None:
        if not jobs:
            return
        for attempt in range(1, TRIES + 1):
            try:
                self._connection = self._connection or self._engine.connect()
                with self._connection.begin():
                    for job in jobs:
                        job.do(self._connection, alone=len(jobs) == 1)
                return
            except SQLAlchemyError as error:
                is_broken = isinstance(error, DBAPIError) and error.connection_invalidated
                if is_broken:
                    self._drop()
                if not is_broken or attempt == TRIES:
                    _fail(jobs, error)
                    return
            except Exception as error:  # a fault of the only job's own
                jobs[0].error = error
                return

    def _checkpoint(self) -> bool:
        if self._connection is None:
            return True
        driver: Any = self._connection.connection.driver_connection
        try:
            # Answers wait meanwhile: not for long.
            driver.execute(f"PRAGMA busy_timeout = {TIDY_MS}")
            is_busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error:
            return False
        finally:
            driver.execute(f"PRAGMA busy_timeout = {1000 * BUSY_S}")
        return not is_busy

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()


def _fail(jobs: Sequence[_Job[Any]], error: SQLAlchemyError) -> None:
    reference = secrets.token_hex(4)
    log.error("the database failed, reference %s", reference, exc_info=error)
    for job in jobs:
        job.error = failure(reference)


def failure(reference: str) -> PocketQAError:
    """What people are told when a dialogue can't be read or kept."""
    return PocketQAError(
        "internal",
        f"对话记录暂时无法读写，请稍后再试；如需反馈请提供编号 {reference}",
        "dialogues cannot be read or kept at present, please try again; "
        f"when reporting it give the reference {reference}",
        reference=reference,
    )
