"""HTTP routes: the page, health, readiness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, render_template, request

from . import __version__


def blueprint(readiness: Callable[[], dict[str, Any]]) -> Blueprint:
    """The routes. `readiness` returns `{"ready": bool, …}` for `/ready`."""
    views = Blueprint("views", __name__)

    @views.get("/")
    def page() -> str:
        """The chat page."""
        embedded = request.args.get("embed") == "1"
        return render_template("index.html", version=__version__, embedded=embedded)

    @views.get("/health")
    def health() -> dict[str, str]:
        """The process lives and its hub is free."""
        return {"status": "ok", "version": __version__}

    @views.get("/ready")
    def ready() -> tuple[dict[str, Any], int]:
        """The model is loaded and the index is open."""
        state = readiness()
        return state, 200 if state["ready"] else 503

    return views
