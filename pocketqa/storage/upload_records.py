"""What there was of uploads: whose, of what name and size. The text lies in `DATA/uploads`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

from sqlalchemy import Connection, insert, select, update

from ..errors import PocketQAError
from .database import Database
from .evidence import clean
from .schema import uploads


class Kept(Protocol):
    """What is recorded of an upload."""

    @property
    def id(self) -> str: ...
    @property
    def filename(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def pages(self) -> int | None: ...
    @property
    def characters(self) -> int: ...
    @property
    def expires(self) -> float: ...


class UploadRecords:
    """Records uploads. None of them is lost because its record is: then the log has it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, owner: str, upload: Kept) -> None:
        """Somebody has uploaded a file."""
        values = {
            "sha256": digest(upload.id),
            "owner": clean(owner),
            "filename": clean(upload.filename),
            "size": upload.size,
            "pages": upload.pages,
            "characters": upload.characters,
            "created": time.time(),
            "expires": upload.expires,
        }
        with suppress(PocketQAError):  # it has been logged
            self._database.write(lambda connection: connection.execute(insert(uploads), values))

    def deleted(self, upload_id: str) -> None:
        """… and has deleted it."""
        gone = update(uploads).where(uploads.c.sha256 == digest(upload_id))
        gone = gone.values(deleted=time.time())
        with suppress(PocketQAError):
            self._database.write(lambda connection: connection.execute(gone))


def digest(upload_id: str) -> str:
    """What names an upload here: its id is a secret."""
    return hashlib.sha256(upload_id.encode("utf-8", "replace")).hexdigest()


def names(connection: Connection, upload_ids: Iterable[str]) -> dict[str, str]:
    """The file names of those uploads that there is a record of."""
    digests = {digest(id): id for id in upload_ids if id}
    if not digests:
        return {}
    known = select(uploads.c.sha256, uploads.c.filename).where(uploads.c.sha256.in_(digests))
    return {digests[sha256]: name for sha256, name in connection.execute(known)}


def of(connection: Connection, owner: str) -> set[str]:
    """The digests of an owner's uploads."""
    mine = select(uploads.c.sha256).where(uploads.c.owner == clean(owner))
    return set(connection.execute(mine).scalars())
