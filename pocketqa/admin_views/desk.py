"""What the operator's view works with, and what all of its pages share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from .. import __version__
from ..changes import Changes
from ..config import Config
from ..errors import PocketQAError
from ..live import Live
from ..storage import Statistics
from ..threads import Worker
from .sessions import Sessions

T = TypeVar("T")

LANGUAGE = "pocketqa_admin_lang"
STATUS = {
    "index_locked": 409,
    "changed_meanwhile": 409,
    "question_exists": 409,
    "not_found": 404,
    "no_index": 404,
    "forbidden": 403,
    "rate_limited": 429,
    "file_too_large": 413,
    "index_unwritable": 507,
    "internal": 500,
}
"""The HTTP status of an error; 422 for what is not here."""


@dataclass(frozen=True)
class Desk:
    """The parts of the server that an operator sees and changes.

    Attributes:
        state: how the server is doing, as `/ready` says it.
        figures: what it is doing now, see `Metrics.figures`.
        worker: the thread in which the index is read and changed, off the hub.
    """

    config: Config
    live: Live
    statistics: Statistics
    sessions: Sessions
    changes: Changes
    state: Callable[[], dict[str, Any]]
    figures: Callable[[], dict[str, float]]
    worker: Worker = field(default_factory=Worker)

    def note(self, action: str, what: str = "") -> None:
        """Write down what this session has done."""
        who = f"{g.session.id[:6]}@{request.remote_addr}"
        self.worker.run(self.changes.note, who, action, what)


def language() -> str:
    """Chinese, unless the operator has chosen English."""
    chosen = request.args.get("lang") or request.cookies.get(LANGUAGE)
    return "en" if chosen == "en" else "zh"


def say(zh: str, en: str) -> str:
    """The one of the two that the operator reads."""
    return en if language() == "en" else zh


def page(template: str, status: int = 200, **values: Any) -> ResponseReturnValue:
    """A page of the view."""
    shared = {
        "say": say,
        "lang": language(),
        "moment": moment,
        "version": __version__,
        "switch": {**request.args.to_dict(), "lang": "zh" if language() == "en" else "en"},
        **values,
    }
    return render_template(f"admin_{template}.html", **shared), status


def problem(error: PocketQAError, template: str = "error", **values: Any) -> ResponseReturnValue:
    """The page again, with what went wrong and what was entered."""
    status = STATUS.get(error.code, 422)
    return page(template, status, problem=error.message(language()), code=error.code, **values)


def to(endpoint: str, **values: Any) -> ResponseReturnValue:
    """Go on to another page, after a form."""
    return redirect(url_for(f"admin.{endpoint}", **values), 303)


def moment(at: float) -> str:
    """A time as people write it, in the server's zone."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
