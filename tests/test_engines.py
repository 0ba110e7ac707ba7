from __future__ import annotations

import sys
from pathlib import Path

import pytest
from servers import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import corpus
from engines import ENGINES

from pocketqa import beir


def test_the_made_corpus_is_the_same_again_and_nothing_is_twice() -> None:
    rows, queries = corpus.make(500, queries=50)
    assert (rows, queries) == corpus.make(500, queries=50)
    assert len({row.title for row in rows}) == len({row.text for row in rows}) == 500
    assert all(corpus.SHORTEST <= len(row.text) <= corpus.LONGEST for row in rows)
    assert not any("{" in row.title + row.text for row in rows)
    assert {query.passage for query in queries} <= {row.id for row in rows}
    assert {query.kind for query in queries} == {"formal", "keywords", "colloquial"}


def test_the_made_corpus_is_a_set_of_the_beir_layout(tmp_path: Path) -> None:
    corpus.write(tmp_path / "made", *corpus.make(60, queries=10))
    dataset = beir.load(tmp_path / "made")
    assert len(dataset.passages) == 60 and len(dataset.queries) == 10


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_finds_what_is_asked_for(engine: str, tmp_path: Path) -> None:
    build, opened = ENGINES[engine]
    rows, queries = corpus.make(200, queries=30)
    build(rows, tmp_path)
    search = opened(tmp_path)
    first = [search(query.text, 10)[0] == query.passage for query in queries]
    assert sum(first) >= 24
    assert len(set(search("申请材料", 10))) == 10
