"""Fixtures of the operator's view over Flask's client; its tests name it as a plugin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import FakeModel
from flask import Flask
from flask.testing import FlaskClient
from operators import ENTRIES, KEY, sign_in

from pocketqa import indexing
from pocketqa.app import create_app
from pocketqa.config import load
from pocketqa.engine import Engine
from pocketqa.live import Live


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """A small index, some of it hostile."""
    indexing.build_index(ENTRIES, tmp_path / "index")
    return tmp_path / "index"


@pytest.fixture
def app(index: Path, tmp_path: Path) -> Iterator[Flask]:
    engine = Engine(FakeModel)
    engine.wait()
    live = Live(index)
    yield create_app(load(index=index, home=tmp_path, admin_key=KEY), live, engine)
    engine.close()
    live.close()


@pytest.fixture
def visitor(app: Flask) -> FlaskClient:
    """Somebody who has not signed in."""
    return app.test_client()


@pytest.fixture
def operator(visitor: FlaskClient) -> FlaskClient:
    """Somebody who has."""
    assert sign_in(visitor).status_code == 303
    return visitor
