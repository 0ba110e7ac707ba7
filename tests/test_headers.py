"""The security headers: on every route, on errors, on Socket.IO's answers and static files."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator

import pytest
from fakes import FakeModel, FakeRetriever
from flask import Flask

from pocketqa.app import create_app
from pocketqa.config import load
from pocketqa.engine import Engine
from pocketqa.headers import headers

HALL = "https://hall.example"


@pytest.fixture(scope="module")
def app() -> Iterator[Flask]:
    engine = Engine(FakeModel)
    engine.wait()
    yield create_app(load(origins=HALL, admin_key="k" * 32), FakeRetriever(), engine)
    engine.close()


def paths(app: Flask) -> list[str]:
    """A path of every route, and what is none."""
    rules = [rule.rule.replace("<path:filename>", "chat.js") for rule in app.url_map.iter_rules()]
    sockets = [f"/socket.io/?EIO={version}&transport=polling" for version in (4, 9)]
    filled = {rule.split("<")[0] + "x" * ("<" in rule) for rule in rules}
    return sorted({*filled, *sockets, "/static/none.js", "/no/such/page"})


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_every_route_has_them(app: Flask, method: str) -> None:
    client = app.test_client()
    for path in paths(app):
        response = client.open(path, method=method)
        response.close()
        where = (method, path, response.status)
        (policy,) = response.headers.get_all("Content-Security-Policy")
        assert response.headers.get_all("X-Content-Type-Options") == ["nosniff"], where
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin", where
        if path.startswith("/static/"):
            assert policy == "default-src 'none'; frame-ancestors 'none'", where
            continue
        assert "default-src 'none'" in policy and "script-src 'self';" in policy, where
        assert "unsafe" not in policy and "http:" not in policy, where
        ancestors = "'none'" if path.startswith("/admin") else f"'self' {HALL}"
        assert policy.endswith(f"frame-ancestors {ancestors}"), where
        assert response.headers["Referrer-Policy"] == "same-origin", where
        assert "microphone=(self)" in response.headers["Permissions-Policy"], where
        assert "camera=()" in response.headers["Permissions-Policy"], where


def test_the_one_style_sheet_in_the_page_is_known_by_its_hash(app: Flask) -> None:
    response = app.test_client().get("/")
    (styles,) = re.findall("<style>(.*?)</style>", response.get_data(as_text=True), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(styles.encode()).digest()).decode()
    policy = response.headers["Content-Security-Policy"]
    assert f"style-src 'self' 'sha256-{digest}';" in policy and "body" in styles
    assert "sha256" not in app.test_client().get("/health").headers["Content-Security-Policy"]


def test_an_error_within_has_them(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise RuntimeError("planted")

    monkeypatch.setitem(app.view_functions, "views.health", broken)
    response = app.test_client().get("/health")
    assert response.status_code == 500 and "planted" not in response.get_data(as_text=True)
    assert "Content-Security-Policy" in response.headers


def test_only_the_button_may_be_loaded_elsewhere() -> None:
    assert ("Cross-Origin-Resource-Policy", "cross-origin") in headers("/static/embed.js")
    assert ("Cross-Origin-Resource-Policy", "same-origin") in headers("/static/chat.js")


@pytest.mark.parametrize(
    ("origins", "ancestors"),
    [
        ((), "'self'"),
        (("*",), "*"),
        ((HALL, "http://10.0.0.8:8080"), f"'self' {HALL} http://10.0.0.8:8080"),
        (("https://a.example; script-src *", "https://b.example\r\nX: 1", "'none'"), "'self'"),
    ],
)
def test_origins_that_may_show_the_page(origins: tuple[str, ...], ancestors: str) -> None:
    policy = dict(headers("/", origins))["Content-Security-Policy"]
    assert policy.endswith(f"frame-ancestors {ancestors}")


def test_the_operators_view_is_never_shown_in_a_frame_nor_kept() -> None:
    for path in ("/admin", "/admin/login"):
        found = dict(headers(path, ("*",)))
        assert found["Content-Security-Policy"].endswith("frame-ancestors 'none'")
        assert found["X-Frame-Options"] == "DENY" and found["Cache-Control"] == "no-store"
    assert "Cache-Control" not in dict(headers("/administration"))
