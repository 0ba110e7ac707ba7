"""Ours, plain Whoosh, bm25s, tantivy and SQLite FTS5 on the same passages, in one run.

    python benchmarks/retrieval.py [--json] [--passages N] [--sets DIR…] [--limit N]
                                   [--engines NAME…] [--no-hub]

Speed on a made corpus of N passages (`corpus.py`) together with those of the sets; nDCG@10 on its
questions, and on each set (BEIR layout, default: those of ../shared/data) alone. Each engine is
built in a process of its own and asked in another, in one thread. Last, how late our server's hub
is while it searches the same index.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # the processes inherit it
    os.environ.setdefault(name, "1")

import psutil  # noqa: E402
from corpus import Query, Row, make  # noqa: E402
from engines import ENGINES  # noqa: E402

from pocketqa import beir  # noqa: E402

SETS = Path(__file__).resolve().parents[2] / "shared" / "data"
DEPTH = 10
FEW = 50
"""Questions that Whoosh is asked on the large corpus: it takes seconds for one."""

Qrels = dict[str, dict[str, int]]


def main() -> None:
    """Measure and print."""
    options = parse()
    sets = [beir.load(folder) for folder in options.sets]
    rows, queries = make(options.passages)
    everything = rows + [
        Row(f"{each.name}/{passage.id}", passage.title, passage.text)
        for each in sets
        for passage in each.passages
    ]
    report: dict[str, Any] = {"passages": len(everything), "queries": len(queries)}
    report["load_before"] = round(os.getloadavg()[0], 2)
    report["engines"] = {}
    with tempfile.TemporaryDirectory(prefix="pocketqa-bench-") as folder:
        for engine in options.engines:
            at = Path(folder) / engine
            found = measure(engine, everything, queries, at)
            found |= {each.name: quality(engine, each, at, options.limit) for each in sets}
            report["engines"][engine] = found
            print(engine, found, file=sys.stderr, flush=True)
        if "ours" in options.engines:
            report["ratios"] = ratios(report["engines"])
            if options.hub:
                report["hub"] = hub(Path(folder) / "ours" / "made", queries)
    print(json.dumps(report, ensure_ascii=False) if options.json else shown(report))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--passages", type=int, default=20_000)
    default = sorted(at.parent for at in SETS.glob("*/corpus.jsonl"))
    parser.add_argument("--sets", type=Path, nargs="*", default=default)
    parser.add_argument("--limit", type=int, help="queries of each set; default: all")
    parser.add_argument("--engines", nargs="*", default=list(ENGINES), choices=list(ENGINES))
    parser.add_argument("--no-hub", dest="hub", action="store_false")
    return parser.parse_args()


def measure(engine: str, rows: list[Row], queries: list[Query], folder: Path) -> dict[str, float]:
    """Figures on the large corpus."""
    at = folder / "made"
    built = apart(build, engine, rows, at)
    texts = [query.text for query in queries[: FEW if engine == "whoosh-or" else None]]
    asked = apart(ask, engine, texts, at)
    times = sorted(asked["ms"])
    qrels = {query.id: {query.passage: 1} for query in queries[: len(texts)]}
    run = dict(zip(qrels, asked["found"], strict=True))
    return {
        "p50_ms": round(times[len(times) // 2], 2),
        "p99_ms": round(times[int(len(times) * 0.99)], 2),
        "build_s": round(built["seconds"], 1),
        "build_mb": round(built["mb"]),
        "memory_mb": round(asked["mb"]),
        "mapped_mb": round(asked["mapped_mb"]),
        "index_mb": round(size(at)),
        "made": ndcg(qrels, run),
    }


def quality(engine: str, dataset: beir.Dataset, folder: Path, limit: int | None) -> float:
    """nDCG@10 on a set alone, of its first `limit` queries."""
    at = folder / dataset.name
    queries = dict(list(dataset.queries.items())[:limit])
    apart(build, engine, [Row(p.id, p.title, p.text) for p in dataset.passages], at)
    asked = apart(ask, engine, list(queries.values()), at)
    qrels = {name: dataset.qrels[name] for name in queries}
    return ndcg(qrels, dict(zip(queries, asked["found"], strict=True)))


def ndcg(qrels: Qrels, run: dict[str, Sequence[str]]) -> float:
    """nDCG@10 of rankings."""
    import ir_measures

    scores = {
        query: {name: 1 / rank for rank, name in enumerate(found, 1)}
        for query, found in run.items()
    }
    found = ir_measures.calc_aggregate([ir_measures.nDCG @ DEPTH], qrels, scores)
    return round(found[ir_measures.nDCG @ DEPTH], 4)


def apart(function: Any, *arguments: Any) -> Any:
    """The result of a function that runs in a new process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def build(engine: str, rows: list[Row], folder: Path) -> dict[str, float]:
    """Build an index: seconds, and megabytes at the peak above those at the start."""
    import resource

    folder.mkdir(parents=True)
    before = psutil.Process().memory_info().rss
    began = time.perf_counter()
    ENGINES[engine][0](rows, folder)
    took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": took, "mb": (peak - before) / 1e6}


def ask(engine: str, queries: list[str], folder: Path) -> dict[str, Any]:
    """Ask: milliseconds and ids of each query, megabytes that open index and queries have taken."""
    before = psutil.Process().memory_info()
    search = ENGINES[engine][1](folder)
    search("热身", DEPTH)  # dictionaries are loaded with the first query
    times, found = [], []
    for query in queries:
        began = time.perf_counter()
        found.append(search(query, DEPTH))
        times.append(1000 * (time.perf_counter() - began))
    after = psutil.Process().memory_info()
    mapped = getattr(after, "shared", 0) - getattr(before, "shared", 0)
    return {
        "ms": times,
        "found": found,
        "mb": (after.rss - before.rss) / 1e6,
        "mapped_mb": mapped / 1e6,
    }


def hub(index: Path, queries: list[Query]) -> dict[str, Any]:
    """How late the hub of a server over `index` is, under 20 queries a second."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    from load import lateness

    return lateness(index, [query.text for query in queries], seconds=20)


def ratios(engines: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Of each other engine its times by ours, and ours by its nDCG."""
    ours = engines["ours"]
    lower = ("p50_ms", "p99_ms", "build_s", "memory_mb", "index_mb")
    return {
        name: {
            key: round(value / (ours[key] or 1), 2) if key in lower else round(ours[key] / value, 3)
            for key, value in figures.items()
            if value and key not in ("build_mb", "mapped_mb")
        }
        for name, figures in engines.items()
        if name != "ours"
    }


def size(folder: Path) -> float:
    """Megabytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def shown(report: dict[str, Any]) -> str:
    """The table in Markdown, with what the others need for one of ours in brackets."""
    engines = report["engines"]
    columns = list(next(iter(engines.values())))
    lines = [
        f"{report['passages']} passages, {report['queries']} queries, "
        f"load {report['load_before']}\n",
        "| | " + " | ".join(columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for name, figures in engines.items():
        ratio = report.get("ratios", {}).get(name, {})
        cells = [f"{figures[k]}" + (f" ({ratio[k]})" if k in ratio else "") for k in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, *(f"\n{k}: {v}" for k, v in report.get("hub", {}).items())])


if __name__ == "__main__":
    main()
