"""Related questions: neighbours that say something else, over the demo knowledge."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import ROOT

from pocketqa.analysis import normalise
from pocketqa.passages import Passage
from pocketqa.related import Neighbours
from pocketqa.retriever import Retriever


@pytest.fixture(scope="module")
def demo(demo_index: Path) -> Iterator[Retriever]:
    opened = Retriever.open(demo_index)
    yield opened
    opened.close()


def passage(title: str, text: str = "", kind: str = "curated", **more: object) -> Passage:
    return Passage(f"{kind}-{title}", title, text or f"{title}的答复", kind=kind, **more)  # type: ignore[arg-type]


def even(_: str) -> float:
    return 1.0


def test_paraphrases_and_repeats_are_not_offered() -> None:
    answered = passage("护照丢了怎么补办", similar=("护照遗失如何补领",))
    chosen = Neighbours(even, ["护照收费标准是多少"], answered)
    assert not chosen.offer(answered)
    assert not chosen.offer(passage("护照遗失怎么补领？"))
    assert not chosen.offer(passage("请问护照收费标准？"))
    assert not chosen.offer(passage("出国证件没了怎么重新申请", text=answered.text))
    assert chosen.offer(passage("护照有效期是几年"))
    assert not chosen.offer(passage("护照的有效期是几年？"))
    assert chosen.curated == ["护照有效期是几年"]


def test_curated_questions_come_before_documents() -> None:
    chosen = Neighbours(even, ["护照"], None)
    assert chosen.offer(passage("护照办理指南 › 材料", kind="document"))
    assert chosen.offer(passage("港澳通行证怎么签注"))
    assert not chosen.offer(passage("你好", kind="smalltalk"))
    assert (chosen.curated, chosen.documents) == (["港澳通行证怎么签注"], ["护照办理指南 › 材料"])


def test_over_all_hall_questions_three_others_are_offered_that_can_be_answered(
    demo: Retriever,
) -> None:
    lines = (ROOT / "benchmarks/hall/queries.jsonl").read_text(encoding="utf-8").splitlines()
    for row in list(map(json.loads, lines))[::25]:
        hits = demo.retrieve(row["text"], 20)
        offered = demo.related(row["text"], hits)
        assert len({normalise(each) for each in offered}) == 3
        answers = [demo.retrieve(each, 1)[0] for each in offered]
        assert all(hit.score == 1.0 for hit in answers)
        assert len({hit.passage.text for hit in [hits[0], *answers]}) == 4


def test_what_was_refused_is_offered_the_nearest(demo: Retriever) -> None:
    offered = demo.related("身份证照片能戴美瞳吗", [])
    assert len(offered) == 3 and any("身份证" in each for each in offered)


def test_a_dialogue_that_goes_on_gets_ever_new_offers(demo: Retriever) -> None:
    question, seen = "身份证丢了怎么办", []
    for _ in range(4):
        offered = demo.related(question, demo.retrieve(question), exclude=[question, *seen])
        assert not set(offered) & set(seen)
        seen += offered
