"""Analysis: the terms of a text, their places, and when two texts are the same question."""

from __future__ import annotations

import pytest

from pocketqa.analysis import clean, holds, normalise, spans, terms, without_particles, words


def test_chinese_gives_characters_bigrams_and_longer_words() -> None:
    assert set(terms("身份证丢了")) == {*"身份证丢了", "身份", "份证", "证丢", "丢了", "身份证"}


def test_codes_stay_whole_and_give_their_parts() -> None:
    assert terms("ＰＰＲ－９０８７型") == ["ppr-9087", "ppr", "9087", "型"]


@pytest.mark.parametrize("text", ["", "？！ 。", "\ud800", "a\ud800b", "㎡①½", "👍", "\x00"])
def test_any_text_can_be_analysed(text: str) -> None:
    "".join(terms(text)).encode()
    normalise(text), list(words(text))


def test_spans_say_where_a_term_stands() -> None:
    text = clean("办ＥＴＣ-2，身份证㎡也行")
    assert all(text[begin:end] == term for term, begin, end in spans(text))
    assert all(text[begin:end] == word for word, begin, end, _ in words(text))


def test_words_know_filler() -> None:
    content = [word for word, _, _, filler in words("请问身份证怎么办") if not filler]
    assert content == ["身份证"]


def test_normalise_forgets_punctuation_width_and_case() -> None:
    assert normalise("Ａ证，丢了 怎么办？") == normalise("a证丢了怎么办") == "a证丢了怎么办"


@pytest.mark.parametrize(
    ("text", "key"),
    [("你好啊!", "你好"), ("你好呀~~哦", "你好"), ("啊啊", "啊啊"), ("在吗", "在吗")],
)
def test_particles_at_the_end_do_not_count(text: str, key: str) -> None:
    assert without_particles(text) == key


def test_holds_takes_latin_words_whole() -> None:
    assert holds("用etc卡", "etc") and holds("第12条", "12") and holds("补身份证", "身份")
    assert not holds("sketch", "etc") and not holds("第112条", "12")
