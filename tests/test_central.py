from __future__ import annotations

import time

import pytest

from pocketqa.summarising.central import Centrality, size

TEXT = [
    "地铁六号线二期今年九月开通。",
    "地铁六号线开通后，从城东到火车站的时间缩短一半。",
    "昨天下雨。",
    "六号线二期设车站十三座，地铁票价不变。",
    "李女士喜欢喝茶。",
    "沿线公交线路同步调整，方便乘客换乘地铁。",
]


def test_what_many_sentences_speak_of_is_central() -> None:
    chosen = Centrality(TEXT).choose(size(TEXT[0]) + size(TEXT[3]) + 5)
    assert set(chosen) <= {0, 1, 3, 5} and chosen == sorted(chosen) and len(chosen) >= 1


def test_all_where_all_fit_and_one_at_least() -> None:
    assert Centrality(TEXT).choose(1_000) == [0, 1, 2, 3, 4, 5]
    assert len(Centrality(TEXT).choose(1)) == 1


def test_never_more_than_there_is_room_for() -> None:
    for room in range(30, 120, 7):
        assert sum(size(TEXT[at]) for at in Centrality(TEXT).choose(room)) <= room


def test_what_was_said_counts_less() -> None:
    text = ["补办身份证要带户口簿。", "补办身份证需要带户口簿。", "补办身份证收费二十元。"]
    first, second, _ = Centrality(text).ranked()
    assert {first, second} != {0, 1}


def test_what_the_asker_wants_comes_first() -> None:
    assert next(Centrality(TEXT, wanted="车站和票价").ranked()) == 3


@pytest.mark.parametrize("text", [["。"], ["！", "？"], ["1", "2"], ["a"], ["😀"]])
def test_sentences_without_words(text: list[str]) -> None:
    assert len(Centrality(text).choose(0.5)) == 1


def test_other_writing_costs_less() -> None:
    assert size("身份证") == 3 and size("identity card") < 6


def test_a_long_text_takes_no_long_time() -> None:
    text = [f"第{n}条规定的期限是{n % 30}日，由窗口{n % 7}负责办理。" for n in range(4_000)]
    began = time.process_time()
    assert len(Centrality(text).choose(900)) > 20
    assert time.process_time() - began < 5
