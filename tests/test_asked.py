from __future__ import annotations

import pytest

from pocketqa.summarising.asked import Block, Wish, instruction_of, part_of, read

NOTE = "会议决定把发布日期推迟到三月。"
BOOK: list[Block] = [
    ("目录", 1), ("第一章 总则", 1), ("第二章 费用", 1), ("第三章 附则", 1),
    ("第一章 总则", 2), ("本办法适用于本市。", 2),
    ("第二章 费用", 3), ("工本费20元。", 3), ("第三章说明其余的事情。", 4), ("丢失的收费40元。", 4),
    ("第三章 附则", 5), ("本办法自发布之日起施行。", 5), ("第十二章 其他", 6), ("无。", 6),
]  # fmt: skip


@pytest.mark.parametrize(
    ("instruction", "wish"),
    [
        ("", Wish()),
        ("请帮我总结一下这个文件", Wish()),
        ("用三句话概括", Wish(sentences=3)),
        ("用12句话概括全文的主要内容", Wish(sentences=12)),
        ("概括成一段话", Wish(sentences=4)),
        ("200字以内的摘要", Wish(characters=200)),
        ("Summarize this document in two sentences, please", Wish(sentences=2)),
        ("总结第三章", Wish()),
        ("总结费用部分", Wish(focus="费用部分")),
        ("Summarise the deadlines", Wish(focus="deadlines")),
    ],
)
def test_wishes(instruction: str, wish: Wish) -> None:
    assert read(instruction) == wish


def test_long_instructions_are_cut() -> None:
    assert len(read("费" * 5_000).focus) == 100


@pytest.mark.parametrize(
    ("instruction", "texts"),
    [
        (
            "总结第二章",
            ["第二章 费用", "工本费20元。", "第三章说明其余的事情。", "丢失的收费40元。"],
        ),
        ("总结第3章", ["第三章 附则", "本办法自发布之日起施行。"]),
        ("第十二章讲了什么", ["第十二章 其他", "无。"]),
        ("总结第2页", ["第一章 总则", "本办法适用于本市。"]),
        ("pages 5 to 6", [text for text, page in BOOK if page in (5, 6)]),
        ("第4-5页", [text for text, page in BOOK if page in (4, 5)]),
    ],
)
def test_the_part_that_is_named(instruction: str, texts: list[str]) -> None:
    assert [text for text, _ in part_of(BOOK, instruction)] == texts


@pytest.mark.parametrize("instruction", ["", "总结", "总结第九章", "第99页", "chapter 7"])
def test_all_where_no_part_is_named(instruction: str) -> None:
    assert part_of(BOOK, instruction) == BOOK


@pytest.mark.parametrize(
    ("text", "instruction", "rest"),
    [
        (f"请总结下面的文字：\n{NOTE}", "请总结下面的文字：", NOTE),
        (f"概括：{NOTE}", "概括", NOTE),
        (f"{NOTE}\n请用一句话概括", "请用一句话概括", NOTE),
        ("会议决定：推迟。", "", "会议决定：推迟。"),
        ("总结", "", "总结"),
    ],
)  # fmt: skip
def test_an_instruction_with_the_text(text: str, instruction: str, rest: str) -> None:
    assert instruction_of(text) == (instruction, rest)
