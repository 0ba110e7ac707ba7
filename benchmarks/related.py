"""How good the related questions are, over the demo knowledge: prints one table.

    python benchmarks/related.py

For each question of `benchmarks/hall`: are there three, can each be answered, does none repeat
another's answer or the one just given, and are they of the same topic. Then the likeness by which
paraphrases are told: of questions that people wrote for one passage, and of the nearest questions
of two passages.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from fit import HALL
from fit_ranking import open_set

from pocketqa.config import Config
from pocketqa.passages import Passage
from pocketqa.question import content
from pocketqa.related import PARAPHRASE, Neighbours
from pocketqa.retriever import Retriever

THRESHOLDS = (0.4, 0.5, PARAPHRASE, 0.7)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        _, retriever = open_set(HALL, Path(folder))
        for name, value in [*offers(retriever), *likeness(retriever)]:
            print(f"{name:<52} {value}")


def offers(retriever: Retriever) -> list[tuple[str, str]]:
    """Over all questions of the hall set."""
    lines = (HALL / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    gold = [line.split("\t") for line in (HALL / "qrels/test.tsv").read_text().splitlines()[1:]]
    three, certain, distinct, topical, gold_offered, times = [], [], [], [], [], []
    least = Config.model_fields["min_score"].default
    for row in map(json.loads, lines):
        hits = retriever.retrieve(row["text"], 20)
        found = hits if hits and hits[0].score >= least else []
        began = time.perf_counter()
        offered = retriever.related(row["text"], found)
        times.append(1000 * (time.perf_counter() - began))
        answers = [retriever.retrieve(each, 1)[0] for each in offered]
        texts = [hit.passage.text for hit in answers] + [hit.passage.text for hit in found[:1]]
        three.append(len(offered) == 3)
        certain += [hit.score == 1.0 for hit in answers]
        distinct.append(len(set(texts)) == len(texts))
        if found:
            topic = found[0].passage.category
            topical.append(np.mean([hit.passage.category == topic for hit in answers]))
        wanted = {passage for query, passage, _ in gold if query == row["_id"]}
        if not found or found[0].passage.id not in wanted:
            gold_offered.append(any(hit.passage.id in wanted for hit in answers))
    return [
        ("three are offered", f"{np.mean(three):.3f}"),
        ("an offer finds its own answer, surely", f"{np.mean(certain):.3f}"),
        ("no two answers alike, nor like the one given", f"{np.mean(distinct):.3f}"),
        ("of the topic of the answer", f"{np.mean(topical):.3f}"),
        ("where the answer is wrong or refused: the right one", f"{np.mean(gold_offered):.3f}"),
        ("ms, median", f"{statistics.median(times):.1f}"),
    ]


def likeness(retriever: Retriever) -> list[tuple[str, str]]:
    """How many pairs of questions are alike, by threshold."""
    rows = retriever.ranker.matrices.rows_of("curated")
    passages = [retriever.passage(int(row)) for row in rows]
    alike = Neighbours(retriever.ranker.matrices.idf, [], None).alike
    same = [
        max(alike(content(p.title), content(other)) for other in p.similar)
        for p in passages
        if p.similar
    ]
    other = [nearest(retriever, passage) for passage in passages]
    found = []
    for threshold in THRESHOLDS:
        caught, wrong = np.mean(np.array(same) >= threshold), np.mean(np.array(other) >= threshold)
        found.append(
            (f"likeness {threshold}: of one passage / of two", f"{caught:.3f} / {wrong:.3f}")
        )
    return found


def nearest(retriever: Retriever, passage: Passage) -> float:
    """The likeness of a passage's question to that of another passage that is most like it."""
    alike = Neighbours(retriever.ranker.matrices.idf, [], None).alike
    others = [hit.passage for hit in retriever.retrieve(passage.title, 10)]
    return max(
        (
            alike(content(passage.title), content(each.title))
            for each in others
            if each.id != passage.id
        ),
        default=0.0,
    )


if __name__ == "__main__":
    main()
