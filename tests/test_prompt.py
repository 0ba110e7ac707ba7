from __future__ import annotations

from pathlib import Path

import pytest

from pocketqa import prompt
from pocketqa.dialogue import Turn
from pocketqa.engine import Message
from pocketqa.errors import PocketQAError
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
    *_, last = prompt.build("S", "身份证?", [], "材料:\nX")
    assert last == {"role": "user", "content": "材料:\nX\n\n问题:身份证?"}
    assert prompt.build("S", "身份证?", [], "")[-1]["content"] == "身份证?"


def test_the_last_grounded_turns_only_and_cut() -> None:
    turns = [Turn(f"q{n}", "答" * 1000) for n in range(4)]
    absent = prompt.ABSENT["zh"].format(what="时限") + "到派出所申请补领。"
    history = [*turns, Turn("天气?", "抱歉", grounded=False), Turn("多久?", absent)]
    messages = prompt.build("S", "身份证?", history, "材料:\nX")
    asked = [message["content"] for message in messages if message["role"] == "user"]
    assert asked[:-1] == ["q2", "q3"]
    assert len(messages[2]["content"]) == prompt.MAX_TURN


def test_the_questions_language_is_the_answers() -> None:
    assert prompt.language("ID card 身份证") == "zh" and prompt.language("ID card?") == "en"


def size(messages: list[Message]) -> int:
    return sum(len(message["content"]) for message in messages)


@pytest.mark.parametrize(
    ("room", "turns", "passages"), [(1000, 2, 2), (75, 1, 2), (60, 0, 2), (50, 0, 1), (32, 0, 1)]
)
def test_what_does_not_fit_goes(room: int, turns: int, passages: int) -> None:
    history = [Turn("问一", "答一" * 5), Turn("问二", "答二" * 5)]
    found = [CURATED, DOCUMENT]
    messages, used = prompt.grounded("S", "身份证?", history, found, lambda m: size(m) <= room)
    assert size(messages) <= room
    assert (len(messages) - 2) / 2 == turns
    assert (DOCUMENT.text in messages[-1]["content"]) is (passages == 2) and len(used) == passages
    assert messages[-1]["content"].endswith("问题:身份证?")


def test_a_template_file_overrides(tmp_path: Path) -> None:
    file = tmp_path / "prompts.ini"
    file.write_text("[zh]\nchat = 只说\n  材料。50%\nasked = {question}|{material}\n", "utf-8-sig")
    read = prompt.load(file)
    assert read["zh"].chat == "只说\n材料。50%" and read["zh"].qa == prompt.ZH.qa
    assert read["en"] == prompt.EN and prompt.load(None) is prompt.WORDINGS
    asked = prompt.build("S", "问{material}", [], "料{question}", read["zh"].asked)[-1]["content"]
    assert asked == "问{material}|料{question}"


@pytest.mark.parametrize(
    "text", ["[fr]\nchat = a", "[zh]\nchatt = a", "[zh]\nasked = a", "chat = a", "[zh]\nx"]
)
def test_a_wrong_template_file_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "prompts.ini").write_text(text, "utf-8")
    with pytest.raises(PocketQAError, match="prompts.ini") as caught:
        prompt.load(tmp_path / "prompts.ini")
    assert caught.value.code == "bad_config"
    with pytest.raises(PocketQAError):
        prompt.load(tmp_path / "missing.ini")
