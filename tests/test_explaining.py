"""Why a passage ranks where it does: the parts are the ranking's own and add up to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pocketqa import editing, indexing, question
from pocketqa.explaining import explain
from pocketqa.passages import Passage
from pocketqa.retriever import Retriever

QUESTIONS = (
    *("身份证丢了应该怎么办", "请问护照几天能办好?", "个税怎么退", "驾照 换证", "vpn怎么连"),
    "营业执照注销流程",
)


@pytest.fixture(scope="module")
def retriever(demo_index: Path) -> Iterator[Retriever]:
    opened = Retriever.open(demo_index)
    yield opened
    opened.close()


@pytest.mark.parametrize("text", QUESTIONS)
def test_the_parts_are_those_of_the_ranking(retriever: Retriever, text: str) -> None:
    found = explain(retriever, text, 5)
    hits = retriever.retrieve(text, 5)
    assert [why.hit for why in found.hits] == hits
    asked = question.parse(text, retriever.ranker.matrices.idf)
    ranked = retriever.ranker.rank(asked, 5)
    scores = {
        retriever.passage(int(r)).id: s for r, s in zip(ranked.rows, ranked.scores, strict=True)
    }
    for why in found.hits:
        assert why.score == pytest.approx(scores[why.hit.passage.id])
        assert why.texts + why.alike + why.length == pytest.approx(why.score, abs=1e-4)
        assert why.nearest in (why.hit.passage.title, *why.hit.passage.similar)
        assert all(0 <= share <= 1.0001 for _, share in why.held)
    sure = [why.own for why in found.hits]
    if not found.hits[0].exact:
        capped = np.minimum.accumulate(sure)
        assert [why.hit.score for why in found.hits] == pytest.approx(capped, abs=1e-5)


def test_words_filler_and_synonyms_are_told(retriever: Retriever) -> None:
    words = {word.text: word for word in explain(retriever, "请问个税怎么退").words}
    assert words["请问"].filler and words["请问"].worth == 0
    assert any("个人所得税" in word.synonyms for word in words.values())


def test_a_known_question_is_exact_and_its_wording_is_named(retriever: Retriever) -> None:
    passage = retriever.retrieve("身份证丢了怎么补办", 1)[0].passage
    similar = passage.similar[-1]
    best = explain(retriever, similar).hits[0]
    assert best.exact and best.hit.score == 1 and best.nearest == similar


def test_small_talk_and_nothing(retriever: Retriever) -> None:
    assert explain(retriever, "你好").smalltalk.startswith("您好")
    empty = explain(retriever, "？！")
    assert empty.words == () and empty.hits == () and empty.smalltalk == ""


def test_a_passage_is_found_by_its_id_also_after_changes(tmp_path: Path) -> None:
    index = tmp_path / "index"
    read = [Passage(f"curated-{n}", f"问题{n}怎么办?", f"答案{n}。") for n in range(3)]
    indexing.build_index(read, index)
    assert indexing.find(index, "curated-1") == read[1]
    old, new = editing.update("curated-1", index, answer="新答案。", seen=editing.version(read[1]))
    assert old == read[1] and indexing.find(index, new.id) == new
    editing.delete([new.id], index)
    assert indexing.find(index, new.id) is None
    assert indexing.find(index, "没有") is None and indexing.find(index, "") is None
