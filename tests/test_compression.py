"""The page and its files over the wire."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from functools import partial

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pocketqa import config as configuration
from pocketqa.compression import Compressed

GZIP = {"Accept-Encoding": "gzip, deflate, br"}


@pytest.fixture(scope="module")
def client() -> Iterator[FlaskClient]:
    """The static files, and one that is small, behind `Compressed`."""
    app = Flask("pocketqa", static_folder=str(configuration.data_folder("static")))
    app.add_url_rule("/", "page", view_func=lambda: "页" * 1000)
    app.add_url_rule("/ready", "ready", view_func=lambda: {"ready": "yes" * 1000})
    app.wsgi_app = Compressed(app.wsgi_app)  # type: ignore[method-assign]
    client = app.test_client()
    client.open = partial(client.open, buffered=True)  # type: ignore[method-assign]
    yield client


@pytest.mark.parametrize("path", ["/", "/static/chat.js", "/static/panels.css"])
def test_what_is_worth_it_is_compressed(client: FlaskClient, path: str) -> None:
    plain = client.get(path)
    for _ in range(2):
        small = client.get(path, headers=GZIP)
        assert small.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in small.headers["Vary"]
        assert gzip.decompress(small.data) == plain.data
        assert len(small.data) == int(small.headers["Content-Length"]) < len(plain.data)
    assert "Content-Encoding" not in plain.headers


def test_nothing_else_is(client: FlaskClient) -> None:
    assert "Content-Encoding" not in client.get("/ready", headers=GZIP).headers
    assert "Content-Encoding" not in client.get("/static/favicon.svg", headers=GZIP).headers
    assert "Content-Encoding" not in client.head("/static/chat.js", headers=GZIP).headers
    refused = client.get("/static/chat.js", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers
    assert client.get("/static/none.js", headers=GZIP).status_code == 404


def test_a_browser_that_has_it_is_told_so(client: FlaskClient) -> None:
    etag = client.get("/static/chat.js", headers=GZIP).headers["ETag"]
    again = client.get("/static/chat.js", headers={**GZIP, "If-None-Match": etag})
    assert again.status_code == 304 and not again.data


def test_a_changed_file_is_compressed_anew() -> None:
    said = [b"a" * 1000]

    def application(environ: object, start: object) -> list[bytes]:
        headers = [("Content-Type", "text/css"), ("Content-Length", "1000"), ("ETag", f'"{said}"')]
        start("200 OK", headers)  # type: ignore[operator]
        return list(said)

    compressed = Compressed(application)  # type: ignore[arg-type]
    asked = {
        "PATH_INFO": "/static/a.css", "REQUEST_METHOD": "GET", "HTTP_ACCEPT_ENCODING": "gzip",
    }  # fmt: skip
    for content in (b"a" * 1000, b"b" * 1000):
        said[:] = [content]
        (body,) = compressed(asked, lambda *_: None)
        assert gzip.decompress(body) == content
