from __future__ import annotations

from collections.abc import Iterator

import pytest
from fakes import FakeModel

from pocketqa.dialogue import Turn
from pocketqa.engine import Engine
from pocketqa.writing import MAX_HISTORY_TOKENS, SYSTEM, messages, without_loops

TASK = "写一份停水通知"


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(FakeModel)
    engine.wait()
    yield engine
    engine.close()


def turns(count: int, length: int) -> list[Turn]:
    return [Turn(f"第{n}问", "答" * length) for n in range(count)]


def test_a_task_after_its_dialogue(engine: Engine) -> None:
    history = [Turn("写一封信", "尊敬的先生："), Turn("再短一点", "先生：", grounded=False)]
    system, *earlier, asked = messages(TASK, history, engine)
    assert system == {"role": "system", "content": SYSTEM["zh"]}
    assert [message["content"] for message in earlier] == [
        "写一封信", "尊敬的先生：", "再短一点", "先生：",
    ]  # fmt: skip
    assert asked == {"role": "user", "content": TASK}


def test_english_in_english(engine: Engine) -> None:
    assert messages("Write a short letter", [], engine)[0]["content"] == SYSTEM["en"]


@pytest.mark.parametrize(
    ("count", "length", "kept"), [(10, 100, 10), (10, 400, 4), (3, MAX_HISTORY_TOKENS, 0)]
)
def test_whole_turns_are_left_out_the_oldest_first(
    engine: Engine, count: int, length: int, kept: int
) -> None:
    built = messages(TASK, turns(count, length), engine)
    questions = [message["content"] for message in built[1:-1:2]]
    assert questions == [f"第{n}问" for n in range(count - kept, count)]


@pytest.mark.parametrize("limit", [256, 500, 2_000])
def test_no_prompt_is_longer_than_the_model_reads(limit: int) -> None:
    model = FakeModel(max_prompt_tokens=limit)
    engine = Engine(lambda: model)
    engine.wait()
    built = messages(TASK, turns(30, 90), engine)
    assert model.count(built) <= limit and built[-1]["content"] == TASK
    engine.close()


def test_a_task_is_never_cut(engine: Engine) -> None:
    long = "写" * 7_000
    assert [message["content"] for message in messages(long, turns(1, 1), engine)][1:] == [long]


@pytest.mark.parametrize("step", [1, 3, 50])
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("请大家准时参加会议。谢谢！谢谢！", None),
        ("请大家准时参加会议。请大家带好笔记本。请大家准时参加会议。再见。", 19),
        ("请大家准时参加会议。\n\n请大家准时参加会议。", 12),
        ("请大家准时参加会议。请大家准时参", None),
        ("没有句号" * 9, None),
    ],
)
def test_what_begins_to_repeat_itself_ends(text: str, shown: int | None, step: int) -> None:
    deltas = (text[n : n + step] for n in range(0, len(text), step))
    said = "".join(without_loops(deltas))
    assert said.rstrip() == text[:shown].rstrip()
