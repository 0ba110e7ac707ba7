"""Decoding under a constraint, with models that want to say wrong numbers."""

from __future__ import annotations

import random

import numpy as np
import pytest
from fake_network import Start
from wanting import WantingModel, ask

from pocketqa.engine import Options
from pocketqa.engine.sampling import MOST, NONE, likeliest_allowed, picker
from pocketqa.grounding.constraining import NumbersFrom
from pocketqa.grounding.facts import ungrounded

pytest_plugins = ["batching"]
SOURCE = (
    "公安机关自您提交登记表之日起六十日内发证，延长不超过三十日。年满十六周岁的，交工本费20元。电话0571-88886666、"
    "12345，网址https://www.zwfw.gov.cn/a。2024年3月1日起施行，每天9:00至17:00，30个工作日办结。依照第十二条。"
    "利率3.25%，补贴1.2万元。办理五险一金，准驾车型C1。2021-05-06修改。手机138 0000 1111。"
)
PIECES = [
    "\n",
    *(
        "办理 领取 一般 统一 一个人 。 ， 1. 2. 3. 第一步， 第二步， （一） （二） "
        "需要以下三种材料： 元 日 个月 年 个工作日 周岁 六 十 三 二 百 万 第 条 % . - : 20 "
        "30 60 16 120 3.25 3.5 六十 三十 十六 十二 二十 12345 0571-88886666 0571-8888 "
        "https://www.zwfw.gov.cn/a http://abc.com zwfw.gov.cn C1 C2 2024年3月1日 2024年5月 "
        "9:00 9:30 百分之五 1.2万 12,000 五险一金 138 年满 两 半 每天 点 号"
    ).split(),
]


@pytest.mark.parametrize(
    "said",
    "六十日内发证|60天|三十日|年满16周岁|二十元|88886666|0571-88886666。|https://www.zwfw.gov.cn/a。|www.zwfw.gov.cn|"
    "2024年3月1日|二〇二四年三月一日|3月1日|2024-03-01|2021年5月6日|9:00-17:00|下午5点|三十个工作日|第12条|"
    "百分之三点二五|12000元|12,000元|一万二千元|五险一金|C1|一般统一办理一下，一个人|需要以下三种材料：（一）证件；（二）照片。|"
    "第一步，登记；第二步，缴费|20-30|1. 登记\n2. 缴费20元\n3. 领证|138 0000 1111|２０元".split(
        "|"
    ),
)
def test_what_sources_state_may_be_said_in_either_script(said: str) -> None:
    constraint = NumbersFrom([SOURCE + "百分之三点二五"])
    for at, char in enumerate(said):
        assert constraint.allows(said[:at], char), said[: at + 1]
    assert constraint.may_end(said)


@pytest.mark.parametrize(
    ("before", "wrong"),
    [
        ("六十", "五"),
        ("12", "元"),
        ("", "50"),
        ("1", "8岁"),
        ("第十", "三"),
        ("2024年", "5"),
        ("0571-8", "7"),
        ("http", "s://abc"),
        ("abc.", "com"),
        ("3.", "5"),
        ("C", "2"),
        ("12", "万"),
        ("一个", "月"),
        ("5个", "工作日"),
        ("60个", "工"),
        ("9:", "3"),
        ("1. 登记\n", "4"),
        ("以下30", "元"),
        ("12345", "6"),
        ("第", "三"),
        ("", "亿"),
        ("20元/", "7"),
        ("30", "元"),
        ("２", "５"),
    ],
)
def test_what_sources_do_not_state_may_not(before: str, wrong: str) -> None:
    constraint = NumbersFrom([SOURCE])
    assert constraint.allows("", before) and not constraint.allows(before, wrong)


def test_an_answer_may_not_end_within_a_number() -> None:
    constraint = NumbersFrom(["费用1200元，电话0571-88886666，网址www.gov.cn"])
    assert not any(map(constraint.may_end, ["费用12", "电话0571-8888", "网址www.go", "二"][:3]))
    assert all(map(constraint.may_end, ["费用1200", "电话88886666", "www.gov.cn", "", "一"]))


def wanted(seed: int) -> str:
    """A text of right, wrong and broken numbers."""
    return "".join(random.Random(seed).choices(PIECES, k=20))


