from __future__ import annotations

import pytest

from pocketqa.grounding.extracting import extract, sentences
from pocketqa.passages import Passage

GUIDE = Passage(
    "1",
    "身份证补领",
    "所需材料：\n1. 居民户口簿；\n2. 申领登记表。\n3. 近期照片两张\n办理时限：六十日内发证。\n"
    "费用：每证收费20元。城市低保居民免收。咨询电话：12345。\n到户口所在地的派出所办理。",
    kind="document",
)
OTHER = Passage("2", "护照", "护照在七个工作日内签发。办理护照要带身份证。")


@pytest.mark.parametrize(
    ("question", "best"),
    [
        (
            "补领身份证要带什么材料？",
            "所需材料：\n1. 居民户口簿；\n2. 申领登记表。\n3. 近期照片两张",
        ),
        ("多久能拿到？", "办理时限：六十日内发证。"),
        ("要多少钱？", "费用：每证收费20元。"),
        ("电话是多少？", "咨询电话：12345。"),
        ("需要几张照片？", "所需材料：\n3. 近期照片两张"),
        ("在哪里办？", "到户口所在地的派出所办理。"),
    ],
)
def test_the_best_sentence_comes_with_its_list(question: str, best: str) -> None:
    assert extract(question, [GUIDE], 200, most=1) == best


def test_sentences_come_in_their_order_and_of_the_best_passages() -> None:
    both = extract("护照多久签发，办理要带什么？", [OTHER, GUIDE], 200)
    assert both.startswith("护照在七个工作日内签发。办理护照要带身份证。")


@pytest.mark.parametrize("limit", [12, 20, 40, 200])
@pytest.mark.parametrize("question", ["要带什么材料？", "费用多少？", "毫不相干", ""])
def test_the_limit_holds_and_only_whole_sentences_come(question: str, limit: int) -> None:
    text = extract(question, [GUIDE, OTHER], limit)
    whole = {each for passage in (GUIDE, OTHER) for each in sentences(passage.text)}
    assert 0 < len(text) <= limit
    assert set(sentences(text)) <= whole or limit < 15


def test_never_empty_but_for_nothing() -> None:
    assert extract("问", [], 100) == ""
    assert extract("问", [Passage("3", "题", "没有标点" * 30)], 50) == "没有标点" * 12 + "没有"
    assert extract("问", [Passage("3", "题", "。")], 50) == "。"


def test_where_sentences_end() -> None:
    assert sentences("A fee of 3.5 yuan. Call 12345. 你好！真的？\n1. 一项；2. 二项") == [
        "A fee of 3.5 yuan.", "Call 12345.", "你好！", "真的？", "1. 一项；", "2. 二项",
    ]  # fmt: skip
