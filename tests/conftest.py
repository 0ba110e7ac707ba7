"""Fixtures shared by the tests: an index of the demo knowledge, servers, the frame's schema."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

sys.path.insert(0, str(Path(__file__).parent))

# For the servers that tests start, too: no secret in the user's folder, no limits on fast clients.
os.environ.setdefault("POCKETQA_SECRET_KEY", "the tests' secret")
os.environ.setdefault("POCKETQA_RATE", "off")
os.environ.setdefault("POCKETQA_CONNECTIONS_PER_ADDRESS", "0")

from postgres import Postgres, binaries
from redises import RedisServer, binary
from servers import ROOT, Client, Server, fake_server, real_server

from pocketqa import indexing

os.environ["POCKETQA_DATABASE_URL"] = "sqlite://"
"""For applications that tests make; each server has a file of its own."""


def missing(what: str) -> None:
    """Skip for the lack of `what`; under CI=true fail, so that nothing goes untested unseen."""
    message = f"not tested, for lack of {what}"
    pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)


@pytest.fixture(scope="session")
def demo_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the demo knowledge."""
    folder = tmp_path_factory.mktemp("demo") / "index"
    indexing.build([ROOT / "knowledge"], folder)
    return folder


@pytest.fixture(scope="session", name="fake_server")
def a_fake_server(demo_index: Path) -> Iterator[Server]:
    """A server process with a scripted model."""
    server = fake_server(demo_index)
    yield server
    server.stop()


@pytest.fixture(scope="session", name="real_server")
def a_real_server(demo_index: Path) -> Iterator[Server]:
    """`pocketqa serve` with the real default model, which `make test` fetched."""
    server = real_server(demo_index)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server that tests may share, each with a database of its own."""
    found = binaries()
    if found is None:
        missing("initdb and pg_ctl; on Debian: apt install postgresql")
    assert found is not None
    server = Postgres(found)
    yield server
    server.close()


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server."""
    found = binary()
    if found is None:
        missing("redis-server; on Debian: apt install redis-server")
    assert found is not None
    server = RedisServer(found)
    yield server
    server.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """Makes connected clients; closes them after the test."""
    clients: list[Client] = []

    def make(server: Server, **auth: str) -> Client:
        clients.append(Client(server.url, auth or None))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def check_frame() -> Callable[[dict[str, Any]], None]:
    """Validates a frame's `data` against the schema in docs/."""
    schema = json.loads((ROOT / "docs" / "frame.schema.json").read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema)

    def check(data: dict[str, Any]) -> None:
        validator.validate({"data": data})

    return check
