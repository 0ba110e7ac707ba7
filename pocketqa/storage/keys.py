"""API keys: 256 random bits each, of which only a digest is kept."""

from __future__ import annotations

import hashlib
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from ..errors import PocketQAError
from .database import Database
from .schema import keys

PREFIX = "pqa_"
"""Begins every key, so that people and scanners of secrets know one when they see it."""
USED_S = 60.0
"""When a key was last used is written so often, at most."""


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key; times in seconds since 1970, None for what has not happened."""

    id: str
    name: str
    created: float
    revoked: float | None = None
    last_used: float | None = None


class ApiKeys:
    """The keys by which programs show who they are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str) -> tuple[str, str]:
        """Make a key: its id, and the key itself, which is never to be had again."""
        id, key = secrets.token_hex(4), PREFIX + secrets.token_urlsafe(32)
        values = {"id": id, "name": name, "sha256": _digest(key), "created": time.time()}
        self._database.write(lambda connection: connection.execute(insert(keys), values))
        return id, key

    def check(self, key: str) -> str | None:
        """The id of a key; None of one that there is not, or not any more."""
        digest, now = _digest(key), time.time()
        valid = select(keys.c.id, keys.c.last_used).where(
            keys.c.sha256 == digest, keys.c.revoked.is_(None)
        )
        found = self._database.read(lambda connection: connection.execute(valid).first())
        if found is None:
            return None
        if found.last_used is None or now - found.last_used > USED_S:
            used = update(keys).where(keys.c.id == found.id).values(last_used=now)
            with suppress(PocketQAError):  # it is valid all the same
                self._database.write(lambda connection: connection.execute(used))
        return str(found.id)

    def list(self) -> list[ApiKey]:
        """All keys, revoked ones too, the oldest first."""
        columns = (keys.c.id, keys.c.name, keys.c.created, keys.c.revoked, keys.c.last_used)
        every = select(*columns).order_by(keys.c.created, keys.c.id)
        rows = self._database.read(lambda connection: connection.execute(every).all())
        return [ApiKey(*row) for row in rows]

    def revoke(self, id: str) -> bool:
        """Make a key worthless; whether there was one that was not."""

        def work(connection: Connection) -> bool:
            valid = update(keys).where(keys.c.id == id, keys.c.revoked.is_(None))
            return connection.execute(valid.values(revoked=time.time())).rowcount > 0

        return self._database.write(work)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
