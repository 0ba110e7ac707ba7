"""`pocketqa kb`, and two writers at once: real processes on a small index."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from servers import ROOT

from pocketqa import cli, editing, export, indexing
from pocketqa.errors import KnowledgeError
from pocketqa.passages import Passage, read

FAQ = (
    "问题,答案,相似问法,分类,来源\n"
    "食堂几点开门?,早上七点。,食堂什么时候营业|饭堂开放时间,食堂,员工手册\n"
    "图书馆怎么借书?,\"凭工作证，\n在一楼。\",借书流程,图书馆,\n"
    "你好,您好！,您好|hello,闲聊,\n"
)  # fmt: skip
GUIDE = "# 入职指南\n\n## 报到\n\n第一天上午九点到前台。\n\n## 工位\n\n行政会安排工位。\n"


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """An index of three questions and a document of two sections."""
    (tmp_path / "faq.csv").write_text(FAQ, encoding="utf-8")
    (tmp_path / "guide.md").write_text(GUIDE, encoding="utf-8")
    indexing.build([tmp_path / "faq.csv", tmp_path / "guide.md"], tmp_path / "index")
    return tmp_path / "index"


def pocketqa(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pocketqa", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def titles(index: Path) -> list[str]:
    return [each.title for each in indexing.read_all(index)]


def test_a_question_from_its_coming_to_its_going(index: Path) -> None:
    question = ["--question", "停车要钱吗?", "--answer", "不要。", "--similar", "停车费|停车收费"]
    done = pocketqa("kb", "add", *question, "--index", index)
    assert done.returncode == 0 and "新增 1 条" in done.stdout, done.stderr
    done = pocketqa("kb", "update", "停车要钱吗", "--answer", "每月一百元。", "--index", index)
    assert done.returncode == 0, done.stderr
    done = pocketqa("kb", "list", "--text", "停车", "--json", "--index", index)
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert row["answer"] == "每月一百元。" and row["similar"] == ["停车费", "停车收费"]
    done = pocketqa("kb", "delete", row["id"], "--index", index)
    assert done.returncode == 0 and "停车要钱吗" in done.stdout
    assert "停车" not in pocketqa("kb", "list", "--index", index).stdout
    assert len(titles(index)) == 5


def test_faults_show_in_the_exit_status(index: Path, tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    file.write_text("问题,答案\n停车要钱吗?,不要。\n没有答案?,\n", encoding="utf-8")
    done = pocketqa("kb", "add", file, "--index", index)
    assert done.returncode == 1 and "more.csv:3:" in done.stderr and "新增 1 条" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add"], "--question"),
        (["add", "faq.csv", "--question", "甲"], "--question"),
        (["add", "--question", "甲"], "答案是空的"),
        (["add", "--answer", "甲"], "问题是空的"),
        (["add", "nowhere.csv"], "nowhere.csv"),
        (["update", "食堂几点开门"], "--answer"),
        (["update", "没有这个", "--answer", "甲"], "kb list"),
        (["update", "食堂几点开门", "--question", "你好"], "已有问题"),
        (["update", "入职指南 › 报到", "--answer", "甲"], "文档"),
        (["delete", "食堂几点开门", "没有这个"], "kb list"),
        (["delete", ""], "kb list"),
        (["export", "out.txt"], ".jsonl"),
        (["export", "/nowhere/out.csv"], "无法写入"),
        (["list", "--index", "nowhere"], "pocketqa index"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_changes(
    index: Path, arguments: list[str], said: str
) -> None:
    before = indexing.read_all(index)
    option = [] if "--index" in arguments else ["--index", index]
    done = CliRunner().invoke(cli.main, ["kb", *arguments, *map(str, option)])
    assert done.exit_code == 1 and said in done.stderr and isinstance(done.exception, SystemExit)
    assert indexing.read_all(index) == before


def test_a_new_wording_keeps_the_rest(index: Path) -> None:
    old, new = editing.update("食堂几点开门", index, question="食堂何时开门?")
    assert old.id != new.id and (new.text, new.similar, new.source) == (
        old.text, old.similar, old.source,
    )  # fmt: skip
    assert "食堂何时开门?" in titles(index) and "食堂几点开门?" not in titles(index)
    editing.update("食堂何时开门", index, similar="", category="闲聊")
    (changed,) = editing.select(index, "食堂何时")
    assert (changed.kind, changed.similar) == ("smalltalk", ()) and len(titles(index)) == 5


def test_a_question_has_one_place_as_small_talk_or_not(index: Path) -> None:
    editing.add_question(index, question="你好！", answer="请问要办什么？")
    (only,) = editing.select(index, "你好")
    assert only.kind == "curated" and len(titles(index)) == 5


def test_a_document_is_replaced_by_the_file_of_its_name(index: Path, tmp_path: Path) -> None:
    (tmp_path / "guide.md").write_text(
        "# 入职指南\n\n## 工位\n\n在三楼。\n\n## 班车\n\n早上七点半。\n", encoding="utf-8"
    )
    editing.add([tmp_path / "guide.md"], index)
    assert titles(index)[3:] == ["入职指南 › 工位", "入职指南 › 班车"]
    # Another document may have a section of the same title: nothing of the first is lost.
    (tmp_path / "other.md").write_text("# 入职指南\n\n## 工位\n\n在五楼。\n", encoding="utf-8")
    for _ in range(2):
        editing.add([tmp_path / "other.md"], index)
        found = editing.select(index, "工位")
        assert [each.text for each in found] == ["在三楼。", "在五楼。"]
        assert len({each.id for each in found}) == 2
    editing.delete(["guide.md"], index)
    assert [each.text for each in editing.select(index, "入职")] == ["在五楼。"]


def test_select(index: Path) -> None:
    assert [each.title for each in editing.select(index, "饭堂 开放")] == ["食堂几点开门?"]
    assert [each.title for each in editing.select(index, category="图书馆")] == ["图书馆怎么借书?"]
    assert editing.select(index, "饭堂", "图书馆") == []


@pytest.mark.parametrize("kind", [".csv"])
def test_what_is_exported_is_read_again(index: Path, tmp_path: Path, kind: str) -> None:
    """Nothing is lost: the demo knowledge and rows of every shape, but for places and documents."""
    editing.add([ROOT / "knowledge"], index)
    editing.add_question(
        index, question='"引号", 逗号', answer=" 多行\n\n文字; 分号\t制表\r\n", similar="甲|乙, 丙"
    )
    held = [each for each in indexing.read_all(index) if each.kind != "document"]
    file = tmp_path / f"export{kind}"
    done = pocketqa("kb", "export", file, "--index", index)
    assert done.returncode == 0 and "文档" in done.stderr
    assert file.read_bytes().startswith("\ufeff问题".encode())
    read_again, faults = read([file])
    assert not faults and bare(read_again) == bare(held)


def bare(passages: list[Passage]) -> list[tuple[object, ...]]:
    return [(p.id, p.title, p.text, p.similar, p.category, p.source, p.kind) for p in passages]


def test_jsonl_has_everything(index: Path, tmp_path: Path) -> None:
    file = tmp_path / "export.jsonl"
    done = pocketqa("kb", "export", file, "--index", index)
    assert done.returncode == 0 and not done.stderr
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [row.get("question") or row["title"] for row in rows] == titles(index)
    assert rows[0]["similar"] == ["食堂什么时候营业", "饭堂开放时间"]
    assert rows[3]["kind"] == "document" and rows[3]["text"] == "第一天上午九点到前台。"


def test_what_csv_cannot_hold_is_said() -> None:
    with pytest.raises(KnowledgeError, match="jsonl"):
        export.to_csv([Passage("1", "甲", "乙", similar=("丙|丁",))])


HOLDER = """
import sys, time
from pathlib import Path
from pocketqa import generations
with generations.lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def holder(index: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes to the index for a while."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(index), str(request.param)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout and process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.parametrize("holder", [60], indirect=True)
def test_the_second_writer_hears_who_is_first(
    index: Path, tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    began = time.monotonic()
    for command in (["index", tmp_path / "faq.csv", "--out"], ["kb", "delete", "你好", "--index"]):
        done = pocketqa(*command, index)
        assert done.returncode == 1 and f"进程 {holder.pid}" in done.stderr
        assert f"process {holder.pid}" in done.stderr and "--wait" in done.stderr
    assert time.monotonic() - began < 20
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert pocketqa("kb", "delete", "你好", "--index", index).returncode == 0


@pytest.mark.parametrize("holder", [3], indirect=True)
def test_wait_waits(index: Path, holder: subprocess.Popen[str]) -> None:
    done = pocketqa("kb", "delete", "你好", "--wait", "--index", index)
    assert done.returncode == 0 and f"进程 {holder.pid}" in done.stderr
    assert holder.wait(5) == 0 and "你好" not in titles(index)
