"""What a few passages cannot tell: how rare words are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from papers import pdf

from pocketqa.background import general
from pocketqa.config import Config
from pocketqa.indexing import build_index
from pocketqa.matrix import key
from pocketqa.passages import Passage, read_file
from pocketqa.retriever import Retriever

PAGES = [
    ["离婚双方应当共同到婚姻登记机关申请离婚登记。", "申请时带好身份证、户口簿和结婚证。"],
    ["登记机关收到离婚申请之日起三十日内，任何一方不愿意离婚的，可以撤回申请。"],
    ["离婚后子女的抚养费由双方协议；协议不成的，由人民法院判决。"],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("small")
    found = read_file("离婚.pdf", pdf(PAGES))
    build_index([item for item in found if isinstance(item, Passage)], directory)
    return directory


def test_terms_are_as_rare_as_they_are_elsewhere(folder: Path) -> None:
    alone, beside = Retriever.open(folder), Retriever.open(folder, general())
    for term in ("离婚", "登记"):
        assert alone.ranker.matrices.idf(term) < 1 < beside.ranker.matrices.idf(term)
    # Nobody holds the one; many passages of any kind hold the other.
    of = beside.ranker.matrices.idf
    assert of("鲸鱼") > of("需要") and of("鲸鱼") > of("可以")
    idf = alone.ranker.matrices.idf
    assert idf("鲸鱼") == idf("需要")


@pytest.mark.parametrize(
    ("question", "page"),
    [("离婚要带什么证件？", 1), ("离婚申请能撤回吗？", 2), ("离婚后抚养费怎么定？", 3)],
)
def test_ordinary_questions_are_answered(folder: Path, question: str, page: int) -> None:
    best = Retriever.open(folder, general()).retrieve(question)[0]
    assert best.passage.place == f"离婚.pdf:p{page}" and best.score >= Config().min_score


@pytest.mark.parametrize("question", ["明天天气怎么样", "红烧肉怎么做好吃？", "推荐一部电影"])
def test_others_are_refused(folder: Path, question: str) -> None:
    hits = Retriever.open(folder, general()).retrieve(question)
    assert not hits or hits[0].score < Config().min_score


def test_frequencies_of_unknown_terms_are_zero() -> None:
    counts = general().of(np.array([key("申请"), key("鲸鱼🐋")], np.uint64))
    assert counts[0] > 50 and counts[1] == 0
