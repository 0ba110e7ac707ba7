"""HTTP routes: the page, health, readiness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, render_template

from . import __version__

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'"
)


def blueprint(readiness: Callable[[], dict[str, Any]]) -> Blueprint:
    """The routes. `readiness` returns `{"ready": bool, …}` for `/ready`."""
    views = Blueprint("views", __name__)

    @views.get("/")
    def page() -> str:
        """The chat page."""
        return render_template("index.html", version=__version__)

    @views.get("/health")
    def health() -> dict[str, str]:
        """The process lives and its hub is free."""
        return {"status": "ok", "version": __version__}

    @views.get("/ready")
    def ready() -> tuple[dict[str, Any], int]:
        """The model is loaded and the index is open."""
        state = readiness()
        return state, 200 if state["ready"] else 503

    @views.after_app_request
    def secure(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    return views
