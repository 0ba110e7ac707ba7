"""`pocketqa dialogues` and `pocketqa stats`, on a database that a server has written."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from test_turns import KEY, OTHER, asked, say

from pocketqa import passages
from pocketqa.cli import main
from pocketqa.dialogue import Key
from pocketqa.protocol import Received
from pocketqa.storage import Database, Turns


@pytest.fixture(autouse=True)
def turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Turns:
    """Some dialogues of two people and a room."""
    url = f"sqlite:///{tmp_path}/pocketqa.db"
    monkeypatch.setenv("POCKETQA_DATABASE_URL", url)
    turns = Turns(Database(url))
    say(turns, KEY, "身份证丢了怎么办?", "请补领。\n带上户口簿。")
    say(turns, KEY, "要多少钱", "二十元。")
    say(turns, OTHER, "我叫张三", "您好。")
    say(turns, Key("room:hall", "d"), "=1+1", "-2")
    for question in ("火星几点开门?", "火星几点开门", "火星几点开门？", "有|吗", "有吗"):
        turn = turns.begin(Key("room:hall", "e"), asked(question, request_id="r"))
        turns.end(turn, "stop", Received(way="refused"))
    return turns


def run(*arguments: str, code: int = 0, answer: str = "") -> Result:
    done = CliRunner().invoke(main, list(arguments), input=answer)
    assert done.exit_code == code, done.output
    return done


def test_list_chooses_by_owner_name_and_text() -> None:
    assert len(run("dialogues", "list").output.splitlines()) == 4
    (line,) = run("dialogues", "list", "--owner", KEY.owner).output.splitlines()
    assert "2 轮" in line and "身份证丢了怎么办?" in line
    assert len(run("dialogues", "list", "--dialogue", "d").output.splitlines()) == 3
    (found,) = run("dialogues", "list", "--text", "张三", "--json").output.splitlines()
    assert json.loads(found)["owner"] == OTHER.owner
    assert run("dialogues", "list", "--text", "%").output == ""


def test_show_is_for_reading() -> None:
    shown = run("dialogues", "show", "d", "--owner", KEY.owner).output
    assert shown.startswith("# 身份证丢了怎么办?\n")
    assert "> 要多少钱\n\n二十元。\n" in shown and "《身份证丢了怎么办?》" in shown
    assert "--owner" in run("dialogues", "show", "d", code=1).output
    assert "没有这样的对话" in run("dialogues", "show", "nowhere", code=1).output


def test_export_in_each_format(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    run("dialogues", "export", str(file), "--owner", KEY.owner)
    first, second = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert first["owner"] == KEY.owner and first["answer"] == "请补领。\n带上户口簿。"
    assert second["question"] == "要多少钱" and second["clue"]["sources"][0]["title"]
    run("dialogues", "export", str(file), "--format", "csv")
    text = file.read_bytes().decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len(rows) == 1 + 9 and len({len(row) for row in rows}) == 1
    assert ["'=1+1", "'-2"] in [row[4:6] for row in rows], "no formula reaches a spreadsheet"
    said = run("dialogues", "export", "-", "--format", "md", "--text", "张三").stdout
    assert "> 我叫张三" in said and "要多少钱" not in said
    assert "--format" in run("dialogues", "export", str(tmp_path / "out.pdf"), code=1).output
    missing = run("dialogues", "export", str(tmp_path / "no" / "out.csv"), code=1)
    assert "无法写入" in missing.output


def test_delete_by_owner_forgets_a_person(tmp_path: Path, turns: Turns) -> None:
    assert "--owner" in run("dialogues", "delete", code=1).output
    run("dialogues", "delete", "--owner", OTHER.owner, code=1, answer="n\n")
    assert turns.list(OTHER.owner)
    run("dialogues", "delete", "--owner", OTHER.owner, "--yes")
    assert not turns.list(OTHER.owner) and turns.list(KEY.owner)
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("pocketqa.db*") if file.is_file())
    assert "身份证丢了" in kept.decode("utf-8", "ignore")
    assert "张三" not in kept.decode("utf-8", "ignore"), "nothing is left in the files"
    run("dialogues", "delete", "--owner", OTHER.owner, "--yes")


def test_delete_by_dialogue_and_by_text(turns: Turns) -> None:
    run("dialogues", "delete", "--owner", "room:hall", "--dialogue", "e", "--yes")
    assert [listed.dialogue for listed in turns.list("room:hall")] == ["d"]
    run("dialogues", "delete", "--text", "户口簿", "--yes")
    assert turns.list(KEY.owner) == []
    assert "没有这样的对话" in run("dialogues", "delete", "--text", "x", "--yes", code=1).output


def test_stats_for_people_and_programs(turns: Turns) -> None:
    turns.vote([KEY.owner], "r-要多少钱", "down", "太笼统")
    said = run("stats").output
    assert "问题 questions 9" in said and "太笼统" in said and "█" in said
    assert "3  火星几点开门" in said
    found = json.loads(run("stats", "--json", "--days", "0", "--limit", "1").output)
    assert found["figures"]["refused"] == 5 and len(found["top"]) == 1
    assert found["unanswered"][0]["times"] == 3 and len(found["hours"]) == 24


def test_stats_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETQA_DATABASE_URL", f"sqlite:///{tmp_path}/empty.db")
    assert "问题 questions 0" in run("stats").output
    assert run("dialogues", "list").output == ""


def test_unanswered_questions_can_be_answered_and_imported(tmp_path: Path) -> None:
    file = tmp_path / "todo.csv"
    run("stats", "--unanswered", str(file))
    text = file.read_bytes().decode("utf-8-sig")
    head, first, *rest = csv.reader(io.StringIO(text, newline=""))
    assert head[:3] == ["问题", "答案", "相似问法"] and len(rest) == 1
    assert first[0] in ("火星几点开门?", "火星几点开门", "火星几点开门？") and first[5] == "3"
    first[1] = "早上七点。"
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        csv.writer(out).writerows([head, first, *rest])
    found, faults = passages.read([file])
    assert [each.text for each in found] == ["早上七点。"]
    assert len(faults) == 1, "what has no answer yet is reported and left out"
    assert len(found[0].similar) == 2


def test_an_unusable_database_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for url, word in (
        ("mysql://x/y", "POCKETQA_DATABASE_URL"),
        ("nonsense", "POCKETQA_DATABASE_URL"),
        ("sqlite:////proc/no/pocketqa.db", "数据库无法使用"),
        ("postgresql://u:secret@127.0.0.1:1/x", "数据库无法使用"),
    ):
        monkeypatch.setenv("POCKETQA_DATABASE_URL", url)
        output = run("dialogues", "list", code=1).output
        assert word in output and "secret" not in output and "Traceback" not in output