@pytest.mark.parametrize("digits", [1, 3])
@pytest.mark.parametrize("temperature", [0.0, 0.7, 2.0])
def test_no_answer_says_a_number_that_its_sources_lack(
    start: Start, temperature: float, digits: int
) -> None:
    texts = [wanted(seed) for seed in range(15)]
    constraint = NumbersFrom([SOURCE])
    engine = start(WantingModel(texts, digits), max_streams=8)
    options = Options(80, temperature, 1, constraint=constraint)
    running = [engine.submit(ask(n), options) for n in range(len(texts))]
    wrong, ended = {}, 0
    for generation in running:
        answer = "".join(generation)
        if generation.finish_reason == "stop":  # the limit may cut a number
            ended += 1
            wrong[answer] = ungrounded(answer, [SOURCE])
    assert {answer: each for answer, each in wrong.items() if each} == {}
    assert ended > len(texts) / 3
    assert any(generation.steered for generation in running)
    assert sum(bool(ungrounded(text, [SOURCE])) for text in texts) > len(texts) / 2


def test_what_states_only_facts_of_the_sources_is_said_as_without(start: Start) -> None:
    texts = [
        SOURCE,
        "1. 年满16周岁。\n2. 交二十元。\n3. 60日内领证。",
        "可在六十日内办理，电话12345。",
    ]
    engine = start(WantingModel(texts, 3))
    for n, text in enumerate(texts):
        options = Options(400, constraint=NumbersFrom([SOURCE]))
        generation = engine.submit(ask(n), options)
        assert "".join(generation) == text
        assert generation.steered == 0


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_drafts_and_company_change_nothing(start: Start, temperature: float) -> None:
    texts = [wanted(seed) + wanted(seed) for seed in range(8)]
    options = Options(90, temperature, 3, constraint=NumbersFrom([SOURCE]))
    alone = start(WantingModel(texts, speculative=False), max_streams=1)
    together = start(WantingModel(texts, speculative=True), max_streams=8)
    running = [together.submit(ask(n), options) for n in range(len(texts))]
    for n, generation in enumerate(running):
        assert "".join(generation) == "".join(alone.submit(ask(n), options))
    for _ in range(20):  # drafts are made where they save time, as measured: not in every step
        if temperature or together.stats()["accepted"]:
            break
        "".join(together.submit(ask(0), options))
    assert bool(together.stats()["accepted"]) == (temperature == 0)


class Nothing:
    """Allows nothing, or one text only."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    def allows(self, said: str, addition: str) -> bool:
        return bool(addition) and self.text.startswith(said + addition)

    def may_end(self, said: str) -> bool:
        return False


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_where_nothing_is_allowed_the_answer_ends(start: Start, temperature: float) -> None:
    engine = start(WantingModel(["办理两件事。"]))
    generation = engine.submit(ask(0), Options(50, temperature, constraint=Nothing("办理两")))
    assert "".join(generation) == "办理两"
    assert generation.finish_reason == "stop"


def test_a_constraint_that_fails_ends_its_own_request(start: Start) -> None:
    class Failing(Nothing):
        def allows(self, said: str, addition: str) -> bool:
            raise ValueError("planted")

    engine = start(WantingModel(["办理", "领取"]))
    failing, other = (
        engine.submit(ask(n), Options(9, constraint=c)) for n, c in enumerate((Failing(), None))
    )
    assert "".join(other) == "领取"
    with pytest.raises(ValueError, match="planted"):
        "".join(failing)


def test_the_likeliest_allowed_is_the_first_in_order() -> None:
    logits = np.random.default_rng(0).integers(0, 9, 5000).astype(np.float32)
    order = np.argsort(-logits, kind="stable").tolist()
    for place in (0, 1, 7, 8, 63, 64, 65, MOST - 1):
        assert likeliest_allowed(logits, order[place].__eq__) == order[place]
    assert likeliest_allowed(logits, order[MOST].__eq__) == NONE
    assert likeliest_allowed(logits[:20], lambda token: False) == NONE


def test_the_allowed_are_drawn_with_their_chances() -> None:
    logits = np.log(np.array([0.1, 0.6, 0.2, 0.1], np.float32))
    pick = picker(Options(temperature=1.0, seed=5), lambda token: token != 1)
    drawn = np.bincount([pick(logits) for _ in range(4000)], minlength=4) / 4000
    assert np.abs(drawn - [0.25, 0, 0.5, 0.25]).max() < 0.03
