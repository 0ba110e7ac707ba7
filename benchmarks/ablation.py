"""What each part of the ranking brings: nDCG@10 and hit@1 of the sets without it.

    python benchmarks/ablation.py ../shared/data/*

`benchmarks/hall` over the demo knowledge is always one of the sets.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import bm25s
import numpy as np
from fit import HALL
from fit_ranking import Asked, ask, dcg, open_set

from pocketqa import matrix, question, ranking
from pocketqa.analysis import clean, terms
from pocketqa.question import Question
from pocketqa.retriever import Retriever


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", type=Path)
    paths = [*parser.parse_args().sets, HALL]
    print("| without | " + " | ".join(path.name for path in paths) + " |")
    print("|---|" + "---|" * len(paths))
    with tempfile.TemporaryDirectory() as folder:
        opened = {path: open_set(path, Path(folder) / path.name)[1] for path in paths}
        show("(nothing)", [figures(path, each) for path, each in opened.items()])
        for name, change in query_changes().items():
            with change:
                show(name, [figures(path, each) for path, each in opened.items()])
        show("all of it: bm25s", [peer(path, each) for path, each in opened.items()])
    for name, change in index_changes().items():
        with change, tempfile.TemporaryDirectory() as folder:
            again = {path: open_set(path, Path(folder) / path.name)[1] for path in paths}
            show(name, [figures(path, each) for path, each in again.items()])


def query_changes() -> dict[str, AbstractContextManager]:
    """What can be left out of an index that is there."""
    weights = ranking.default_weights()
    plain = replace(weights, coverage=0.0, reverse=0.0, cosine=0.0, pair_reverse=0.0, length=0.0)
    return {
        "words that share their weight": shared_weight(),
        "filler that counts half": patch.object(question, "FILLER", 1.0),
        "less for pairs across keywords": patch.object(question, "ACROSS_KEYWORDS", 1.0),
        "synonyms": patch.object(question, "SYNONYM", 0.0),
        "likeness to known questions": weighed(plain),
        "length of the title": weighed(replace(weights, length=0.0)),
        "characters": weighed(replace(weights, characters=0.0)),
        "pairs": weighed(replace(weights, pairs=0.0)),
    }


def index_changes() -> dict[str, AbstractContextManager]:
    """What needs another matrix."""
    return {
        "weight of the title": patch.multiple(matrix, TITLE=1.0, PLAIN_TITLE=1.0),
        "less for titles that do not tell": patch.object(matrix, "PLAIN_TITLE", matrix.TITLE),
        "less for similar questions": patch.object(matrix, "SIMILAR", 1.0),
    }


def weighed(weights: ranking.Weights) -> AbstractContextManager:
    """With other weights."""
    return patch.object(ranking, "default_weights", lambda: weights)


@contextmanager
def shared_weight() -> Iterator[None]:
    """Terms count as often as they stand in the question, as in plain BM25."""
    parse = question.parse

    def plain(text: str, idf: object) -> Question:
        found = parse(text, idf)  # type: ignore[arg-type]
        counts = Counter(terms(clean(text)))
        return replace(found, terms={term: float(n) for term, n in counts.items()})

    with patch("fit_ranking.parse", plain):
        yield


def figures(path: Path, retriever: Retriever) -> tuple[float, float]:
    """nDCG@10 and hit@1 of our ranking."""
    weights = ranking.default_weights()
    likeness = [getattr(weights, name, 0.0) for name in ranking.LIKENESS]
    ranked = []
    for each in ask(path, retriever, weights):
        found = each.candidates
        value = found.telling * (found.likeness @ likeness) - weights.length * found.length
        best = np.full(len(found.rows), -math.inf)
        np.maximum.at(best, found.owners, value)
        scores = weights.characters * found.characters + weights.pairs * found.pairs + best
        order = np.argsort(-scores, kind="stable")[:10]
        ranked.append((each, [each.ids[i] for i in order]))
    return measure(ranked)


def peer(path: Path, retriever: Retriever) -> tuple[float, float]:
    """The same of bm25s over characters and pairs of title, similar questions and text."""
    passages = [
        passage
        for segment in retriever.ranker.index.segments
        for _, passage in segment.passages()
        if passage.kind != "smalltalk"
    ]
    texts = [terms("\n".join((p.title, *p.similar, p.text))) for p in passages]
    index = bm25s.BM25()
    index.index(texts, show_progress=False)
    ranked = []
    for each in ask(path, retriever, ranking.default_weights()):
        found = index.retrieve([terms(each.text) or ["\0"]], k=10, show_progress=False)[0][0]
        ranked.append((each, [passages[i].id for i in found]))
    return measure(ranked)


def measure(ranked: list[tuple[Asked, list[str]]]) -> tuple[float, float]:
    """nDCG@10 and hit@1."""
    ndcg = [
        dcg([each.gains.get(i, 0.0) for i in ids]) / dcg(sorted(each.gains.values(), reverse=True))
        for each, ids in ranked
    ]
    hits = [bool(ids) and ids[0] in each.gains for each, ids in ranked]
    return float(np.mean(ndcg)), float(np.mean(hits))


def show(name: str, found: list[tuple[float, float]]) -> None:
    """One row of the table."""
    cells = (f"{ndcg:.4f} / {hit:.3f}" for ndcg, hit in found)
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
