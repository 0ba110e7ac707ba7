"""Fixtures that open the chat page in a real browser; the tests of the page name it as a plugin."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import missing
from playwright.sync_api import Browser, sync_playwright
from servers import Server, fake_server
from visits import ANSWER, Visit

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# The last four keep the browser from calling home: the tests count requests.
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def executable() -> str | None:
    """The path of a browser, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium; without one the tests are skipped, or fail under CI=true."""
    path = executable()
    if path is None:
        missing("a browser: on Debian and Ubuntu, sudo apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield launched
        launched.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens pages, after running `script` in them; at the end no request left the origin and the
    console is clean."""
    visits: list[Visit] = []

    def make(server: Server, path: str = "/", script: str = "", **options: Any) -> Visit:
        options.setdefault("viewport", {"width": 1000, "height": 800})
        context = browser.new_context(**options)
        context.add_init_script(script or "0")
        visits.append(Visit(context.new_page(), server.url))
        return visits[-1].open(path)

    yield make
    for one in visits:
        strangers = [url for url in one.urls if not url.startswith((one.origin + "/", "data:"))]
        assert not strangers
        assert not one.complaints
        assert not one.page.evaluate("window.ran")
        one.page.context.close()


@pytest.fixture
def open_page(visit: Callable[..., Visit], fake_server: Server) -> Visit:
    """The page of the fast scripted server."""
    return visit(fake_server)


@pytest.fixture(scope="module")
def slow_server(demo_index: Path) -> Iterator[Server]:
    """A server whose model takes some seconds for an answer."""
    server = fake_server(demo_index, FAKE_PAUSE_S="0.1", FAKE_TEXT=ANSWER)
    yield server
    server.stop()
