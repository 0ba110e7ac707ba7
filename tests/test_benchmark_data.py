"""The question sets of benchmarks/: well-formed, nothing twice, and every gold passage there."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pocketqa.analysis import normalise
from pocketqa.passages import Passage, read

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "benchmarks"
OFF_TOPIC = BENCHMARKS / "off_topic.jsonl"
QUERIES = BENCHMARKS / "hall" / "queries.jsonl"
UNANSWERABLE = BENCHMARKS / "hall" / "unanswerable.jsonl"
QRELS = BENCHMARKS / "hall" / "qrels" / "test.tsv"

SETS = {OFF_TOPIC: ("id", 520), QUERIES: ("_id", 330), UNANSWERABLE: ("_id", 140)}


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def key(text: str) -> str:
    """`normalise`, or the text itself where it has no letter and no digit: ???."""
    return normalise(text) or text


def relevant() -> list[tuple[str, str, int]]:
    with QRELS.open(encoding="utf-8", newline="") as lines:
        header, *found = csv.reader(lines, delimiter="\t")
    assert header == ["query-id", "corpus-id", "score"]
    return [(query, passage, int(score)) for query, passage, score in found]


@pytest.fixture(scope="module")
def knowledge() -> dict[str, Passage]:
    return {p.id: p for p in read([ROOT / "knowledge"])[0]}


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.stem)
def test_rows_are_well_formed_and_halved(path: Path) -> None:
    name, least = SETS[path]
    found = rows(path)
    assert len(found) >= least
    assert len({row[name] for row in found}) == len(found)
    assert all(row["text"] == row["text"].strip() != "" for row in found)
    splits = Counter(row["split"] for row in found)
    assert set(splits) == {"fit", "test"} and abs(splits["fit"] - splits["test"]) <= 2


def test_no_question_is_twice() -> None:
    seen = Counter(key(row["text"]) for path in SETS for row in rows(path))
    assert [text for text, count in seen.items() if count > 1] == []


def test_off_topic_questions_are_of_every_kind_in_both_halves() -> None:
    found = rows(OFF_TOPIC)
    kinds = Counter((row["kind"], row["split"]) for row in found)
    assert min(kinds.values()) >= 8 and len(kinds) == 2 * len({kind for kind, _ in kinds})
    assert sum(row["kind"] == "near" for row in found) >= 80
    assert Counter(row["lang"] for row in found)["en"] >= 60
    assert {row["lang"] for row in found} == {"zh", "en"}


def test_every_query_has_its_passages(knowledge: dict[str, Passage]) -> None:
    pairs = relevant()
    assert {query for query, _, _ in pairs} == {row["_id"] for row in rows(QUERIES)}
    assert len({(query, passage) for query, passage, _ in pairs}) == len(pairs)
    assert {score for _, _, score in pairs} == {1}
    kinds = {passage: knowledge[passage].kind for _, passage, _ in pairs}
    assert set(kinds.values()) == {"curated", "document"}


def test_queries_are_spread_over_topics_and_documents(knowledge: dict[str, Passage]) -> None:
    pairs = relevant()
    topics = {(knowledge[passage].category, query) for query, passage, _ in pairs}
    known = {p.category for p in knowledge.values() if p.kind == "curated"}
    assert {t: n for t, n in Counter(t for t, _ in topics).items() if t in known and n < 20} == {}
    assert known <= {topic for topic, _ in topics}
    # What only a document's section answers cannot be found through a curated question.
    by_query: dict[str, set[str]] = {}
    for query, passage, _ in pairs:
        by_query.setdefault(query, set()).add(knowledge[passage].kind)
    assert sum(kinds == {"document"} for kinds in by_query.values()) >= 60


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.stem)
def test_no_question_is_one_that_the_knowledge_base_has(
    path: Path, knowledge: dict[str, Passage]
) -> None:
    known = {normalise(q) for p in knowledge.values() for q in (p.title, *p.similar)}
    assert [row["text"] for row in rows(path) if normalise(row["text"]) in known] == []
