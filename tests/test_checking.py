from __future__ import annotations

import pytest

from pocketqa.summarising.checking import Checker, plain, told


def sentences(text: str, step: int = 1, is_cut: bool = False) -> list[str]:
    deltas = (text[at : at + step] for at in range(0, len(text), step))
    return list(told(deltas, lambda: is_cut))


@pytest.mark.parametrize("step", [1, 3, 1_000])
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("甲。乙！“丙。”丁？", ["甲。", "乙！", "“丙。”", "丁？"]),
        ("1. 甲3.5元\n2. **乙**：丙。\n- 丁", ["甲3.5元。", "乙：丙。", "丁。"]),
        ("It cost 3.5 pounds. He paid. No", ["It cost 3.5 pounds.", "He paid.", "No."]),
        ("总的来说，甲。", ["甲。"]),
        ("（一）甲；乙。", ["甲；乙。"]),
        ("", []),
        ("主要内容如下：\n甲。", ["甲。"]),
        ("\n\n。。", []),
    ],
)
def test_sentences_as_they_come(text: str, told: list[str], step: int) -> None:
    assert sentences(text, step) == told


def test_half_a_sentence_at_the_limit_is_left_out() -> None:
    assert sentences("甲。乙没有说", is_cut=True) == ["甲。"]


def test_what_runs_in_circles_ends_it() -> None:
    assert sentences("甲。" + "和其他的" * 9 + "。乙。", 4) == ["甲。"]


def test_marks_that_belong_to_the_text_stay() -> None:
    assert plain("2024年3月") == "2024年3月" and plain("3.5元") == "3.5元"
    assert plain("(3) 甲") == "甲" and plain("10:30开会") == "10:30开会"


def test_judging() -> None:
    checker = Checker("工本费20元，期限15日。")
    assert checker.judge("工本费20元。") == "good"
    assert checker.judge("收费40元。") == "bad"
    assert checker.judge("天气晴朗，适合郊游。") == "bad"
    assert checker.judge("……") == "bad"
    checker.say("工本费是20元。")
    assert checker.judge("工本费是20元！") == "repeats"
    assert checker.judge("期限15日。") == "good" and checker.said == 1
