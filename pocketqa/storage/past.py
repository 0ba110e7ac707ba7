"""What is asked of the dialogues that are kept, and done to them: each a function of a connection.

Single questions (`QA_CS`) belong to no dialogue that anybody sees: they count in the figures only.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from ..dialogue import Key, Listed, Record, Turn, Vote
from ..protocol import Request
from . import evidence, upload_records
from .evidence import clean
from .schema import dialogues, turns, uploads

SHOWN = ("CHAT_CS", "GEN_CS", "SUM_CS")
"""Events whose turns people see in a dialogue."""
READ = ("CHAT_CS", "GEN_CS")
"""… and those that later questions may refer to."""
MAX_TITLE = 60
MAX_REASON = 1_000
BATCH = 100
"""Turns forgotten in one transaction: others want to write meanwhile."""

_BOTH = turns.join(dialogues, turns.c.dialogue_id == dialogues.c.id)


_IS_IT = (dialogues.c.owner == bindparam("key_owner")) & (
    dialogues.c.dialogue == bindparam("key_dialogue")
)

# What every turn needs is put together once: that is most of a statement's time.
_FIND = select(dialogues.c.id, dialogues.c.title).where(_IS_IT)
_MAKE = {
    "sqlite": sqlite.insert(dialogues).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(dialogues).on_conflict_do_nothing(),
}
_TOUCH = (
    update(dialogues)
    .where(dialogues.c.id == bindparam("row"))
    .values(updated=bindparam("now"), title=bindparam("name"))
)
_HISTORY = (
    select(turns.c.question, turns.c.answer, turns.c.grounded, turns.c.evidence)
    .select_from(_BOTH)
    .where(_IS_IT, turns.c.event.in_(READ), turns.c.state != "running", turns.c.answer != "")
    .order_by(turns.c.id.desc())
    .limit(bindparam("n"))
)


def named(key: Key) -> dict[str, Any]:
    """What `_IS_IT` is executed with."""
    return {"key_owner": clean(key.owner), "key_dialogue": clean(key.dialogue)}


def history(connection: Connection, key: Key, n: int) -> tuple[Turn, ...]:
    """See `Dialogues.history`."""
    found = []
    for question, answer, grounded, kept in connection.execute(_HISTORY, named(key) | {"n": n}):
        titles = tuple(source["title"] for source in (kept or {}).get("sources", []))
        found.append(Turn(question, answer, grounded, titles))
    return tuple(reversed(found))


def place(connection: Connection, key: Key, request: Request, now: float) -> int:
    """The row of the dialogue that a new turn belongs to; made if need be."""
    row = connection.execute(_FIND, named(key)).first()
    if row is None:
        owner, name = clean(key.owner), clean(key.dialogue)
        values = {"owner": owner, "dialogue": name, "title": "", "created": now}
        # Another instance may have just made it.
        connection.execute(_MAKE[connection.dialect.name], values)
        row = connection.execute(_FIND, named(key)).one()
    if request.event in SHOWN:
        connection.execute(
            _TOUCH, {"row": row.id, "now": now, "name": row.title or title(request.text)}
        )
    return int(row.id)


def title(text: str) -> str:
    """A dialogue's title from its first question."""
    line = " ".join(clean(text).split())
    return line if len(line) <= MAX_TITLE else line[: MAX_TITLE - 1] + "…"


def page(connection: Connection, key: Key, before: int | None, limit: int) -> list[Record]:
    """See `Past.page`."""
    last = select(turns).select_from(_BOTH).where(_IS_IT, turns.c.event.in_(SHOWN))
    if before is not None:
        last = last.where(turns.c.id < before)
    rows = connection.execute(last.order_by(turns.c.id.desc()).limit(limit), named(key)).all()
    return records(connection, reversed(rows))


def all_of(connection: Connection, listed: Listed) -> list[Record]:
    """All turns of a dialogue, whatever their event, oldest first."""
    key = Key(listed.owner, listed.dialogue)
    every = select(turns).select_from(_BOTH).where(_IS_IT).order_by(turns.c.id)
    return records(connection, connection.execute(every, named(key)).all())


