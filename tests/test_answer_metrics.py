"""Worked examples: each figure can be counted by hand."""

from __future__ import annotations

import pytest

from pocketqa.answer_metrics import agreement, char_f1, cmrc_f1, gold_recall, segments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("共4.5万元。", ["共", "4.5", "万", "元"]),
        ("AGG01，比青霉素", ["agg01", "比", "青", "霉", "素"]),
        ("Total: 1,200 (net).", ["total", "1,200", "net"]),
        ("《卡丁车》、“泡_泡”……", ["卡", "丁", "车", "泡", "泡"]),
        ("。！ ", []),
    ],
)
def test_chinese_by_characters_anything_else_by_words(text: str, expected: list[str]) -> None:
    assert segments(text) == expected


@pytest.mark.parametrize(
    ("answer", "golds", "f1"),
    [
        ("4分钟。", ["4分钟"], 1.0),
        ("4分钟内", ["4分钟"], 2 * 3 / (4 + 3)),
        # The longest run counts, not all that is shared: 春秋 of 春秋 战国, and 国 apart.
        ("春秋和战国", ["春秋战国"], 2 * 2 / (5 + 4)),
        ("1958年", ["在1958年出版", "1958年"], 1.0),
        ("红", ["蓝", "绿"], 0.0),
        ("", ["蓝"], 0.0),
        ("。", ["。"], 0.0),
        ("NBA总冠军", ["nba 总冠军"], 1.0),
    ],
)
def test_cmrc_f1(answer: str, golds: list[str], f1: float) -> None:
    assert cmrc_f1(answer, golds) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("answer", "golds", "f1"),
    [
        ("4分钟。", ["4分钟"], 1.0),
        # All that is shared counts: 春秋战国, with 和 between.
        ("春秋和战国", ["春秋战国"], 2 * 4 / (5 + 4)),
        ("战国春秋", ["春秋战国"], 2 * 2 / (4 + 4)),
        ("A-1 型", ["a1"], 2 * 2 / (3 + 2)),
        # Characters, not words: one letter is one.
        ("net", ["nets"], 2 * 3 / (3 + 4)),
        ("1958年", ["在1958年出版", "1958年"], 1.0),
        ("红", ["蓝", "绿"], 0.0),
        ("", ["蓝"], 0.0),
        ("。", ["。"], 0.0),
    ],
)
def test_char_f1(answer: str, golds: list[str], f1: float) -> None:
    assert char_f1(answer, golds) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("answer", "golds", "recall"),
    [
        ("答案是:4分钟。", ["4分钟"], 1.0),
        # Parts may lie apart, but in their order.
        ("春天、秋天和战国", ["春秋战国"], 1.0),
        ("战国春秋", ["春秋战国"], 0.5),
        ("甲乙", ["甲乙丙丁", "甲丙"], 0.5),
        ("甲", ["甲乙丙丁", "甲丙"], 0.5),
        ("A-1 型", ["a1"], 1.0),
        ("", ["蓝"], 0.0),
        ("蓝", ["……"], 0.0),
    ],
)
def test_gold_recall(answer: str, golds: list[str], recall: float) -> None:
    assert gold_recall(answer, golds) == pytest.approx(recall)


def test_agreement_by_position() -> None:
    assert agreement([1, 2, 3, 4], [1, 0, 3, 4]) == 0.75
    assert agreement([], []) == 1.0
    with pytest.raises(ValueError):
        agreement([1], [1, 2])
