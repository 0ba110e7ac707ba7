"""The files of knowledge/: complete, in the agreed form, nothing twice; and tests of that check."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from pocketqa.analysis import normalise
from pocketqa.passages import Passage, read

KNOWLEDGE = Path(__file__).parent.parent / "knowledge"
CATEGORIES = """
    居民身份证 户口 社会保险 医保 公积金 驾驶证与机动车 出入境
    婚姻登记 养老服务 住房 税务 营业执照 劳动 教育
""".split()

# An interpretation's title holds the law's: 《…关于适用《民法典》婚姻家庭编的解释（一）》.
_NUMBER = "[一二三四五六七八九十百千零]+"
_ARTICLE = rf"《[^《》；]+(《[^《》；]+》[^《》；]*)?》第{_NUMBER}条(之{_NUMBER})?"
CITATION = re.compile(rf"{_ARTICLE}(；{_ARTICLE})*")
CONTACT = re.compile(
    r"https?:|www\.|\.(com|cn|gov)\b|(?<!\d)1\d{10}(?!\d)|\d{3,4}-\d{7,8}|123\d{2,3}(?!\d)"
)


def problems(passages: list[Passage]) -> list[str]:
    """Everything that is wrong with single passages, as "place: what"."""
    found = []
    seen: dict[str, str] = {}
    for p in passages:
        wrong = []
        for field in ("title", "text", "category", "source"):
            if not getattr(p, field).strip() and not (p.kind == "smalltalk" and field == "source"):
                wrong.append(f"no {field}")
        if p.kind != "smalltalk" and not CITATION.fullmatch(p.source):
            wrong.append(f"citation {p.source}")
        if p.kind != "document":
            if len(p.similar) < 2:
                wrong.append("fewer than 2 similar questions")
            for question in (p.title, *p.similar):
                earlier = seen.setdefault(normalise(question), p.place)
                if (
                    earlier != p.place
                    or [*map(normalise, (p.title, *p.similar))].count(normalise(question)) > 1
                ):
                    wrong.append(f"{question} is in {earlier} too")
        if CONTACT.search(" ".join((p.title, p.text, *p.similar))):
            wrong.append("a telephone number or an address")
        found += [f"{p.place}: {what}" for what in wrong]
    return found


@pytest.fixture(scope="module")
def passages() -> list[Passage]:
    found, faults = read([KNOWLEDGE])
    assert not faults, "\n".join(map(str, faults))
    return found


def test_every_passage_is_in_order(passages: list[Passage]) -> None:
    assert not problems(passages), "\n".join(problems(passages))


def test_there_is_enough_of_every_topic(passages: list[Passage]) -> None:
    topics = Counter(p.category for p in passages if p.kind == "curated")
    assert sum(topics.values()) >= 300
    assert {topic: topics[topic] for topic in CATEGORIES if topics[topic] < 15} == {}


def test_procedures_have_sections(passages: list[Passage]) -> None:
    sections: dict[str, set[str]] = {}
    for p in passages:
        if p.kind == "document":
            title, _, section = p.title.partition(" › ")
            sections.setdefault(title, set()).add(section)
    assert len(sections) >= 20
    assert {
        title: found for title, found in sections.items() if len(found) < 3 or "" in found
    } == {}


def test_small_talk_greets_as_agreed(passages: list[Passage]) -> None:
    talk = {p.title: p.text for p in passages if p.kind == "smalltalk"}
    assert talk["你好"] == "您好,欢迎您直接问我业务问题。"


def test_tables_open_in_excel() -> None:
    for path in KNOWLEDGE.glob("*.csv"):
        assert path.read_text(encoding="utf-8").startswith("\ufeff问题,答案,"), path


GOOD = Passage(
    "1",
    "护照丢了怎么办？",
    "补发。",
    ("护照掉了", "护照没了"),
    "出入境",
    "《护照法》第十一条",
    place="a:2",
)


@pytest.mark.parametrize(
    "planted",
    [
        {"text": " "},
        {"category": ""},
        {"source": ""},
        {"source": "《护照法》第11条"},
        {"source": "《护照法》第十一条,《护照法》第十二条"},
        {"source": "护照法第十一条"},
        {"source": "《护照法》第十一条《护照法》第十二条"},
        {"similar": ("只有一个",)},
        {"similar": ("护照丢了 怎么办", "乙")},
        {"similar": ("护照掉了", "护照掉了！")},
        {"text": "请拨打12345咨询。"},
        {"text": "请拨打010-12345678。"},
        {"text": "请拨打13800138000。"},
        {"text": "请登录 www.example.cn 办理。"},
    ],
)
def test_the_check_finds_planted_faults(planted: dict[str, object]) -> None:
    assert problems([GOOD]) == []
    assert problems([replace(GOOD, **planted)])  # type: ignore[arg-type]


def test_the_check_finds_what_is_twice() -> None:
    other = replace(GOOD, title="别的？", similar=("护照没了。", "丁"), place="b:3")
    assert problems([GOOD, other]) == ["b:3: 护照没了。 is in a:2 too"]
    assert problems([replace(GOOD, source="《护照法》第十一条；《居住证条例》第二十条之一")]) == []


def test_the_counts_in_the_documents_are_true() -> None:
    passages, _ = read([KNOWLEDGE])
    curated = [passage for passage in passages if passage.kind == "curated"]
    documents = [passage for passage in passages if passage.kind == "document"]
    text = (KNOWLEDGE.parent / "docs" / "knowledge.md").read_text(encoding="utf-8")
    similar = sum(len(passage.similar) for passage in curated)
    assert f"{len(curated)}, in 14 topics" in text and f"{similar:,} similar questions" in text
    assert f"{len(documents)} passages" in text
