"""From a question to weighted terms: words share their weight, filler counts less; synonyms."""

from __future__ import annotations

import pytest

from pocketqa import synonyms
from pocketqa.analysis import clean
from pocketqa.question import FILLER, SYNONYM, WORD, content, parse


def rarity(term: str) -> float:
    return 2.0 if len(term) == 1 else 6.0


def worth(text: str, term: str) -> float:
    return parse(text, rarity).terms[term] * rarity(term)


def test_a_long_word_is_worth_no_more_than_a_short_one() -> None:
    question = parse("身份证 改签", rarity)
    sums = [sum(question.terms[t] * rarity(t) for t in word.terms) for word in question.words]
    assert [word.text for word in question.words] == ["身份证", "改签"]
    assert sums == pytest.approx([WORD * 6.0] * 2)


def test_filler_counts_less_and_is_no_word() -> None:
    question = parse("怎么补办护照", rarity)
    assert {word.text for word in question.words} == {"补办", "护照"}
    assert worth("怎么补办护照", "怎么") == pytest.approx(FILLER * worth("怎么补办护照", "补办"))


def test_pairs_across_words_count_in_a_sentence_and_hardly_among_keywords() -> None:
    assert parse("护照补办要多久？", rarity).terms["照补"] == 1.0
    assert parse("护照补办 时限", rarity).terms["照补"] < 0.5


def test_synonyms_are_searched_for_with_less_weight() -> None:
    question = parse("社保怎么交", rarity)
    assert "社会" in question.terms and "社会" not in question.own
    assert question.terms["社会"] < SYNONYM * WORD
    word = next(word for word in question.words if word.text == "社保")
    assert any("社会" in terms for terms in word.synonyms)


@pytest.mark.parametrize("text", ["", "？", "的", "99*99", "\ud800", "?" * 300, "证" * 4000])
def test_any_text_is_a_question(text: str) -> None:
    assert all(weight > 0 for weight in parse(text, rarity).terms.values())


def test_a_word_that_is_repeated_is_one_word() -> None:
    assert [w.text for w in parse("护照护照，护照", rarity).words] == ["护照"]


def test_small_numbers_are_filler_and_codes_are_not() -> None:
    assert [w.text for w in parse("12 PPR-9087", rarity).words] == ["ppr-9087"]


def test_content_leaves_filler_out_but_never_everything() -> None:
    assert content("请问怎么办理护照") == content("护照办理")
    assert content("怎么办")


def test_the_table_is_read_in_one_direction_and_in_both() -> None:
    table = synonyms.read(["# title", "社保 = 社会保险", "老板 > 公司 单位  # note", ""])
    assert table == {"社保": ("社会保险",), "社会保险": ("社保",), "老板": ("公司", "单位")}


@pytest.mark.parametrize("line", ["社保", "社保 = ", " = 社保"])
def test_another_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="synonyms"):
        synonyms.read([line])


def test_the_longest_word_between_bounds_is_found() -> None:
    table = synonyms.read(["个税 = 个人所得税", "社保 = 社会保险", "社保卡 = 社会保障卡"])
    assert list(synonyms.find("社保卡丢了", {0, 3, 4, 5}, table)) == [(0, 3)]
    assert list(synonyms.find("每个税种", {0, 1, 2, 4}, table)) == []


def test_the_table_that_comes_along_is_in_order() -> None:
    table = synonyms.default()
    assert len(table) > 2000
    assert all(len(word) > 1 and word == clean(word) for word in table)
    assert all(word not in others and others for word, others in table.items())
