"""The operator's view at `/admin`: signing in, and that nobody else gets further."""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint, Response, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from ..errors import PocketQAError, RequestError
from ..identity import NOBODY
from ..rates import Rates
from . import entries, imports, insight, search
from .desk import LANGUAGE, Desk, language, page, problem, to
from .sessions import COOKIE, HOURS, Sessions

__all__ = ["Desk", "Sessions", "blueprint"]

ATTEMPTS = "10/10minutes"
"""How often one address may try the key."""
MAX_FORM = 1 << 20
"""Bytes of a form without a file."""

log = logging.getLogger(__name__)


def blueprint(desk: Desk, storage: str = "memory://") -> Blueprint:
    """The routes. Attempts at the key are counted in `storage`, see `rates`."""
    views = Blueprint("admin", __name__, url_prefix="/admin")
    attempts = Rates(ATTEMPTS, storage)

    @views.before_request
    def guard() -> ResponseReturnValue | None:
        """Nobody gets further without a session; no form is taken that is not this session's."""
        request.max_content_length = MAX_FORM + (
            desk.config.upload_mb * 1_000_000 if request.endpoint == "admin.import_file" else 0
        )
        g.session = desk.sessions.read(request.cookies.get(COOKIE, ""))
        g.cookie = None
        if request.endpoint != "admin.login" and not (g.session and g.session.signed_in):
            asked = request.full_path.rstrip("?") if request.method == "GET" else None
            return redirect(url_for("admin.login", next=asked), 303)
        if g.session is None:
            g.session, g.cookie = desk.sessions.begin(signed_in=False)
        if request.method == "POST" and not _is_own_form(desk):
            raise _stale()
        return None

    @views.context_processor
    def session() -> dict[str, Any]:
        token = desk.sessions.form_token(g.session)
        field = Markup('<input type="hidden" name="csrf" value="{}">').format(token)
        return {"token": lambda: field, "signed_in": g.session.signed_in}

    @views.after_request
    def remember(response: Response) -> Response:
        if g.get("cookie"):
            _set(response, COOKIE, g.cookie, HOURS * 3600)
        if request.args.get("lang") in ("zh", "en"):
            _set(response, LANGUAGE, language(), 365 * 24 * 3600)
        return response

    @views.errorhandler(PocketQAError)
    def expected(error: PocketQAError) -> ResponseReturnValue:
        if error.code == "forbidden" and not g.session.signed_in:
            return problem(error, "login", next="")
        return problem(error)

    @views.route("/login", methods=["GET", "POST"])
    def login() -> ResponseReturnValue:
        """Ask for the key."""
        wanted = _own_page(request.values.get("next", ""))
        if g.session.signed_in:
            return redirect(wanted, 303)
        if request.method == "GET":
            return page("login", next=wanted)
        try:
            attempts.ask(NOBODY, f"admin:{request.remote_addr}")
        except RequestError as error:
            return problem(_too_often(error.details["retry_after_s"]), "login", next=wanted)
        if not desk.sessions.is_key(request.form.get("key", "")):
            desk.note("refused")
            return problem(_wrong_key(), "login", next=wanted)
        g.session, g.cookie = desk.sessions.begin(signed_in=True)
        desk.note("login")
        return redirect(wanted, 303)

    @views.post("/logout")
    def logout() -> ResponseReturnValue:
        """End the session."""
        desk.note("logout")
        desk.sessions.end(g.session)
        g.session, g.cookie = desk.sessions.begin(signed_in=False)
        return to("login")

    for part in (insight, search, entries, imports):
        part.add_routes(views, desk)
    return views


def _is_own_form(desk: Desk) -> bool:
    return desk.sessions.is_own_form(g.session, request.form.get("csrf", ""))


def _set(response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path=request.script_root + "/admin",
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",
    )


def _own_page(path: str) -> str:
    """Where to go on after signing in: a page of this view, whatever a link says."""
    own = path.startswith("/admin/") and "//" not in path and "\\" not in path
    return request.script_root + path if own else url_for("admin.overview")


def _stale() -> RequestError:
    return RequestError(
        "forbidden",
        "页面已过期，没有保存。请返回、刷新后再试",
        "this page is out of date, nothing was saved: go back, reload it and try again",
    )


def _wrong_key() -> RequestError:
    return RequestError("wrong_key", "密钥不正确", "this is not the key")


def _too_often(wait: object) -> RequestError:
    return RequestError(
        "rate_limited",
        f"尝试次数过多，请在 {wait} 秒后再试",
        f"too many attempts: try again in {wait} seconds",
    )
