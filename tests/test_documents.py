"""Documents: titles and fields, the path of headings, and cutting into pieces."""

from __future__ import annotations

import pytest

from pocketqa.documents import Block, Fault, document, pieces, sections, split, visible


def blocks(*lines: str) -> list[Block]:
    """Lines of Markdown, numbered."""
    return [
        Block(line.lstrip("# "), str(n), len(line) - len(line.lstrip("#")))
        for n, line in enumerate(lines, 1)
    ]


def test_sections_have_the_path_of_headings_above_them() -> None:
    made = document(
        "名", blocks("# 题", "分类：停车", "## 甲", "### 乙", "一", "#### 丙", "二", "## 丁", "三")
    )
    assert (made.title, made.category) == ("题", "停车")
    assert [(s.title, s.spot) for s in sections(made)] == [
        ("题 › 甲 › 乙", "4"),
        ("题 › 甲 › 乙 › 丙", "6"),
        ("题 › 丁", "8"),
    ]


def test_a_field_below_a_heading_is_text_and_a_long_heading_a_paragraph() -> None:
    made = document("名", blocks("## 甲", "分类：停车", "## " + "长" * 101))
    assert made.category == "" and [len(s.blocks) for s in sections(made)] == [2]


def test_pieces_begin_at_the_spot_of_their_line() -> None:
    lines = [f"这是第{n}行，它有一些内容。" for n in range(50)]
    (section,) = sections(document("名", blocks("## 甲", *lines)))
    found = list(pieces(section, 100))
    assert "\n".join(text for text, _ in found) == "\n".join(lines)
    assert found[0][1] == "1"
    assert all(text.startswith(lines[int(spot) - 2]) for text, spot in found[1:])


def test_split_keeps_sentences_and_loses_nothing() -> None:
    text = "".join(f"这是第{i}个句子，它有一些内容。" for i in range(80)) + "长" * 900
    pieces = list(split(text, 400))
    assert "".join(pieces) == text
    assert all(len(piece) <= 400 for piece in pieces)
    assert pieces[0].endswith("。")
    assert list(split(" \n ", 400)) == []


def test_english_is_split_at_full_stops_but_not_after_a_number() -> None:
    text = "1. Bring version 2.5 of the form. " * 6
    assert all(p.startswith("1. Bring") and p.endswith("form.") for p in split(text, 70))


@pytest.mark.parametrize(
    ("spot", "line", "shown"),
    [
        ("14", 14, "a:14"),
        ("Sheet1!14", 14, "a:Sheet1!14"),
        ("p3", 3, "a:p3"),
        ("¶12", 12, "a:¶12"),
        ("", 0, "a:0"),
    ],
)
def test_the_place_of_a_fault(spot: str, line: int, shown: str) -> None:
    fault = Fault.at("a", spot, "坏", "bad")
    assert (fault.line, fault.place, str(fault)) == (line, shown, f"{shown}: 坏 / bad")


def test_what_nobody_sees_is_taken_out() -> None:
    assert visible("甲\u200b\u202e\x00\ud800乙\r\n\t丙") == "甲乙\n\t丙"
