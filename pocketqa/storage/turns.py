"""Dialogues in the database: a turn is there when it begins, grows each second, and is whole on
the disk before its last piece is shown.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from ..dialogue import Key, Listed, Record, State, Turn, Vote
from ..protocol import Received, Request
from ..threads import native_lock, native_sleep
from . import evidence, past
from .database import Database
from .evidence import clean
from .schema import turns

PAUSE_S = 0.05
"""Between transactions that forget: others have their turn."""
ORPHAN_S = 60.0
"""A running turn of this process that it does not know is, after so long, nobody's."""

# Put together once, as those in `past`.
_BEGIN = insert(turns).returning(turns.c.id)
_END = update(turns).where(turns.c.id == bindparam("turn"))
_EXTEND = (
    update(turns)
    # What has ended meanwhile has all of its text already.
    .where(turns.c.id == bindparam("turn"), turns.c.state == "running")
    .values(answer=bindparam("said"))
)


@dataclass
class _Running:
    """An answer that is being made; `written` characters of it are in the database.

    `end` is what ends it, where that is known and not written yet.
    """

    began: float
    said: str = ""
    written: int = 0
    first_s: float | None = None
    end: dict[str, Any] | None = None


class Turns:
    """`Dialogues` and `Past` of the protocol's clients, and what an operator does with them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._running: dict[int, _Running] = {}
        self._lock = native_lock()
        self._is_untidy = False

    def history(self, key: Key, n: int) -> tuple[Turn, ...]:
        """See `Dialogues.history`."""
        if not n:
            return ()
        return self._database.read(lambda connection: past.history(connection, key, n))

    def begin(self, key: Key, request: Request) -> int:
        """See `Dialogues.begin`."""
        now, began = time.time(), time.monotonic()

        def work(connection: Connection) -> int:
            self._database.presence.show(connection)
            values = {
                "dialogue_id": past.place(connection, key, request, now),
                "request_id": clean(request.request_id),
                "event": request.event,
                "upload_id": clean(request.upload_id),
                "question": clean(request.text),
                "state": "running",
                "instance": self._database.instance,
                "created": now,
            }
            return int(connection.execute(_BEGIN, values).scalar_one())

        turn = self._database.write(work)
        with self._lock:
            self._running[turn] = _Running(began)
        return turn

    def extend(self, turn: int, text: str) -> None:
        """See `Dialogues.extend`."""
        running = self._running.get(turn)
        if running is None or not text:
            return
        with self._lock:
            running.said += text
        if running.first_s is None:
            running.first_s = round(time.monotonic() - running.began, 3)

    def end(self, turn: int, state: State, received: Received, error: str = "") -> None:
        """See `Dialogues.end`."""
        running = self._running.get(turn)
        if running is None:
            return
        running.end = {
            "answer": clean(running.said),
            "state": state,
            "error": error,
            "way": received.way,
            "grounded": bool(received.sources),
            "score": evidence.score(received),
            "evidence": evidence.pack(received),
            "first_s": running.first_s,
            "ended": time.time(),
        }
        self._end(turn, running.end)

    def page(self, key: Key, before: int | None, limit: int) -> list[Record]:
        """See `Past.page`. What is being said just now is there as far as it has come."""
        found = self._database.read(
            lambda connection: past.page(connection, key, before, limit),
        )
        return [self._live(each) if each.state == "running" else each for each in found]

    def list(self, owner: str | None = None) -> list[Listed]:
        """See `Past.list`; without an owner, everybody's."""
        return self._database.read(lambda connection: past.listed(connection, owner))

    def rename(self, key: Key, title: str) -> bool:
        """See `Past.rename`."""
        return self._database.write(lambda connection: past.rename(connection, key, title))

    def delete(self, key: Key) -> bool:
        """See `Past.delete`."""
        self._is_untidy = True
        return self._database.write(lambda connection: past.forget(connection, key))

    def delete_owner(self, owner: str) -> int:
        """Forget all dialogues of an owner; how many there were."""
        self._is_untidy = True
        return self._database.write(lambda connection: past.forget_owner(connection, owner))

    def vote(
        self,
        owners: Sequence[str],
        request_id: str,
        vote: Vote,
        reason: str = "",
        shown: Key | None = None,
    ) -> bool:
        """See `Past.vote`."""
        return self._database.write(
            lambda connection: past.vote(connection, owners, request_id, vote, reason, shown)
        )

    def flush(self) -> None:
        """Write what has been said since the last time."""
        with self._lock:
            news = [
                (turn, running.said)
                for turn, running in self._running.items()
                if running.end is None and len(running.said) > running.written
            ]
            # They could not be written when they ended.
            late = [(t, r.end) for t, r in self._running.items() if r.end is not None]
        for turn, values in late:
            self._end(turn, values)
        if not news:
            return
        rows = [{"turn": turn, "said": clean(said)} for turn, said in news]
        self._database.write(lambda connection: connection.execute(_EXTEND, rows))
        for turn, said in news:
            if running := self._running.get(turn):
                running.written = len(said)

    def cut(self) -> int:
        """Mark what dead processes were saying as cut off; how many turns."""
        return self._database.write(self._cut)

    def tidy(self) -> None:
        """Where something was deleted, leave nothing of it in the database's files."""
        if self._is_untidy:
            self._is_untidy = False
            self._is_untidy = not self._database.tidy() or self._is_untidy

    def forget(self, before: float) -> int:
        """Delete turns that began before a time, and dialogues that are empty then; how many.

        For a native thread: it holds up whatever it is called in.
        """
        total = 0
        while True:
            count = self._database.write(lambda connection: past.forget_older(connection, before))
            total += count
            if count < past.BATCH:
                break
            native_sleep(PAUSE_S)
        self._is_untidy = self._is_untidy or bool(total)
        return total

    def _end(self, turn: int, values: dict[str, Any]) -> None:
        named = values | {"turn": turn}
        self._database.write(lambda connection: connection.execute(_END, named))
        with self._lock:
            self._running.pop(turn, None)

    def _cut(self, connection: Connection) -> int:
        found = connection.execute(
            select(turns.c.id, turns.c.instance, turns.c.created).where(turns.c.state == "running")
        ).all()
        presence, own = self._database.presence, self._database.instance
        names = {row.instance for row in found}
        alive = {name for name in names if presence.is_alive(name, connection)}
        late = time.time() - ORPHAN_S
        gone = [
            row.id
            for row in found
            if row.instance not in alive
            or (row.instance == own and row.id not in self._running and row.created < late)
        ]
        if gone:
            values = {"state": "cut", "ended": time.time()}
            connection.execute(update(turns).where(turns.c.id.in_(gone)).values(values))
        return len(gone)

    def _live(self, record: Record) -> Record:
        running = self._running.get(record.id)
        return replace(record, answer=running.said) if running else record
