"""The real default model and passages that lack just what is asked for: does it make it up?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from servers import ROOT

from pocketqa import models, prompt
from pocketqa.config import Config
from pocketqa.engine import Constraint, Engine, Options
from pocketqa.grounding import NumbersFrom, asks_for, has
from pocketqa.grounding.facts import ungrounded
from pocketqa.passages import Passage

TEMPTING = ROOT / "tests" / "tempting.jsonl"


@dataclass(frozen=True)
class Case:
    """A question for what its passage does not say."""

    kind: str
    question: str
    title: str
    text: str

    @property
    def sources(self) -> list[str]:
        return [self.title, self.text, self.question]


def cases() -> list[Case]:
    lines = TEMPTING.read_text(encoding="utf-8").splitlines()
    return [Case(**json.loads(line)) for line in lines]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    from pocketqa.engine import model

    config = Config()
    path = models.resolve(config.model, config.home)
    engine = Engine(lambda: model.load(path, threads=2))
    engine.wait()
    yield engine
    engine.close()


def answers(
    engine: Engine, asked: Sequence[Case], constraints: Sequence[Constraint | None]
) -> list[str]:
    """What the model says to each, several at a time."""
    running = [
        engine.submit(
            prompt.build(
                prompt.ZH.chat,
                case.question,
                [],
                prompt.material([Passage("1", case.title, case.text)]),
            ),
            Options(48, constraint=constraint),
        )
        for case, constraint in zip(asked, constraints, strict=True)
    ]
    return [_whole("".join(generation), generation.finish_reason) for generation in running]


def _whole(said: str, reason: str | None) -> str:
    """Less the number that the limit has cut."""
    assert reason in ("stop", "length")
    return said if reason == "stop" else re.sub(r"[\w.-]*$", "", said, flags=re.ASCII)


def test_the_passages_lack_what_is_asked_for() -> None:
    found = cases()
    assert len(found) >= 40
    noticed = [
        case
        for case in found
        if (kind := asks_for(case.question)) and not has(kind, [case.title, case.text])
    ]
    assert len(noticed) >= 0.75 * len(found)


@pytest.mark.model
def test_under_the_constraint_no_number_is_made_up(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = cases()
    free = answers(engine, asked, [None] * len(asked))
    bound = answers(engine, asked, [NumbersFrom(case.sources) for case in asked])
    wrong = [ungrounded(said, case.sources) for case, said in zip(asked, free, strict=True)]
    with capsys.disabled():
        print(f"\nwithout the constraint {sum(map(bool, wrong))} of {len(asked)} answers make up")
        for case, said, numbers, other in zip(asked, free, wrong, bound, strict=True):
            if numbers:
                print(f"{case.question} {numbers}\n  free:  {said!r}\n  bound: {other!r}")
    for case, said in zip(asked, bound, strict=True):
        assert ungrounded(said, case.sources) == [], said


@pytest.mark.model
def test_a_grounded_answer_is_the_same_under_the_constraint(engine: Engine) -> None:
    asked = cases()
    free = answers(engine, asked, [None] * len(asked))
    right = [
        (case, said)
        for case, said in zip(asked, free, strict=True)
        if not ungrounded(said, case.sources)
    ]
    constraints = [NumbersFrom([*case.sources, said]) for case, said in right]
    bound = answers(engine, [case for case, _ in right], constraints)
    assert bound == [said for _, said in right]
