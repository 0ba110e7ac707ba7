"""Bringing a database's tables up to date: Alembic's migrations, run when it is opened."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import Connection, Engine, func, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from ..errors import PocketQAError

MIGRATIONS = Path(__file__).with_name("migrations")
HEAD = "0001"
"""The newest migration. A database that has it is opened without loading Alembic."""

_LOCK = 0x706F636B  # of PostgreSQL, so that two processes that start at once do it once


def migrate(engine: Engine, file: Path | None) -> None:
    """Create the tables, or change what an older version made; all of it or nothing.

    Raises:
        PocketQAError: `bad_database`, with what to do.
    """
    where = str(file or engine.url.render_as_string(hide_password=True))
    try:
        if file:
            _create(file)
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            found = version(connection)
            if found != HEAD:
                _upgrade(connection, found, where)
    except (SQLAlchemyError, OSError) as error:
        fault = str(getattr(error, "orig", error)).strip()
        raise PocketQAError(
            "bad_database",
            f"数据库无法使用：{where}：{fault}。请检查 POCKETQA_DATABASE_URL、权限和磁盘空间",
            f"the database cannot be used: {where}: {fault}. "
            "See to POCKETQA_DATABASE_URL, permissions and disk space",
        ) from error


def version(connection: Connection) -> str:
    """The newest migration that the database has had; empty where it has had none."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


def _create(file: Path) -> None:
    """An empty file that only its owner may read: SQLite's other files are made like it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))


def _upgrade(connection: Connection, found: str, where: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise PocketQAError(
            "bad_database",
            f"数据库 {where} 来自更新的版本（{found}）；请升级 PocketQA",
            f"the database {where} is of a newer version ({found}): update PocketQA",
        ) from error
