"""Probabilities on the demo knowledge: own questions, held-out ones, and what is off the topic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from servers import ROOT

from pocketqa.calibration import ANSWERS, BELONGS, FEATURES, probabilities
from pocketqa.config import Config
from pocketqa.question import parse
from pocketqa.retriever import Retriever

MIN_SCORE = Config.model_fields["min_score"].default


@pytest.fixture(scope="module")
def demo(demo_index: Path) -> Iterator[Retriever]:
    opened = Retriever.open(demo_index)
    yield opened
    opened.close()


def rows(name: str, split: str) -> list[dict[str, str]]:
    lines = (ROOT / "benchmarks" / name).read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["split"] == split]


def surety(retriever: Retriever, text: str) -> float:
    return next((hit.score for hit in retriever.retrieve(text, 1)), 0.0)


def test_what_is_off_the_topic_is_refused(demo: Retriever) -> None:
    asked = rows("off_topic.jsonl", "test")
    off = [surety(demo, row["text"]) < MIN_SCORE for row in asked if row["kind"] != "near"]
    near = [surety(demo, row["text"]) < MIN_SCORE for row in asked if row["kind"] == "near"]
    assert np.mean(off) >= 0.95 and np.mean(near) >= 0.7


def test_few_questions_whose_passage_is_on_top_are_refused(demo: Retriever) -> None:
    gold = [
        line.split("\t")[:2]
        for line in (ROOT / "benchmarks/hall/qrels/test.tsv").read_text().splitlines()
    ]
    pairs = set(map(tuple, gold))
    right = [
        hits[0].score
        for row in rows("hall/queries.jsonl", "test")
        if (hits := demo.retrieve(row["text"], 1)) and (row["_id"], hits[0].passage.id) in pairs
    ]
    assert len(right) > 180
    assert np.mean(np.array(right) < MIN_SCORE) <= 0.07


def test_probabilities_are_numbers_whatever_is_asked(demo: Retriever) -> None:
    for text in ("护照", "？", "的", "怎么办", "12", "护照" * 150):
        question = parse(text, demo.ranker.matrices.idf)
        ranked = demo.ranker.rank(question, 5)
        values = probabilities(demo.ranker, question, ranked)
        assert values.shape == ranked.rows.shape
        assert np.all((values >= 0) & (values <= 1))


def test_the_fitted_models_name_known_features() -> None:
    fitted = json.loads((ROOT / "pocketqa" / "ranking.json").read_text(encoding="utf-8"))
    assert set(fitted["answers"]) == {*ANSWERS, "intercept"}
    assert set(fitted["belongs"]) == {*BELONGS, "intercept"}
    assert set(ANSWERS) | set(BELONGS) <= set(FEATURES)
