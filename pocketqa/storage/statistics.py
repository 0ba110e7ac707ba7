"""What an operator wants to know of the questions that came: figures over the turns that are kept.

Wordings that differ in spelling, punctuation and particles only count as one question.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, case, func, select

from ..analysis import without_particles
from .database import Database
from .schema import dialogues, turns

ASKED = ("CHAT_CS", "QA_CS")
"""Events that ask something of the knowledge base."""
MAX_SIMILAR = 10
_ENDED = turns.c.state != "running"
_IS_ASKED = turns.c.event.in_(ASKED) & (turns.c.upload_id == "")
_ERROR = turns.c.state == "error"
_REFUSED = (turns.c.way == "refused") & ~_ERROR


@dataclass(frozen=True)
class Asked:
    """A question in its most frequent wording, how often it came, and how else it was put."""

    question: str
    times: int
    last: float
    similar: tuple[str, ...] = ()


@dataclass(frozen=True)
class Feedback:
    """What somebody thinks of an answer."""

    question: str
    answer: str
    vote: str
    reason: str
    created: float
    request_id: str
    way: str


@dataclass(frozen=True)
class Count:
    """Turns of an hour of the day, 0 to 23, or of a day, 2026-11-26; local time."""

    bucket: int | str
    answered: int = 0
    refused: int = 0
    errors: int = 0

    @property
    def questions(self) -> int:
        """All of them."""
        return self.answered + self.refused + self.errors


@dataclass(frozen=True)
class Figures:
    """Totals over the turns of all events; times to the first text in seconds, None of none."""

    questions: int
    answered: int
    refused: int
    smalltalk: int
    stopped: int
    cut: int
    errors: int
    up: int
    down: int
    dialogues: int
    owners: int
    first_p50_s: float | None
    first_p95_s: float | None


class Statistics:
    """Counts turns since a time; each call looks at all of them, off the way of the answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def figures(self, since: float = 0) -> Figures:
        """The totals."""
        is_new = turns.c.created >= since
        sums = select(
            func.count().label("questions"),
            _times("answered", turns.c.way.not_in(("refused", "smalltalk")) & ~_ERROR),
            _times("refused", _REFUSED),
            _times("smalltalk", turns.c.way == "smalltalk"),
            _times("stopped", turns.c.state == "abort"),
            _times("cut", turns.c.state == "cut"),
            _times("errors", _ERROR),
            _times("up", turns.c.vote == "up"),
            _times("down", turns.c.vote == "down"),
            func.count(turns.c.dialogue_id.distinct()).label("dialogues"),
        ).where(is_new, _ENDED)
        owners = (
            select(func.count(dialogues.c.owner.distinct()))
            .select_from(turns.join(dialogues, turns.c.dialogue_id == dialogues.c.id))
            .where(is_new, _ENDED)
        )
        first = select(turns.c.first_s).where(is_new, turns.c.first_s.is_not(None))
        row, people, times = self._database.study(
            lambda connection: (
                connection.execute(sums).one(),
                connection.execute(owners).scalar_one(),
                sorted(connection.execute(first).scalars()),
            )
        )
        return Figures(
            **{name: int(value or 0) for name, value in row._mapping.items()},
            owners=people,
            first_p50_s=_part(times, 0.5),
            first_p95_s=_part(times, 0.95),
        )

    def top(self, since: float = 0, limit: int = 20) -> list[Asked]:
        """The questions that came most often."""
        return self._asked(since, limit, turns.c.way != "smalltalk")

    def unanswered(self, since: float = 0, limit: int | None = None) -> list[Asked]:
        """The questions to which the knowledge base had no answer, the most frequent first."""
        return self._asked(since, limit, _REFUSED)

    def feedback(self, since: float = 0, limit: int = 100) -> list[Feedback]:
        """The answers that somebody voted on, the latest vote first."""
        columns = (
            turns.c.question, turns.c.answer, turns.c.vote, turns.c.reason, turns.c.created,
            turns.c.request_id, turns.c.way,
        )  # fmt: skip
        voted = (
            select(*columns)
            .where(turns.c.vote != "", turns.c.created >= since)
            .order_by(turns.c.voted.desc())
            .limit(limit)
        )
        rows = self._database.study(lambda connection: connection.execute(voted).all())
        return [Feedback(*row) for row in rows]

    def hours(self, since: float = 0) -> list[Count]:
        """Turns of each of the 24 hours of the day."""
        counted = self._counted(since, lambda at: at.tm_hour)
        return [_count(hour, counted) for hour in range(24)]

    def days(self, since: float = 0) -> list[Count]:
        """Turns of each day on which there were any, in order."""
        counted = self._counted(since, lambda at: time.strftime("%Y-%m-%d", at))
        return [_count(day, counted) for day in sorted({day for day, _ in counted})]

    def _asked(
        self, since: float, limit: int | None, condition: ColumnElement[bool]
    ) -> list[Asked]:
        wordings = (
            select(turns.c.question, func.count(), func.max(turns.c.created))
            .where(turns.c.created >= since, _ENDED, _IS_ASKED, condition)
            .group_by(turns.c.question)
        )
        rows = self._database.study(lambda connection: connection.execute(wordings).all())
        return _merged(rows)[:limit]

    def _counted(
        self, since: float, bucket: Callable[[time.struct_time], Any]
    ) -> Counter[tuple[Any, str]]:
        kind = case((_ERROR, "errors"), (_REFUSED, "refused"), else_="answered")
        each = select(turns.c.created, kind).where(turns.c.created >= since, _ENDED)
        rows = self._database.study(lambda connection: connection.execute(each).all())
        return Counter((bucket(time.localtime(created)), kind) for created, kind in rows)


def _times(name: str, condition: ColumnElement[bool]) -> ColumnElement[Any]:
    """How often a condition holds."""
    return func.sum(case((condition, 1), else_=0)).label(name)


def _part(times: list[float], part: float) -> float | None:
    return times[min(len(times) - 1, int(len(times) * part))] if times else None


def _merged(rows: Iterable[Any]) -> list[Asked]:
    """(wording, times, last) with wordings of one question put together."""
    groups: dict[str, list[tuple[int, float, str]]] = {}
    for question, times, last in rows:
        groups.setdefault(without_particles(question), []).append((times, last, question))
    found = []
    for group in groups.values():
        group.sort(reverse=True)
        similar = tuple(question for _, _, question in group[1 : MAX_SIMILAR + 1])
        total, latest = sum(times for times, _, _ in group), max(last for _, last, _ in group)
        found.append(Asked(group[0][2], total, latest, similar))
    return sorted(found, key=lambda asked: (-asked.times, -asked.last))


def _count(bucket: Any, counted: Counter[tuple[Any, str]]) -> Count:
    names = ("answered", "refused", "errors")
    return Count(bucket, *(counted[bucket, name] for name in names))
