"""Who gets into the operator's view: the key, the session, the token of its forms."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import FakeModel
from flask import Flask
from flask.testing import FlaskClient
from operators import KEY, VIEWS, post, sign_in, text, token

from pocketqa import indexing
from pocketqa.app import create_app
from pocketqa.config import load
from pocketqa.engine import Engine
from pocketqa.live import Live

pytest_plugins = ["operating"]


def test_there_is_no_view_without_a_key(index: Path, tmp_path: Path) -> None:
    engine = Engine(FakeModel)
    live = Live(index)
    app = create_app(load(index=index, home=tmp_path), live, engine)
    for path in ("/admin", "/admin/", "/admin/login", "/admin/entries"):
        assert app.test_client().get(path).status_code == 404
    engine.close()
    live.close()


@pytest.mark.parametrize("path", VIEWS)
def test_nobody_gets_in_without_signing_in(visitor: FlaskClient, path: str) -> None:
    for cookie in (None, "forged", "WyIxMjMiLHRydWVd.aaaa.bbbb"):
        if cookie:
            visitor.set_cookie("pocketqa_admin", cookie, path="/admin")
        response = visitor.get(f"/admin{path}")
        assert response.status_code == 303, path
        assert response.location.startswith("/admin/login")


@pytest.mark.parametrize("path", ["/entries/new", "/entries/curated-a", "/entries/curated-a/delete",
                                  "/import", "/logout"])  # fmt: skip
def test_no_form_is_taken_without_session_or_token(
    app: Flask, index: Path, visitor: FlaskClient, path: str
) -> None:
    before = indexing.read_all(index)
    stranger = token(text(visitor.get("/admin/login")))
    assert visitor.post(f"/admin{path}", data={"csrf": stranger}).status_code == 303
    sign_in(visitor)
    other = app.test_client()
    sign_in(other)
    of_other = token(text(other.get("/admin/entries/new")))
    for csrf in ("", "x", "é", stranger, of_other):
        form = {"csrf": csrf, "question": "新的?", "answer": "新的。"}
        response = visitor.post(f"/admin{path}", data=form)
        assert response.status_code == 403 and "页面已过期" in text(response), csrf
    assert indexing.read_all(index) == before


def test_signing_in_and_out(visitor: FlaskClient) -> None:
    before = visitor.get("/admin/login").headers["Set-Cookie"]
    response = sign_in(visitor, next="/admin/import")
    assert response.location == "/admin/import"
    cookie = response.headers["Set-Cookie"]
    for flag in ("HttpOnly", "SameSite=Strict", "Path=/admin", "Max-Age="):
        assert flag in cookie
    assert "Secure" not in cookie and cookie.split(";")[0] != before.split(";")[0]
    assert visitor.get("/admin/").status_code == 200
    stolen = cookie.split(";")[0].split("=", 1)[1]
    assert post(visitor, "/logout").location == "/admin/login"
    assert visitor.get("/admin/").status_code == 303
    visitor.set_cookie("pocketqa_admin", stolen, path="/admin")
    assert visitor.get("/admin/").status_code == 303, "a copy of the cookie is worth nothing"


def test_the_cookie_is_for_tls_only_where_there_is_tls(visitor: FlaskClient) -> None:
    response = visitor.get("/admin/login", base_url="https://localhost")
    assert "Secure" in response.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "/admin/..//evil.example", "/",
     "javascript:alert(1)"],
)  # fmt: skip
def test_signing_in_leads_nowhere_else(visitor: FlaskClient, wanted: str) -> None:
    assert sign_in(visitor, next=wanted).location == "/admin/"


def test_a_wrong_key_is_refused_and_too_many_are_not_looked_at(visitor: FlaskClient) -> None:
    for key in ("", "x", KEY + " ", KEY[:-1], KEY.upper(), "é", *"abcd"):
        response = sign_in(visitor, key)
        assert response.status_code == 422 and "密钥不正确" in text(response)
    response = sign_in(visitor)
    assert response.status_code == 429 and "次数过多" in text(response)
    assert visitor.get("/admin/").status_code == 303


def test_a_new_key_ends_all_sessions(app: Flask, index: Path, tmp_path: Path) -> None:
    client = app.test_client()
    cookie = sign_in(client).headers["Set-Cookie"].split(";")[0].split("=", 1)[1]
    engine, live = Engine(FakeModel), Live(index)
    other = create_app(load(index=index, home=tmp_path, admin_key="another"), live, engine)
    visitor = other.test_client()
    visitor.set_cookie("pocketqa_admin", cookie, path="/admin")
    assert visitor.get("/admin/").status_code == 303
    engine.close()
    live.close()
