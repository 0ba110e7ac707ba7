"""All dialogues, whoever's they are: for the operator, and for people's right to be forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, or_, select

from ..dialogue import Key, Listed, Record
from . import past, upload_records
from .database import Database
from .evidence import clean
from .schema import dialogues, turns


class Archive:
    """Finds dialogues, reads them and deletes them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, owner: str = "", dialogue: str = "", text: str = "") -> list[Listed]:
        """The dialogues of an owner, of a name, with a text in a question or answer; or all.

        Single questions (`QA_CS`) count here. The latest comes first.
        """
        last = func.max(turns.c.created)
        columns = (dialogues.c.owner, dialogues.c.dialogue, dialogues.c.title, dialogues.c.created)
        every = (
            select(*columns, last, func.count(turns.c.id))
            .select_from(dialogues.join(turns, turns.c.dialogue_id == dialogues.c.id))
            .group_by(dialogues.c.id)
            .order_by(last.desc(), dialogues.c.id.desc())
        )
        if owner:
            every = every.where(dialogues.c.owner == clean(owner))
        if dialogue:
            every = every.where(dialogues.c.dialogue == clean(dialogue))
        if text:
            texts = (turns.c.question, turns.c.answer)
            holds = or_(*(column.contains(clean(text), autoescape=True) for column in texts))
            every = every.where(dialogues.c.id.in_(select(turns.c.dialogue_id).where(holds)))
        rows = self._database.study(lambda connection: connection.execute(every).all())
        return [Listed(*row) for row in rows]

    def turns(self, listed: Listed) -> list[Record]:
        """All turns of a dialogue, single questions too, oldest first."""
        return self._database.study(lambda connection: past.all_of(connection, listed))

    def delete(self, found: Sequence[Listed]) -> int:
        """Forget dialogues with all that belongs to them; how many were there."""

        def work(connection: Connection) -> int:
            count = 0
            for each in found:
                count += past.forget(connection, Key(each.owner, each.dialogue))
            return count

        count = self._database.write(work)
        self._database.tidy()
        return count

    def uploads_of(self, owner: str) -> set[str]:
        """The SHA-256 of the ids of an owner's uploads."""
        return self._database.study(lambda connection: upload_records.of(connection, owner))

    def delete_owner(self, owner: str) -> int:
        """Forget all dialogues of an owner, and that there were uploads; how many dialogues."""
        count = self._database.write(lambda connection: past.forget_owner(connection, owner))
        self._database.tidy()
        return count
