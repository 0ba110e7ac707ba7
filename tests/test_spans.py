from __future__ import annotations

import numpy as np
import pytest

from pocketqa.grounding.spans import most_read, shortest
from pocketqa.passages import Passage

TEXT = (
    "补领居民身份证的,应当交回原证,并在六十日内领取新证,工本费四十元。\n"
    "公安机关应当自受理之日起六十日内发放新证;交通不便的地区,可以延长三十日。"
)


@pytest.mark.parametrize(
    ("answer", "question", "expected"),
    [
        ("四十元", "工本费多少", "工本费四十元。"),
        ("三十日", "交通不便的地区可以延长多少日", "交通不便的地区,可以延长三十日。"),
        ("可以延长三十日", "交通不便的地区多久", "交通不便的地区,可以延长三十日。"),
        ("六十日内", "公安机关多久发放新证", "公安机关应当自受理之日起六十日内发放新证"),
        ("去北京玩", "去哪", ""),
        ("", "补领", ""),
    ],
)
def test_the_shortest_stretch_that_says_it(answer: str, question: str, expected: str) -> None:
    assert shortest(answer, question, TEXT) == expected


def test_always_a_stretch_of_the_text() -> None:
    assert shortest("原证", "交回什么", TEXT) in TEXT
    assert shortest("x", "y", "") == ""


def looked(passage: Passage, at: str) -> np.ndarray:
    """Attention of which half is on `at`, and the rest everywhere."""
    weights = np.full(len(passage.text), 0.5 / len(passage.text), np.float32)
    begin = passage.text.index(at)
    weights[begin : begin + len(at)] += 0.5 / len(at)
    return weights


CARD = Passage(id="1", title="居民身份证", text=TEXT)


@pytest.mark.parametrize(
    ("at", "said", "expected"),
    [
        ("四十元", "", "工本费四十元。"),
        ("三十日", "", "可以延长三十日。"),
        ("六十日内发放", "", "公安机关应当自受理之日起六十日内发放新证"),
        ("六十日内领取新证", "", "并在六十日内领取新证"),
        ("六十日内领取新证", "工本费四十元", "并在六十日内领取新证,工本费四十元。"),
    ],
)
def test_what_is_looked_at_and_said(at: str, said: str, expected: str) -> None:
    assert most_read(said, "补领要什么", [CARD], [looked(CARD, at)]) == expected


def test_of_several_passages_the_one_that_is_looked_at() -> None:
    other = Passage(id="2", title="护照", text="护照收费一百二十元。\n\n申请后七日内发放。")
    weights = [np.full(len(TEXT), 1e-3, np.float32), looked(other, "七日")]
    assert most_read("", "多久发放", [CARD, other], weights) == "申请后七日内发放。"
    nothing = [np.zeros(len(each.text), np.float32) for each in (CARD, other)]
    assert most_read("", "", [CARD, other], nothing)
    assert most_read("", "", [Passage(id="3", title="", text="")], [np.zeros(0)]) == ""
    assert most_read("", "怎么补领", [CARD], [looked(CARD, "四十元")]) == TEXT.splitlines()[0]


def test_numbers_are_not_cut() -> None:
    text = "生长于海拔900米至1,200米,见于10:30之前"
    said = most_read("", "海拔多少", [Passage(id="1", title="", text=text)], [np.ones(len(text))])
    assert said == text
    looks = np.zeros(len(text))
    looks[text.index("1,200") :][:5] = 1
    short = most_read("", "海拔多少", [Passage(id="1", title="", text=text)], [looks])
    assert short == "生长于海拔900米至1,200米"
