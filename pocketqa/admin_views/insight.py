"""`/admin`: figures, unanswered questions, feedback, and what was changed."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from ..export import HEADER
from ..storage.statistics import Count
from .charts import Chart, stacked
from .desk import Desk, page
from .now import present

PERIODS = (1, 7, 30, 90)
"""Days that figures may be of."""
SHOWN = 100
CHANGES = 200
_FORMULA = "=+-@\t\r"


def add_routes(views: Blueprint, desk: Desk) -> None:
    """Add the routes that only show."""

    @views.get("/")
    def overview() -> ResponseReturnValue:
        """Figures of a time, and how the server is doing now."""
        days = _days()
        since = time.time() - days * 86400
        statistics = desk.statistics
        by_day, by_hour = _each_day(statistics.days(since), days), statistics.hours(since)
        charts: list[tuple[str, Chart, list[Count]]] = [("hours", _chart(by_hour), by_hour)]
        if days > 1:
            charts.insert(0, ("days", _chart(by_day), by_day))
        return page(
            "overview",
            now=present(desk.state(), desk.figures()), figures=statistics.figures(since),
            days=days, periods=PERIODS, charts=charts, top=statistics.top(since, 10),
        )  # fmt: skip

    @views.get("/now")
    def now() -> ResponseReturnValue:
        """How the server is doing, for the overview to show anew."""
        return page("now", now=present(desk.state(), desk.figures()))

    @views.get("/unanswered")
    def unanswered() -> ResponseReturnValue:
        """Questions that the knowledge base had no answer to."""
        days = _days()
        found = desk.statistics.unanswered(time.time() - days * 86400, SHOWN)
        return page("unanswered", days=days, periods=PERIODS, found=found)

    @views.get("/unanswered.csv")
    def unanswered_file() -> Response:
        """The same in the form that is imported, with the answers to be filled in."""
        out = io.StringIO()
        out.write("\ufeff")
        writer = csv.writer(out)
        writer.writerow(HEADER)
        for asked in desk.statistics.unanswered(time.time() - _days() * 86400):
            writer.writerow(
                (_cell(asked.question), "", "|".join(map(_cell, asked.similar)), "", "")
            )
        return Response(
            out.getvalue().encode("utf-8", "replace"),
            mimetype="text/csv",
            headers={"Content-Disposition": 'attachment; filename="unanswered.csv"'},
        )

    @views.get("/feedback")
    def feedback() -> ResponseReturnValue:
        """What people think of answers."""
        days = _days()
        found = desk.statistics.feedback(time.time() - days * 86400, SHOWN)
        vote = request.args.get("vote", "")
        kept = [each for each in found if vote in ("", each.vote)]
        return page("feedback", days=days, periods=PERIODS, vote=vote, found=kept)

    @views.get("/changes")
    def changes() -> ResponseReturnValue:
        """What was changed here, and by whom."""
        return page("changes", found=desk.worker.run(desk.changes.latest, CHANGES))


def _each_day(counted: list[Count], days: int) -> list[Count]:
    """The last `days` days, also those on which nobody asked."""
    found = {each.bucket: each for each in counted}
    noon = time.mktime((*time.localtime()[:3], 12, 0, 0, 0, 0, -1))
    wanted = [noon - back * 86400 for back in range(days - 1, -1, -1)]
    names = [time.strftime("%Y-%m-%d", time.localtime(at)) for at in wanted]
    return [found.get(name, Count(name)) for name in names]


def _days() -> int:
    days = request.args.get("days", 7, int)
    return days if days in PERIODS else 7


def _chart(counts: list[Count]) -> Chart:
    return stacked([(_label(each.bucket), _kinds(each)) for each in counts])


def _kinds(count: Count) -> dict[str, int]:
    return {"answered": count.answered, "refused": count.refused, "errors": count.errors}


def _label(bucket: Any) -> str:
    return bucket[5:] if isinstance(bucket, str) else f"{bucket}"


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula: strangers wrote it. Reading drops the space."""
    return f" {text}" if text.startswith(tuple(_FORMULA)) else text
