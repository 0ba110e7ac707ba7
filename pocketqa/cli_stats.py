"""`pocketqa stats`: what people ask, what has no answer yet, what they think of the answers."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .errors import PocketQAError

if TYPE_CHECKING:
    from .storage.statistics import Asked, Count, Feedback, Figures

DAY_S = 86_400
BAR = 40
WIDTH = 100
_PARTS = re.compile(r"[|｜\n]")  # what the import parts similar questions at


@click.command()
@click.option("--days", default=30, type=click.IntRange(0), help="the last days; 0: all")
@click.option("--limit", default=20, type=click.IntRange(1), help="questions shown of each kind")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
@click.option(
    "--unanswered",
    type=click.Path(path_type=Path, dir_okay=False),
    help="write the unanswered questions to this CSV, for `pocketqa kb add`",
)
def stats(days: int, limit: int, as_json: bool, unanswered: Path | None) -> None:
    """Figures over the questions that came: most frequent, unanswered, feedback, hours."""
    from .config import load
    from .storage import Database, Statistics

    statistics = Statistics(Database(load().database))
    since = time.time() - days * DAY_S if days else 0.0
    missing = statistics.unanswered(since)
    if unanswered:
        _write(unanswered, missing)
        click.echo(f"{len(missing)} 个问题已写入 / questions written: {unanswered}", err=True)
        return
    figures, hours = statistics.figures(since), statistics.hours(since)
    top, feedback = statistics.top(since, limit), statistics.feedback(since, limit)
    if as_json:
        found = {
            "days": days,
            "figures": asdict(figures),
            "top": [asdict(each) for each in top],
            "unanswered": [asdict(each) for each in missing[:limit]],
            "feedback": [asdict(each) for each in feedback],
            "hours": [asdict(each) for each in hours],
        }
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    click.echo(f"最近 {days} 天 / the last {days} days" if days else "全部 / all")
    click.echo("\n".join(_totals(figures)))
    _list("最常问 most frequent", [_asked(each) for each in top])
    _list("没有答案 without an answer", [_asked(each) for each in missing[:limit]])
    _list("评价 feedback", [_voted(each) for each in feedback])
    _list("时段 hours", list(_bars(hours)))


def _list(name: str, rows: Sequence[str]) -> None:
    if rows:
        click.echo("\n".join(("", name, *(f"  {row}" for row in rows))))


def _totals(figures: Figures) -> Iterator[str]:
    questions, answered = figures.questions, figures.answered
    part = f" ({100 * answered / questions:.0f} %)" if questions else ""
    yield f"问题 questions {questions}，已答 answered {answered}{part}，"
    yield (
        f"没有答案 unanswered {figures.refused}，闲聊 small talk {figures.smalltalk}，"
        f"被停止 stopped {figures.stopped}，中断 cut {figures.cut}，出错 errors {figures.errors}"
    )
    yield (
        f"好评 up {figures.up}，差评 down {figures.down}，对话 dialogues {figures.dialogues}，"
        f"提问者 askers {figures.owners}"
    )
    if figures.first_p50_s is not None:
        yield (f"首字 first text: p50 {figures.first_p50_s:.2f} s，p95 {figures.first_p95_s:.2f} s")


def _asked(asked: Asked) -> str:
    return f"{asked.times:>5}  {_flat(asked.question)}"


def _voted(each: Feedback) -> str:
    sign = "👍" if each.vote == "up" else "👎"
    return f"{sign}  {_flat(each.question)}" + (f"  —  {_flat(each.reason)}" if each.reason else "")


def _bars(hours: Sequence[Count]) -> Iterator[str]:
    most = max(count.questions for count in hours)
    for count in hours if most else ():
        bar = "█" * round(BAR * count.questions / most)
        yield f"{count.bucket:02}  {bar} {count.questions or ''}".rstrip()


def _flat(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"


def _write(file: Path, missing: Sequence[Asked]) -> None:
    """The import's columns with the answers left open, and two more that it leaves out."""
    from .export import HEADER
    from .storage.transcripts import line, moment

    rows = [line((*HEADER, "次数", "最近"))]
    for each in missing:
        question = " ".join(each.question.split())
        similar = "|".join(text for text in each.similar if not _PARTS.search(text))
        rows.append(line((question, "", similar, "", "", str(each.times), moment(each.last))))
    try:
        file.write_bytes(("\ufeff" + "".join(rows)).encode())
    except OSError as error:
        raise PocketQAError(
            "not_written",
            f"{file} 无法写入：{error.strerror}",
            f"{file} cannot be written: {error.strerror}",
        ) from error
