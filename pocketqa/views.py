"""HTTP routes: the page, health, readiness."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request

from . import __version__
from .deployment import is_loopback
from .identity import COOKIE, COOKIE_S, Cookies
from .metrics import CONTENT_TYPE, Metrics


@dataclass(frozen=True)
class Page:
    """What the page shows before anybody has asked.

    Attributes:
        styles: what the first paint needs, in the page itself: it waits for no other file.
        examples: gives questions to begin with.
    """

    title: str
    styles: str
    examples: Callable[[], Sequence[str]]


def blueprint(
    page: Page,
    readiness: Callable[[], dict[str, Any]],
    cookies: Cookies,
    metrics: Metrics,
    admin_key: str = "",
) -> Blueprint:
    """The routes.

    Args:
        readiness: returns `{"ready": bool, …}` for `/ready`.
        admin_key: with it `/metrics` may be read from elsewhere than this machine.
    """
    views = Blueprint("views", __name__)

    @views.get("/")
    def index() -> Response:
        """The chat page; a browser without a valid cookie gets one."""
        text = render_template(
            "index.html",
            version=__version__,
            title=page.title,
            styles=page.styles,
            examples=page.examples(),
            embedded=request.args.get("embed") == "1",
        )
        response = make_response(text)
        cookie = request.cookies.get(COOKIE, "")
        known_by = cookie if cookies.read(cookie) else cookies.new()
        framed = request.is_secure and _is_in_a_frame_of_another_site()
        response.set_cookie(
            COOKIE,
            known_by,
            COOKIE_S,
            secure=request.is_secure,
            httponly=True,
            samesite="None" if framed else "Lax",
            partitioned=framed,  # known on that other site only
        )
        # A cache that several people share must not hand one's cookie to another.
        response.headers["Cache-Control"] = "private, no-store"
        return response

    @views.get("/health")
    def health() -> dict[str, str]:
        """The process lives and its hub is free."""
        return {"status": "ok", "version": __version__}

    @views.get("/ready")
    def ready() -> tuple[dict[str, Any], int]:
        """The model is loaded and the index is open."""
        state = readiness()
        return state, 200 if state["ready"] else 503

    @views.get("/metrics")
    def figures() -> Response | tuple[str, int]:
        """For Prometheus on this machine, or for whoever has the admin key."""
        if not _may_see_figures(request.remote_addr, admin_key):
            return "Authorization: Bearer POCKETQA_ADMIN_KEY\n", 403
        return Response(metrics.render(), content_type=CONTENT_TYPE)

    return views


def _may_see_figures(address: str | None, admin_key: str) -> bool:
    if is_loopback(address or ""):
        return True
    shown = request.authorization
    token = shown.token or "" if shown and shown.type == "bearer" else ""
    return bool(admin_key) and hmac.compare_digest(token.encode(), admin_key.encode())


def _is_in_a_frame_of_another_site() -> bool:
    headers = request.headers
    return (
        headers.get("Sec-Fetch-Dest") in ("iframe", "frame")
        and headers.get("Sec-Fetch-Site") == "cross-site"
    )
