from __future__ import annotations

import pytest

from pocketqa.grounding import numerals
from pocketqa.grounding.facts import facts, ungrounded


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("工本费12,000元，即１２０００元或1.2万元", {"12000元"}),
        ("税率3.5%，税率百分之五", {"3.5%", "5%"}),
        ("十五日内，三个月后，两年，半年", {"15日", "3个月", "2年", "0.5年"}),
        ("依照第三十二条、第12条和第十、十一条", {"第32", "第12", "第10", "11条"}),
        ("二百元、两百元、二百零五元、一千零四十九元", {"200元", "205元", "1049元"}),
        ("2024年3月1日，2024-03-01，二〇二四年三月一日", {"2024-3-1"}),
        ("6月30日前；2024年3月", {"6-30", "2024-3"}),
        ("9:30开门，17：00关门，九点半", {"9:30", "17:0"}),
        ("拨打12345或0571-88886666", {"12345", "057188886666"}),
        ("400-123-4567，+86 138 0000 1111", {"4001234567", "13800001111"}),
        ("(0571)88886666", {"057188886666"}),
        ("见https://www.zwfw.gov.cn/a?x=1。", {"www.zwfw.gov.cn/a?x=1"}),
        ("写信到 Help@example.com，登录zwfw.gov.cn", {"help@example.com", "zwfw.gov.cn"}),
        ("C1驾照，A4纸，编号PPR-9087", {"c1", "a4", "ppr9087"}),
        ("三分之二，千分之五", {"2/3", "5/1000"}),
        ("15个工作日；年满16周岁；三倍", {"15工作日", "16岁", "3倍"}),
        ("￥20", {"20元"}),
    ],
)
def test_facts_in_their_normal_form(text: str, stated: set[str]) -> None:
    assert facts(text) == stated


@pytest.mark.parametrize(
    "text",
    [
        "一般一起去一下，一定统一，一个人一份，十分重要，万一不行",
        "两者之间，第三者，第一时间，三种情况，四个方面，三四天，千万不要，数万元",
        "需要以下3种材料和下列两项手续",
        "1. 带户口簿\n2. 拍照\n3. 领证",
        "（一）户口簿；（二）照片；（三）申请表",
        "第一步，登记。第二步，缴费。",
        "五险一金，千米赛跑",
    ],
)
def test_what_is_no_fact(text: str) -> None:
    assert facts(text) == frozenset()


@pytest.mark.parametrize(
    ("answer", "source"),
    [
        ("15日", "十五日"),
        ("十五天", "15日"),
        ("第12条", "第十二条"),
        ("2024年", "2024-03-01"),
        ("3月1日", "2024年3月1日"),
        ("2024年3月1日", "2024年的3月1日"),
        ("88886666", "0571-88886666"),
        ("12000元", "1.2万元"),
        ("200元", "费用：200"),
        ("下午5点", "17:00"),
        ("www.zwfw.gov.cn", "https://www.zwfw.gov.cn/portal"),
        ("第二步，缴费", "1. 登记\n2. 缴费"),
        ("5%", "百分之五"),
    ],
)
def test_what_a_source_states_in_another_form(answer: str, source: str) -> None:
    assert ungrounded(answer, ["无关的话", source]) == []


@pytest.mark.parametrize(
    ("answer", "source", "missing"),
    [
        ("收费120元", "收费1200元", ["120元"]),
        ("满8岁", "满18岁", ["8岁"]),
        ("十日", "二十日", ["十日"]),
        ("30元", "30日", ["30元"]),
        ("15日", "15个工作日", ["15日"]),
        ("第三条", "三天", ["第三条"]),
        ("1200年，30号", "1200家，30日", ["1200年", "30号"]),
        ("15天，三个月", "3月15日", ["15天", "三个月"]),
        ("2024年5月1日", "2024年3月1日，2025年5月1日", ["2024年5月1日"]),
        ("0571-88886666", "88886666", ["0571-88886666"]),
        ("zwfw.gov.cn", "www.gov.cn", ["zwfw.gov.cn"]),
        ("1. 登记\n3. 缴费", "登记后缴费", ["3"]),
        ("20元，20元，30元", "", ["20元", "30元"]),
        ("3.5元", "3元5角", ["3.5元"]),
    ],
)
def test_what_no_source_states(answer: str, source: str, missing: list[str]) -> None:
    assert ungrounded(answer, [source]) == missing


def test_a_marker_is_a_fact_where_the_list_has_a_gap() -> None:
    assert ungrounded("1. 登记\n2. 缴费\n3. 领证", []) == []
    assert ungrounded("2. 登记\n7. 领证", []) == ["2", "7"]


def test_every_numeral_reads_as_what_it_writes() -> None:
    for number in (*range(3000), 10_500, 99_999, 120_000, 10**6, 10**8, 120_500_000):
        assert {numerals.value(form) for form in numerals.written(number)} == {number}


@pytest.mark.parametrize("text", ["万一", "三四", "二三十", "千万", "一一", "百", ""])
def test_what_writes_no_number(text: str) -> None:
    assert numerals.value(text) is None


@pytest.mark.parametrize(
    ("text", "number"), [("一万二", 12_000), ("二百五", 250), ("两百零五", 205)]
)
def test_numerals_as_people_say_them(text: str, number: int) -> None:
    assert numerals.value(text) == number