def records(connection: Connection, rows: Iterable[Row[Any]]) -> list[Record]:
    """Rows of `turns` as values."""
    rows = list(rows)
    names = upload_records.names(connection, (row.upload_id for row in rows))
    return [_record(row, names.get(row.upload_id, "")) for row in rows]


def _record(row: Row[Any], filename: str) -> Record:
    kept = row.evidence or {}
    is_known = row.ended is not None and row.state != "cut"
    took = round(row.ended - row.created, 3) if is_known else None
    return Record(
        id=row.id,
        request_id=row.request_id,
        event=row.event,
        question=row.question,
        answer=row.answer,
        state=row.state,
        way=row.way,
        score=row.score,
        clue=evidence.clue(kept, row.way),
        alter=tuple(kept.get("alter", ())),
        upload_id=row.upload_id,
        error=row.error,
        created=row.created,
        first_s=row.first_s,
        took_s=took,
        vote=row.vote,
        reason=row.reason,
        filename=filename,
    )


def listed(connection: Connection, owner: str | None = None) -> list[Listed]:
    """The dialogues of an owner, or of all, the latest first."""
    columns = (dialogues.c.owner, dialogues.c.dialogue, dialogues.c.title, dialogues.c.created)
    seen = turns.c.event.in_(SHOWN)
    every: Select[Any] = (
        select(*columns, dialogues.c.updated, func.count(turns.c.id))
        .select_from(dialogues.join(turns, (turns.c.dialogue_id == dialogues.c.id) & seen))
        .group_by(dialogues.c.id)
        .order_by(dialogues.c.updated.desc(), dialogues.c.id.desc())
    )
    if owner is not None:
        every = every.where(dialogues.c.owner == clean(owner))
    return [Listed(*row) for row in connection.execute(every)]


def rename(connection: Connection, key: Key, name: str) -> bool:
    """See `Past.rename`."""
    changed = update(dialogues).where(_IS_IT).values(title=title(name))
    return connection.execute(changed, named(key)).rowcount > 0


def forget(connection: Connection, key: Key) -> bool:
    """Delete a dialogue with all its turns; whether there was one."""
    return connection.execute(delete(dialogues).where(_IS_IT), named(key)).rowcount > 0


def forget_owner(connection: Connection, owner: str) -> int:
    """Delete all that is an owner's, records of uploads too; how many dialogues there were."""
    connection.execute(delete(uploads).where(uploads.c.owner == clean(owner)))
    gone = delete(dialogues).where(dialogues.c.owner == clean(owner))
    return connection.execute(gone).rowcount


def forget_older(connection: Connection, before: float) -> int:
    """Delete `BATCH` turns at most that began before a time; how many there were."""
    old = select(turns.c.id).where(turns.c.created < before, turns.c.state != "running")
    gone = delete(turns).where(turns.c.id.in_(old.limit(BATCH)))
    count = connection.execute(gone).rowcount
    if count < BATCH:
        left = select(turns.c.id).where(turns.c.dialogue_id == dialogues.c.id).exists()
        connection.execute(delete(dialogues).where(dialogues.c.created < before, ~left))
        connection.execute(delete(uploads).where(uploads.c.created < before))
    return count


def vote(
    connection: Connection,
    owners: Sequence[str],
    request_id: str,
    value: Vote,
    reason: str,
    shown: Key | None = None,
) -> bool:
    """See `Past.vote`."""
    whose: list[ColumnElement[bool]] = [dialogues.c.owner.in_([clean(owner) for owner in owners])]
    if shown:
        owner, dialogue = clean(shown.owner), clean(shown.dialogue)
        whose.append(and_(dialogues.c.owner == owner, dialogues.c.dialogue == dialogue))
    latest = (
        select(turns.c.id)
        .select_from(_BOTH)
        .where(
            turns.c.request_id == clean(request_id),
            or_(*whose),
        )
        .order_by(turns.c.id.desc())
        .limit(1)
    )
    turn = connection.execute(latest).scalar()
    if turn is None:
        return False
    values = {"vote": value, "reason": clean(reason[:MAX_REASON]), "voted": time.time()}
    if not value:
        values |= {"reason": "", "voted": None}
    connection.execute(update(turns).where(turns.c.id == turn).values(values))
    return True
