"""`pocketqa eval answers`: measure what is answered, and show two runs beside each other."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .errors import PocketQAError
from .protocol import EVENTS

if TYPE_CHECKING:
    from .answer_evaluation import Report
    from .answer_runs import Changed, Comparison
    from .engine import Engine
    from .engine.remote import RemoteEngine

_FILE = click.Path(path_type=Path, dir_okay=False)
_MEANINGS = {
    "questions": "问题数",
    "errors": "出错的问题数，不计入其他数字",
    "skipped": "没有 answers 而跳过的问题数",
    "gold_recall": "标准答案的字，回答按顺序说出的比例",
    "char_f1": "与标准答案按字比较的 F1",
    "cmrc_f1": "CMRC 2018 的 F1，只计最长的连续片段",
    "smalltalk": "寒暄的比例",
    "refused": "拒答的比例",
    "curated": "直接给出现成答案的比例",
    "generated": "模型生成的比例",
    "extracted": "摘自原文的比例",
    "ungrounded": "没有依据的数字个数",
    "ungrounded_answers": "含有这种数字的回答数",
    "first_p50_s": "首字等待，秒，中位数",
    "first_p95_s": "首字等待，秒，95 分位",
    "characters_s": "每秒生成的字数，合计",
    "tokens_s": "每秒生成的 token 数，合计",
    "took_s": "用时，秒",
    "outside": "范围外的问题数",
    "outside_refused": "其中正确拒答的比例",
    "characters": "回答的字数",
    "first_s": "首字等待，秒，平均",
}


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR…")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a set")
@click.option("--limit", type=click.IntRange(1), help="only the first questions of each set")
@click.option("--split", help="only questions with this value of the field split")
@click.option(
    "--event",
    type=click.Choice(list(EVENTS)),
    default="CHAT_CS",
    show_default=True,
    help="who answers, as in the protocol",
)
@click.option("--out-of-scope", "outside", type=_FILE, help="questions that should be refused")
@click.option("--save", type=_FILE, metavar="RUN.json", help="keep every answer of this run")
@click.option("--against", type=_FILE, metavar="RUN.json", help="show a kept run beside this one")
@click.option(
    "--at-once", default=8, show_default=True, type=click.IntRange(1, 256), help="asked at a time"
)
def answers(
    folders: tuple[Path, ...],
    as_json: bool,
    limit: int | None,
    split: str | None,
    event: str,
    outside: Path | None,
    save: Path | None,
    against: Path | None,
    at_once: int,
) -> None:
    """Measure answers on sets of the BEIR layout; the knowledge base is not touched.

    Each DIR holds corpus.jsonl, and queries.jsonl with a list of right answers in the field
    answers. Each question is answered by the configured model, as the server does it, from an index
    of that corpus. --out-of-scope takes questions one a line, or JSONL with text.
    """
    from . import answer_runs, beir, queries
    from .answer_evaluation import limited, measure
    from .config import load

    # Everything that can be wrong is found before the model is loaded.
    config = load()
    config = load(queue_size=max(config.queue_size, at_once))
    sets = [limited(beir.load_answers(folder, split), limit) for folder in folders]
    others = queries.read(outside) if outside else []
    before = answer_runs.load(against) if against else None
    if save:
        answer_runs.check_writable(save)
    used = answer_runs.settings(config, event=event, at_once=at_once)
    reports: list[Report] = []
    engine = _ready_engine(config)
    try:
        for each in sets:
            with _bar(each.name, len(each.questions) + len(others)) as bar:
                report = measure(each, others, config, engine, event, at_once, bar.update)
            reports.append(report)
            compared = answer_runs.compare(before, report, used) if before else None
            _show(report, compared, as_json, against)
            if save:
                answer_runs.save(save, used, reports)
    finally:
        engine.close()


def _ready_engine(config: Any) -> Engine | RemoteEngine:
    from . import app

    engine = app.start_engine(config)
    try:
        engine.wait()
        if isinstance(engine.failure, PocketQAError):
            raise engine.failure
    except BaseException:
        engine.close()
        raise
    return engine


def _bar(name: str, total: int) -> Any:
    from tqdm import tqdm

    return tqdm(desc=name, total=total, disable=None, leave=False, file=sys.stderr)


def _show(report: Report, compared: Comparison | None, as_json: bool, against: Path | None) -> None:
    if as_json:
        more = {"against": compared.as_json() if compared else None} if against else {}
        click.echo(json.dumps({**report.as_json(), **more}, ensure_ascii=False))
        return
    click.echo(f"{report.name}  {report.event}")
    for name, value in report.figures().items():
        click.echo(f"  {name:<20}{_number(value):>10}  {_MEANINGS[name]}")
    _show_errors(report)
    if compared:
        _compare(compared)
    elif against:
        click.echo(f"  {against} 中没有这个集合 / has no set {report.name}")


def _show_errors(report: Report) -> None:
    failed = [row for row in (*report.rows, *report.outside) if row.error]
    for row in failed[:5]:
        click.echo(f"  出错 error  {row.id}  {row.question}  {row.error}")


def _compare(compared: Comparison) -> None:
    """The kept run beside this one: only the questions that both have."""
    click.echo(f"  {compared.pairs} 个问题两次都有 / questions in both runs")
    for name, (old, new) in compared.settings.items():
        click.echo(f"  {name}: {old} -> {new}")
    click.echo(f"  {'':<20}{'before':>10}{'now':>10}{'change':>10}  ± error")
    for name, each in compared.differences.items():
        error = "" if each.error is None else f"  ± {each.error:.4f}"
        figures = "".join(f"{_number(value):>10}" for value in (each.before, each.now))
        click.echo(f"  {name:<20}{figures}{each.change:>+10.4f}{error}")
    for title, changed in (("变差 worse", compared.worse), ("变好 better", compared.better)):
        for question in changed:
            _show_changed(title, question)


def _show_changed(title: str, changed: Changed) -> None:
    click.echo(
        f"  {title}  {changed.id}  {changed.question}"
        f"  gold_recall {changed.gold_recall:+.3f}, char_f1 {changed.char_f1:+.3f}"
    )
    click.echo(f"    - {' '.join(changed.before.split())}\n    + {' '.join(changed.now.split())}")


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value}" if isinstance(value, int) else f"{value:.4f}"
