"""The check of an answer against its passages, and what a question asks for."""

from __future__ import annotations

import sys

import pytest
from servers import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import grounding as benchmark

from pocketqa.grounding import Verdict, check
from pocketqa.grounding.aspects import KINDS, NAMES, asks_for, has

PASSAGE = (
    "居民身份证丢失后，您应当向常住户口所在地的公安机关申请补领：交验居民户口簿，并登记指纹信息。"
    "公安机关自您提交登记表之日起六十日内发证。补领应当缴纳证件工本费。未满十六周岁的，由监护人代为申领。"
)


@pytest.mark.parametrize(
    "answer",
    [
        PASSAGE,
        "请到户口所在地的公安机关申请补领，带上居民户口簿。60日内发证。",
        "办理步骤如下：\n1. 交验居民户口簿。\n2. 登记指纹信息。",
        "材料里没有写明工本费的金额。",
        "可以。",
        "",
    ],
)
def test_what_the_passage_says_passes(answer: str) -> None:
    assert check(answer, "身份证丢了怎么补办？", ["身份证丢失怎么补办", PASSAGE]).passes


@pytest.mark.parametrize(
    ("answer", "numbers", "unsupported"),
    [
        ("公安机关自您提交登记表之日起三十日内发证。", ("三十日",), ()),
        (
            "补领可以通过手机应用在线付款并邮寄到家。",
            (),
            ("补领可以通过手机应用在线付款并邮寄到家。",),
        ),
        ("补领不应当缴纳证件工本费。", (), ("补领不应当缴纳证件工本费。",)),
        ("交验居民户口簿。还要单位介绍信和近期照片。", (), ("还要单位介绍信和近期照片。",)),
    ],
)
def test_what_it_does_not_say_is_found(
    answer: str, numbers: tuple[str, ...], unsupported: tuple[str, ...]
) -> None:
    assert check(answer, "怎么补办？", [PASSAGE]) == Verdict(numbers, unsupported)


def test_the_question_is_a_source_of_facts() -> None:
    assert check("您14岁，由监护人代为申领。", "我14岁怎么办？", [PASSAGE]).numbers == ()
    assert check("您14岁，由监护人代为申领。", "怎么办？", [PASSAGE]).numbers == ("14岁",)


def test_without_passages_nothing_is_supported() -> None:
    assert check("公安机关会在线受理。", "", []).unsupported == ("公安机关会在线受理。",)


def test_the_labelled_sentences_are_told_apart() -> None:
    judged = benchmark.judge()
    assert (
        len(judged) >= 120 and 0.4 < sum(each.is_supported for each in judged) / len(judged) < 0.6
    )
    reported = benchmark.figures(benchmark.halves(judged)[1])
    assert reported.precision >= 0.9 and reported.recall >= 0.65 and reported.auc >= 0.9


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("补办身份证要多少钱？", "money"),
        ("押金是多少", "money"),
        ("办护照多久能拿到？", "duration"),
        ("审批的时限是多长", "duration"),
        ("咨询电话是多少？", "phone"),
        ("该打哪个电话", "phone"),
        ("网上办理的网址是什么？", "web"),
        ("报名的截止日期是哪天？", "date"),
        ("你们几点下班？", "hours"),
        ("窗口地址在哪里？", "address"),
        ("几岁可以领？", "age"),
        ("税率是多少？", "percent"),
        ("依据的是第几条？", "article"),
        ("How much is the fee?", "money"),
        ("需要什么材料？", None),
        ("公积金账户有多少钱找谁问", None),
        ("社保断了几个月能补上吗", None),
        ("第几代身份证要换？", None),
    ],
)
def test_what_a_question_asks_for(question: str, kind: str | None) -> None:
    assert asks_for(question) == kind


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("money", "工本费二十元"),
        ("money", "免收费用"),
        ("money", "最高额度由管理委员会确定"),
        ("duration", "当场办结"),
        ("duration", "15个工作日"),
        ("phone", "拨打12345"),
        ("web", "登录www.gov.cn办理"),
        ("date", "每年六月三十日前"),
        ("hours", "上午九点至十一点半"),
        ("age", "年满十六周岁"),
        ("percent", "百分之三"),
        ("article", "第三十二条"),
    ],
)
def test_what_a_text_has(kind: str, text: str) -> None:
    assert has(kind, ["无关", text])  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"duration", "age"}))
def test_what_a_text_lacks(kind: str) -> None:
    text = "应当缴纳工本费，材料有户口簿三份。1. 填表\n2. 拍照"
    assert not has(kind, [text])  # type: ignore[arg-type]
    assert all(NAMES[kind])  # type: ignore[index]
