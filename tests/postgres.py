"""A PostgreSQL server of a test's own: on a free port, in a temporary folder, by nobody's leave."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg

UNPRIVILEGED = ("postgres", "nobody")
"""Users as whom it runs where the tests are root's: it refuses to be root."""


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl; Debian keeps them off the path."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class Postgres:
    """A running server; `url` is the address of a database that is always there."""

    def __init__(self, bin: Path) -> None:
        self._bin = bin
        self._folder = Path(tempfile.mkdtemp(prefix="pocketqa-pg-"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = next(name for name in UNPRIVILEGED if _exists(name))
            shutil.chown(self._folder, user)
            self._as = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://pocketqa@127.0.0.1:{self.port}/postgres"
        data = self._folder / "data"
        self._run("initdb", "-D", data, "-U", "pocketqa", "-A", "trust", "-E", "UTF8", "-N")
        self.start()

    def database(self) -> str:
        """The address of a new, empty database."""
        name = f"d{secrets.token_hex(4)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url.removesuffix("postgres") + name

    def start(self) -> None:
        """Start it; wait until it answers."""
        options = f"-p {self.port} -k {self._folder} -h 127.0.0.1 -c max_connections=50"
        log = self._folder / "log"
        self._run("pg_ctl", "-D", self._folder / "data", "-w", "-l", log, "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """End it; `immediate` is how a crash looks."""
        self._run("pg_ctl", "-D", self._folder / "data", "-w", "-m", mode, "stop")

    def close(self) -> None:
        """End it and remove its files."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, name: str, *arguments: object) -> None:
        # Its daemon keeps what it inherits: a pipe would never end.
        with (self._folder / "out").open("w+") as out:
            done = subprocess.run(
                [str(self._bin / name), *map(str, arguments)],
                cwd=self._folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}, **self._as,
            )  # fmt: skip
            out.seek(0)
            assert done.returncode == 0, out.read()


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
