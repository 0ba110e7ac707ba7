"""`/admin/search`: what is found for a question, and why it ranks where it does."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from ..explaining import Explanation, Why, explain
from ..grounded import NEAR_BEST
from .desk import Desk, page

SHOWN = 10
TERMS = 12
"""Terms that are shown of a hit."""


def add_routes(views: Blueprint, desk: Desk) -> None:
    """Add the routes of searching."""

    @views.get("/search")
    def search() -> ResponseReturnValue:
        """Search as answering does, and explain."""
        text = request.args.get("q", "").strip()[:4000]
        found = (
            desk.worker.run(desk.live.call, lambda it: explain(it, text, SHOWN)) if text else None
        )
        verdicts = _verdicts(found, desk) if found else []
        return page(
            "search",
            q=text,
            found=found,
            verdicts=verdicts,
            terms=TERMS,
            least=desk.config.min_score,
        )


def _verdicts(found: Explanation, desk: Desk) -> list[str]:
    """What answering does with each hit: `used`, `refused`, `far` from the best, or `behind`."""
    return [_verdict(why, at, found, desk) for at, why in enumerate(found.hits)]


def _verdict(why: Why, at: int, found: Explanation, desk: Desk) -> str:
    if found.hits[0].hit.score < desk.config.min_score:
        return "refused"
    if why.hit.relevance < NEAR_BEST:
        return "far"
    return "used" if at < desk.config.passages else "behind"
