from __future__ import annotations

import pytest

from pocketqa.summarising import parts
from pocketqa.summarising.parts import LONGEST, Part


def joined(cut: list[Part]) -> str:
    return "".join(each.text for part in cut for each in part.sentences)


@pytest.mark.parametrize("count", [1, 2, 5, 12])
@pytest.mark.parametrize(
    "text",
    [
        "第一句。第二句很长很长！第三句？\n" * 80,
        "没有标点" * 1_000,
        "A sentence. Another one!\n\n" * 90,
        "😀" * 3_000,
    ],
)
def test_parts_lose_nothing_and_are_of_like_size(text: str, count: int) -> None:
    whole = parts.read([(text, None)])
    cut = parts.cut(whole, count)
    assert joined(cut) == joined([whole]) == "".join(text.split()) or " " in text
    assert 1 <= len(cut) <= count
    sizes = [part.size for part in cut]
    assert max(sizes) <= 1.6 * whole.size / count + LONGEST


def test_parts_begin_with_paragraphs_where_one_is_near() -> None:
    blocks = [("第一段的一句话。" * n, n) for n in (9, 11, 10, 8, 12)]
    cut = parts.cut(parts.read(blocks), 5)
    assert [part.pages for part in cut] == [(n, n) for n in (9, 11, 10, 8, 12)]


def test_text_of_a_part() -> None:
    part = parts.read([("甲。乙。", 1), ("One. Two.", 2), ("丙", 3)])
    assert part.text == "甲。乙。\nOne. Two.\n丙" and part.pages == (1, 3)
    assert parts.read([]).pages is None and parts.cut(parts.read([]), 3) == []


def test_the_central_sentences_of_a_part_stay_in_order() -> None:
    part = parts.read([("办理期限是三日。天气很好。办理期限从受理之日算起，共三日。", None)])
    assert part.central(1_000) == part.text
    assert part.central(part.size - 4) == "办理期限是三日。办理期限从受理之日算起，共三日。"


def test_headings_and_items_are_lines_of_their_own() -> None:
    part = parts.read(
        [("# 注销\n\n说明。又说。\n## 适用情形\n没有债务的企业。\n- 甲\n- 乙\n", None)]
    )
    assert part.text == "注销\n说明。又说。\n适用情形\n没有债务的企业。\n- 甲\n- 乙"
