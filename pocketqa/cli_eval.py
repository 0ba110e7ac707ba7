"""`pocketqa eval`: measure retrieval, refusal and answers on question sets of your own."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .cli_eval_answers import answers

if TYPE_CHECKING:
    from .beir import Dataset
    from .evaluation import Report


@click.group("eval")
def evaluate() -> None:
    """Measure: rankings, probabilities, speed, refusals and answers on question sets."""


evaluate.add_command(answers)


@evaluate.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR…")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a set")
@click.option("--limit", type=click.IntRange(1), help="only the first queries of each set")
@click.option("--split", help="only queries with this value of the field split")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="draw calibration as PNG",
)
def retrieval(
    folders: tuple[Path, ...],
    as_json: bool,
    limit: int | None,
    split: str | None,
    plot: Path | None,
) -> None:
    """Measure retrieval on sets of the BEIR layout; the knowledge base is not touched.

    Each DIR holds corpus.jsonl, queries.jsonl and qrels/test.tsv. Without corpus.jsonl the demo
    knowledge is searched.
    """
    from . import beir, reliability
    from .config import load

    min_score = load().min_score
    sets = [beir.load(folder, split) for folder in folders]
    width = max(len("set"), *(len(each.name) for each in sets))
    reports: list[Report] = []
    for each in sets:
        report = _measure(each, min_score, limit)
        if as_json:
            click.echo(json.dumps(report.as_json(), ensure_ascii=False))
        else:
            _show(report, width, header=not reports)
        reports.append(report)
    if plot:
        reliability.draw(reports, plot)


@evaluate.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
@click.option("--split", help="only questions with this value of the field split")
def refusal(file: Path, as_json: bool, split: str | None) -> None:
    """How many questions of FILE the knowledge base refuses, by kind.

    FILE is JSONL: text, and if you like kind and split.
    """
    from . import indexing, queries
    from .config import load
    from .evaluation import is_refused

    config = load()
    retriever = indexing.open_index(config)
    kinds: dict[str, list[bool]] = defaultdict(list)
    for number, row in queries.rows(file):
        if split is None or row.get("split") == split:
            hits = retriever.retrieve(queries.string(row, "text", file, number), 1)
            kinds[str(row.get("kind", "-"))].append(is_refused(hits, config.min_score))
    kinds["all"] = [each for part in kinds.values() for each in part]
    counts = {kind: {"n": len(part), "refused": sum(part)} for kind, part in kinds.items()}
    if as_json:
        click.echo(json.dumps(counts, ensure_ascii=False))
        return
    for kind, count in counts.items():
        share = count["refused"] / max(1, count["n"])
        click.echo(f"{kind:<16}{count['refused']:>6} / {count['n']:<6}{share:>7.1%}")


def _measure(dataset: Dataset, min_score: float, limit: int | None) -> Report:
    from tqdm import tqdm

    from .evaluation import evaluate

    with tqdm(desc=dataset.name, disable=None, leave=False, file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return evaluate(dataset, min_score, limit, progress)


def _show(report: Report, width: int, header: bool) -> None:
    """A line of the table, under its header the first time."""
    columns = {"queries": f"{report.queries}", "passages": f"{report.passages}"}
    for name, value in report.figures.items():
        columns[name] = f"{value:.2f}" if name.endswith("_ms") else f"{value:.4f}"
    columns |= {"index_s": f"{report.index_s:.1f}", "index_mb": f"{report.index_mb:.1f}"}
    if header:
        click.echo(f"{'set':<{width}}" + "".join(f"{name:>9}" for name in columns))
    click.echo(f"{report.name:<{width}}" + "".join(f"{value:>9}" for value in columns.values()))
