"""Fixtures shared by the tests: an index of the demo knowledge, servers, the frame's schema."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import pytest
from jsonschema import Draft202012Validator

sys.path.insert(0, str(Path(__file__).parent))

# For the servers that tests start, too: no secret in the user's folder, no limits on fast clients.
os.environ.setdefault("POCKETQA_SECRET_KEY", "the tests' secret")
os.environ.setdefault("POCKETQA_RATE", "off")
os.environ.setdefault("POCKETQA_CONNECTIONS_PER_ADDRESS", "0")

import nginx
from nginx import Front, Service
from postgres import Postgres, binaries
from redises import RedisServer, binary
from servers import ROOT, Client, Server, fake_server, real_server

from pocketqa import indexing

os.environ["POCKETQA_DATABASE_URL"] = "sqlite://"
"""For applications that tests make; each server has a file of its own."""


def missing(what: str) -> NoReturn:
    """Skip for the lack of `what`; under CI=true fail, so that nothing goes untested unseen."""
    message = f"not tested, for lack of {what}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


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
    server = Postgres(found)
    yield server
    server.close()


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server."""
    found = binary()
    if found is None:
        missing("redis-server; on Debian: apt install redis-server")
    server = RedisServer(found)
    yield server
    server.close()


@pytest.fixture(scope="module")
def nginx_binary() -> str:
    """The path of nginx."""
    found = nginx.binary()
    if found is None:
        missing("nginx; on Debian: apt install nginx-light")
    return found


@pytest.fixture(scope="module")
def shared(
    redis_server: RedisServer, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What several instances of one service have in common: settings of each."""
    return {
        "POCKETQA_HOME": str(tmp_path_factory.mktemp("home")),
        "POCKETQA_DATABASE_URL": postgres.database(),
        "POCKETQA_MESSAGE_QUEUE": redis_server.url,
    }


@pytest.fixture(scope="module", params=["one instance", "two instances"])
def service(request: pytest.FixtureRequest, demo_index: Path) -> Iterator[Callable[..., Service]]:
    """Starts one server, or two behind one address that share a Redis and a PostgreSQL.

    With two, each connection and each request goes to the next in turn.
    """
    started: list[Service] = []

    def one(**env: str) -> Server:
        started.append(server := fake_server(demo_index, **env))
        return server

    def two(**env: str) -> Front:
        settings = {**request.getfixturevalue("shared"), "POCKETQA_PROXIES": "1", **env}
        with ThreadPoolExecutor() as pool:
            made = [pool.submit(fake_server, demo_index, **settings) for _ in range(2)]
        servers = [each.result() for each in made]
        path = request.getfixturevalue("nginx_binary")
        started.append(front := Front(path, servers, sticky=False))
        return front

    yield one if request.param == "one instance" else two
    for server in started:
        assert server.stop() == 0
        assert "Traceback" not in "".join(server.output), "".join(server.output)


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """Makes connected clients; closes them after the test."""
    clients: list[Client] = []

    def make(server: Service, **auth: str) -> Client:
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
