from __future__ import annotations

from pocketqa import prompt
from pocketqa.dialogue import Turn
from pocketqa.passages import Passage

CURATED = Passage(id="1", title="身份证丢失了怎么补办?", text="到派出所申请补领。")
DOCUMENT = Passage(id="2", title="补领流程 › 材料", text="户口簿。", kind="document")


def test_material_names_each_passage() -> None:
    text = prompt.material([CURATED, DOCUMENT])
    assert text == (
        "材料:\n问：身份证丢失了怎么补办?\n答：到派出所申请补领。\n\n补领流程 › 材料\n户口簿。"
    )
    assert prompt.material([]) == ""


def test_as_many_passages_as_fit_and_at_least_one() -> None:
    long = Passage(id="3", title="长", text="长" * (prompt.MAX_MATERIAL + 1))
    assert prompt.fitting([CURATED, DOCUMENT]) == 2
    assert prompt.fitting([CURATED, long, DOCUMENT]) == 1
    assert prompt.fitting([long, CURATED]) == 1
    assert prompt.fitting([]) == 0


def test_the_question_comes_last_after_the_material() -> None:
    *_, last = prompt.build("身份证?", [], "材料:\nX")
    assert last == {"role": "user", "content": "材料:\nX\n\n问题:身份证?"}
    assert prompt.build("身份证?", [], "")[-1]["content"] == "身份证?"


def test_the_last_grounded_turns_only_and_cut() -> None:
    turns = [Turn(f"q{n}", "答" * 1000) for n in range(4)]
    history = [*turns, Turn("天气?", "抱歉", grounded=False)]
    messages = prompt.build("身份证?", history, "材料:\nX")
    asked = [message["content"] for message in messages if message["role"] == "user"]
    assert asked[:-1] == ["q2", "q3"]
    assert len(messages[2]["content"]) == prompt.MAX_TURN


def test_the_questions_language_is_the_answers() -> None:
    assert prompt.language("ID card 身份证") == "zh" and prompt.language("ID card?") == "en"
    assert "English" in prompt.build("Where?", [], "材料:\nX")[0]["content"]
