"""The ranking's part of `fit.py`: questions with their candidates, and weights fitted to them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from pocketqa import ranking
from pocketqa.indexing import build_index
from pocketqa.passages import Passage, read
from pocketqa.question import parse
from pocketqa.ranking import LIKENESS, Candidates, Weights
from pocketqa.retriever import MAX_QUESTION, Retriever

ROOT = Path(__file__).resolve().parent.parent
START = Weights(0.9, 1.0, 0.1, 0.0, 0.08, 0.08, 0.03)
RIDGE = 0.05
STEPS = (0.3, 0.1, 0.05, 0.02)
ROUNDS = 3


@dataclass(frozen=True)
class Asked:
    """A question of a set, with its gold, and what search makes of it."""

    text: str
    gains: dict[str, float]
    split: str
    candidates: Candidates
    ids: tuple[str, ...]


def open_set(path: Path, folder: Path) -> tuple[Path, Retriever]:
    """Index a set's corpus, or the demo knowledge where it has none."""
    corpus = path / "corpus.jsonl"
    if corpus.exists():
        passages = [
            Passage(row["_id"], row.get("title", ""), row["text"], kind="document")
            for row in rows(corpus)
        ]
    else:
        passages = read([ROOT / "knowledge"])[0]
    build_index(passages, folder)
    return path, Retriever.open(folder)


def ask(path: Path, retriever: Retriever, weights: Weights = START) -> Iterator[Asked]:
    """Every question of a set that has gold."""
    gains: dict[str, dict[str, float]] = {}
    for line in (path / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, passage, gain = line.split("\t")
        gains.setdefault(query, {})[passage] = float(gain)
    ranker = retriever.ranker
    for number, row in enumerate(r for r in rows(path / "queries.jsonl") if r["_id"] in gains):
        question = parse(row["text"][:MAX_QUESTION], ranker.matrices.idf)
        found = ranker.candidates(question, ranking.CANDIDATES, weights)
        ids = tuple(retriever.passage(int(at)).id for at in found.rows)
        split = row.get("split", ("fit", "test")[number % 2])
        yield Asked(row["text"], gains[row["_id"]], split, found, ids)


def rows(path: Path) -> Iterator[dict]:
    """The objects of a JSONL file."""
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


@dataclass(frozen=True)
class Table:
    """All candidates of a set's questions as arrays, to be ranked in one go."""

    texts: np.ndarray
    known: np.ndarray
    firsts: np.ndarray
    gains: np.ndarray
    of: np.ndarray
    bounds: np.ndarray
    ideal: np.ndarray


def table(asked: Sequence[Asked]) -> Table:
    """The candidates of `asked`."""
    found = [each.candidates for each in asked]
    bounds = np.cumsum([0, *(len(each.rows) for each in found)])
    owners = np.concatenate([c.owners + b for c, b in zip(found, bounds, strict=False)])
    order = np.argsort(owners, kind="stable")
    known = np.concatenate(
        [np.hstack([c.likeness * c.telling[:, None], -c.length[:, None]]) for c in found]
    )
    gains = [each.gains.get(identifier, 0.0) for each in asked for identifier in each.ids]
    ideal = [dcg(sorted(each.gains.values(), reverse=True)) for each in asked]
    return Table(
        texts=np.concatenate([np.stack([c.characters, c.pairs], axis=1) for c in found]),
        known=known[order],
        firsts=np.flatnonzero(np.diff(owners[order], prepend=-1)),
        gains=np.array(gains),
        of=np.repeat(np.arange(len(found)), np.diff(bounds)),
        bounds=bounds,
        ideal=np.array(ideal),
    )


def dcg(gains: Sequence[float]) -> float:
    """Discounted cumulative gain at 10 (Järvelin and Kekäläinen 2002)."""
    return sum(gain / math.log2(rank + 2) for rank, gain in enumerate(gains[:10]))


def ndcg(of: Table, weights: Weights) -> float:
    """nDCG@10, the mean over the questions."""
    likeness = [getattr(weights, name, 0.0) for name in LIKENESS]
    best = np.maximum.reduceat(of.known @ [*likeness, weights.length], of.firsts)
    scores = of.texts @ [weights.characters, weights.pairs] + best
    order = np.lexsort((-scores, of.of))
    rank = np.arange(len(scores)) - of.bounds[of.of]
    top = rank < 10
    gains = of.gains[order][top] / np.log2(rank[top] + 2)
    return float((np.bincount(of.of[top], gains, len(of.ideal)) / of.ideal).mean())


def fit_weights(asked: dict[str, list[Asked]]) -> Weights:
    """The weights for all sets; prints them, and how each set does without having been fitted."""
    tables = {name: table(each) for name, each in asked.items()}
    fitted = ascend(list(tables.values()), START)
    print(f"{'nDCG@10':14} {'start':>8} {'fitted':>8} {'cross-validated':>16}")
    for name, each in tables.items():
        others = [other for which, other in tables.items() if which != name]
        unseen = ascend(others, START)
        figures = [ndcg(each, weights) for weights in (START, fitted, unseen)]
        print("{:14} {:8.4f} {:8.4f} {:16.4f}".format(name, *figures))
    return fitted


def ascend(tables: Sequence[Table], start: Weights) -> Weights:
    """Coordinate ascent (Metzler and Croft 2007) from `start`; `pairs` sets the scale."""

    def value(weights: Weights) -> float:
        away = sum((a - b) ** 2 for a, b in zip(asdict(weights).values(), from_, strict=True))
        return float(np.mean([ndcg(each, weights) for each in tables])) - RIDGE * away

    from_ = list(asdict(start).values())
    best, weights = value(start), start
    for _ in range(ROUNDS):
        before = best
        for name in (each for each in asdict(start) if each != "pairs"):
            here = getattr(weights, name)
            scale = 0.2 if name == "length" else 1.0
            for step in (scale * sign * each for each in STEPS for sign in (1, -1)):
                trial = replace(weights, **{name: max(0.0, here + step)})
                if (new := value(trial)) > best + 2e-5:
                    best, weights = new, trial
        if best == before:
            break
    return weights
