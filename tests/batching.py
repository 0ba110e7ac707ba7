"""Engines for tests of the batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fake_network import ExactModel, Start

from pocketqa.engine import Engine


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts engines with a model, and closes them."""
    engines: list[Engine] = []

    def make(model: ExactModel, **options: Any) -> Engine:
        engines.append(Engine(lambda: model, **options))
        engines[-1].wait()
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()
