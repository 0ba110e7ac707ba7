from __future__ import annotations

import pytest

from pocketqa.grounding.spans import shortest

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
