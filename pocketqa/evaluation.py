"""How good retrieval is on a question set: rankings, probabilities, speed.

The measures of ranking come from `ir_measures`; the expected calibration error is that of Guo et
al. (2017), of the probability that the top passage is relevant.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import indexing
from .beir import Dataset
from .errors import PocketQAError
from .indexing import Progress
from .passages import Hit
from .retriever import Retriever

DEPTH = 10
"""Hits that are looked at."""
BINS = 10
"""Of equal width, of the probability."""
FIGURES = "hit@1 hit@5 hit@10 mrr@10 ndcg@10 p50_ms p99_ms refused ece".split()
"""What is reported of a set, in this order."""


@dataclass(frozen=True)
class Answer:
    """What a query found, best first, and the milliseconds that it took."""

    hits: list[Hit]
    ms: float


@dataclass(frozen=True)
class Top:
    """The top passage of a query: the probability that it is relevant, and whether it is."""

    probability: float
    relevant: bool


@dataclass(frozen=True)
class Bin:
    """The queries whose probability is in a tenth: how many, the mean, the share of relevant."""

    n: int
    probability: float
    relevant: float


@dataclass(frozen=True)
class Report:
    """The figures of a set; `figures` has the keys of `FIGURES`."""

    name: str
    queries: int
    passages: int
    index_s: float
    index_mb: float
    figures: dict[str, float]
    tops: list[Top]

    def as_json(self) -> dict[str, Any]:
        """One object with all of it, but for the single queries."""
        return {
            "name": self.name, "queries": self.queries, "passages": self.passages,
            **self.figures, "index_s": self.index_s, "index_mb": self.index_mb,
        }  # fmt: skip


def evaluate(
    dataset: Dataset,
    min_score: float,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Build a temporary index of a set, ask its first `limit` queries, and measure.

    `progress` counts passages and queries together.
    """
    _measures()  # before the work, not after it
    asked = dict(list(dataset.queries.items())[:limit])
    total = len(dataset.passages) + len(asked)

    def step(done: int, _: int = 0) -> None:
        if progress:
            progress(done, total)

    with tempfile.TemporaryDirectory(prefix="pocketqa-eval-") as folder:
        began = time.perf_counter()
        indexing.build_index(dataset.passages, Path(folder), progress=step)
        took = time.perf_counter() - began
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        retriever = Retriever.open(Path(folder))
        try:
            # The first query of all also loads the dictionaries.
            retriever.retrieve("热身", DEPTH)
            answers = {}
            for number, (name, text) in enumerate(asked.items(), 1):
                answers[name] = answer(retriever, text)
                step(len(dataset.passages) + number)
        finally:
            retriever.close()
    tops = [top(each, dataset.qrels[name]) for name, each in answers.items()]
    figures = {**ranking(answers, dataset.qrels), **service(answers.values(), min_score)}
    figures["ece"] = round(calibration_error(tops), 4)
    return Report(
        dataset.name, len(asked), len(dataset.passages),
        round(took, 2), round(size / 1e6, 2), {name: figures[name] for name in FIGURES}, tops,
    )  # fmt: skip


def answer(retriever: Retriever, text: str) -> Answer:
    """Ask, and take the time."""
    began = time.perf_counter()
    hits = retriever.retrieve(text, DEPTH)
    return Answer(hits, 1000 * (time.perf_counter() - began))


def ranking(answers: dict[str, Answer], qrels: dict[str, dict[str, int]]) -> dict[str, float]:
    """hit@k, MRR@10 and nDCG@10, means over the queries; grades count in nDCG only."""
    ir = _measures()
    measures = {
        "hit@1": ir.Success @ 1, "hit@5": ir.Success @ 5, "hit@10": ir.Success @ 10,
        "mrr@10": ir.RR @ 10, "ndcg@10": ir.nDCG @ 10,
    }  # fmt: skip
    # Ranks, not scores: equal scores would be ordered by id.
    run = {
        name: {hit.passage.id: 1 / rank for rank, hit in enumerate(each.hits, 1)}
        for name, each in answers.items()
    }
    judged = {name: qrels[name] for name in answers}
    found = ir.calc_aggregate(list(measures.values()), judged, run)
    return {name: round(float(found[measure]), 4) for name, measure in measures.items()}


def service(answers: Iterable[Answer], min_score: float) -> dict[str, float]:
    """Milliseconds a query, and the share of queries that are refused."""
    found = list(answers)
    p50, p99 = np.percentile([each.ms for each in found], [50, 99])
    share = float(np.mean([is_refused(each.hits, min_score) for each in found]))
    return {
        "p50_ms": round(float(p50), 2),
        "p99_ms": round(float(p99), 2),
        "refused": round(share, 4),
    }


def is_refused(hits: Sequence[Hit], min_score: float) -> bool:
    """Whether a question that has found `hits` is not answered from the knowledge base."""
    return not hits or hits[0].score < min_score


def top(found: Answer, grades: dict[str, int]) -> Top:
    """The top passage; where nothing was found, nothing relevant with certainty."""
    if not found.hits:
        return Top(0.0, False)
    best = found.hits[0]
    return Top(best.score, grades.get(best.passage.id, 0) > 0)


def bins(tops: Sequence[Top]) -> list[Bin]:
    """`BINS` bins of equal width, less those that are empty; 1 is in the last."""
    parts: list[list[Top]] = [[] for _ in range(BINS)]
    for each in tops:
        parts[min(int(each.probability * BINS), BINS - 1)].append(each)
    return [
        Bin(
            len(part),
            float(np.mean([each.probability for each in part])),
            float(np.mean([each.relevant for each in part])),
        )
        for part in parts
        if part
    ]


def calibration_error(tops: Sequence[Top]) -> float:
    """The expected calibration error: how far probability and share lie apart, over all bins."""
    apart = sum(each.n * abs(each.probability - each.relevant) for each in bins(tops))
    return apart / max(1, len(tops))


def _measures() -> Any:
    try:
        import ir_measures
    except ImportError as error:
        raise PocketQAError(
            "missing_package",
            "评测需要 ir-measures，请运行 pip install ir-measures",
            "evaluation needs ir-measures: run pip install ir-measures",
        ) from error
    return ir_measures
