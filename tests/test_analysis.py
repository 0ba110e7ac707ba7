"""Analysis: the terms of a text, their places, and when two texts are the same question."""

from __future__ import annotations

import pytest

from pocketqa.analysis import clean, normalise, terms, without_particles, words


def test_chinese_gives_characters_and_bigrams() -> None:
    assert terms("身份证丢了") == [*"身份证丢了", "身份", "份证", "证丢", "丢了"]


def test_codes_stay_whole_and_give_their_parts() -> None:
    assert terms("ＰＰＲ－９０８７型") == ["ppr-9087", "ppr", "9087", "ppr9087", "型"]
    assert terms("PPR9087") == ["ppr9087", "ppr", "9087"]
    assert terms("3.5") == ["3.5", "3", "5"]


@pytest.mark.parametrize("text", ["", "？！ 。", "\ud800", "身\ud800份", "㎡①½", "👍", "\x00"])
def test_any_text_can_be_analysed(text: str) -> None:
    "".join(terms(text)).encode()
    normalise(text), list(words(text))


def test_words_do_not_overlap_and_say_where_they_stand() -> None:
    text = "办ＥＴＣ-2，身份证㎡也行"
    assert all(clean(text)[at : at + len(word)] == word for word, at in words(text))
    assert [word for word, _ in words("请问身份证")] == ["请问", "身份证"]


def test_normalise_forgets_punctuation_width_and_case() -> None:
    assert normalise("Ａ证，丢了 怎么办？") == normalise("a证丢了怎么办") == "a证丢了怎么办"


def test_traditional_characters_are_folded() -> None:
    assert normalise("身份證丟了怎麼辦？") == normalise("身份证丢了怎么办")
    assert terms("護照") == terms("护照")


@pytest.mark.parametrize(
    ("text", "key"),
    [("你好啊!", "你好"), ("你好呀~~哦", "你好"), ("啊啊", "啊啊"), ("在吗", "在吗")],
)
def test_particles_at_the_end_do_not_count(text: str, key: str) -> None:
    assert without_particles(text) == key
