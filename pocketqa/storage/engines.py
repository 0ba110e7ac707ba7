"""SQLAlchemy's engines: addresses, and how SQLite and PostgreSQL are set up to be alike."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool, StaticPool

from ..errors import PocketQAError
from .evidence import clean

MEMORY = "sqlite://"
POSTGRESQL: dict[str, Any] = {
    "application_name": "pocketqa",
    "connect_timeout": 5,
    # A server that has vanished is noticed, not waited for.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "options": "-c lock_timeout=5s",
}
"""How a connection is made, but for what the address says."""
BUSY_S = 5
"""How long another process may hold SQLite's lock before a call fails."""


def address(url: str) -> URL:
    """The database's address, with the driver that PocketQA comes with.

    Raises:
        PocketQAError: `bad_config` for what is no address, or that of another kind of database.
    """
    try:
        found = make_url(url)
    except ArgumentError:
        found = None
    if found is not None and found.drivername in ("postgres", "postgresql"):
        found = found.set(drivername="postgresql+psycopg")
    if found is None or found.drivername not in ("sqlite", "postgresql+psycopg"):
        raise PocketQAError(
            "bad_config",
            "POCKETQA_DATABASE_URL 应为 sqlite:////绝对路径 或 postgresql://用户:密码@主机/库名",
            "POCKETQA_DATABASE_URL must be sqlite:////absolute/path or "
            "postgresql://user:password@host/name",
        )
    return found


def file_of(url: URL) -> Path | None:
    """The file of a SQLite database; None of one in memory, and of PostgreSQL."""
    name = url.database or ""
    is_file = url.get_backend_name() == "sqlite" and name not in ("", ":memory:")
    return Path(name) if is_file else None


def connectable(url: URL, *, writing: bool) -> Engine:
    """An engine for one connection, which may go from thread to thread but serves one at a time."""
    options: dict[str, Any] = {"json_serializer": _json, "hide_parameters": True}
    if url.get_backend_name() == "sqlite":
        pool = NullPool if file_of(url) else StaticPool
        options |= {"connect_args": {"timeout": BUSY_S, "check_same_thread": False}}
        engine = create_engine(url, poolclass=pool, **options)
        _prepare_sqlite(engine, writing)
    else:
        # A native thread waits in C; psycopg would go through a hub of the thread's own.
        os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_c")
        own = {name: value for name, value in POSTGRESQL.items() if name not in url.query}
        options |= {"connect_args": own}
        engine = create_engine(url, poolclass=NullPool, **options)
    return engine


def _json(value: object) -> str:
    return clean(json.dumps(value, ensure_ascii=False))


def _prepare_sqlite(engine: Engine, writing: bool) -> None:
    """Readers beside a writer; every commit on the disk; what is deleted is overwritten."""

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: object) -> None:
        connection.isolation_level = None  # SQLAlchemy says BEGIN, not the driver
        for pragma in (
            "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def began(connection: Any) -> None:
        # A writer that begins as a reader can fail where another process writes meanwhile.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
