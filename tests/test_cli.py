from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from servers import ROOT, Server

from pocketqa.store import SCHEMA


def pocketqa(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "pocketqa", *arguments],
        cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_help_names_every_command() -> None:
    text = pocketqa("--help").stdout
    for command in ("ask", "client", "config", "index", "model", "search", "serve"):
        assert f"  {command} " in text


def test_config_shows_every_setting_and_hides_the_secret() -> None:
    text = pocketqa("config", POCKETQA_SECRET_KEY="hush", POCKETQA_PORT="6100").stdout
    assert "POCKETQA_PORT=6100" in text and "hush" not in text
    assert "port to listen on" in text


@pytest.mark.parametrize(
    ("env", "named"),
    [({"POCKETQA_PORT": "many"}, "POCKETQA_PORT"), ({"POCKETQA_ON_MISS": "x"}, "POCKETQA_ON_MISS")],
)
def test_a_wrong_setting_is_named(env: dict[str, str], named: str) -> None:
    done = pocketqa("search", "x", **env)
    assert done.returncode == 1 and named in done.stderr and "Traceback" not in done.stderr


def test_index_and_search(tmp_path: Path) -> None:
    file = tmp_path / "faq.csv"
    file.write_text(
        "问题,答案,相似问法,分类,来源\n"
        "食堂几点开门?,食堂早上七点开门。,食堂什么时候营业|饭堂开放时间,食堂,\n"
        "图书馆怎么借书?,凭工作证在一楼服务台借书。,借书流程|书怎么借,图书馆,\n"
        "缺答案?,,,,\n",
        encoding="utf-8",
    )
    env = {"POCKETQA_INDEX": str(tmp_path / "index")}
    done = pocketqa("index", str(file), **env)
    assert (
        done.returncode == 1
        and "faq.csv:4:" in done.stderr
        and "2 条已建索引，1 个文件，1 条有误" in done.stdout
    )
    found = json.loads(pocketqa("search", "食堂什么时候营业", "--json", **env).stdout)
    assert found["text"] == "食堂什么时候营业" and found["refused"] is False
    assert found["hits"][0]["title"] == "食堂几点开门?" and 0 < found["hits"][0]["score"] <= 1
    plain = pocketqa("search", "怎么借书", "-k", "1", **env).stdout
    assert "凭工作证" in plain


def test_index_of_nothing_is_an_error(tmp_path: Path) -> None:
    done = pocketqa("index", str(tmp_path / "nowhere.csv"), POCKETQA_INDEX=str(tmp_path / "i"))
    assert done.returncode == 1 and "nowhere.csv" in done.stderr
    assert "Traceback" not in done.stderr
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("甲,乙\n1,2\n", encoding="utf-8")
    done = pocketqa("index", str(wrong), POCKETQA_INDEX=str(tmp_path / "i"))
    assert done.returncode == 1 and "wrong.csv:1:" in done.stderr


def test_an_index_of_an_older_version(tmp_path: Path) -> None:
    file = tmp_path / "faq.csv"
    file.write_text("问题,答案\n食堂几点开门?,七点。\n", encoding="utf-8")
    env = {"POCKETQA_INDEX": str(tmp_path / "index")}
    pocketqa("index", str(file), **env)
    (meta,) = (tmp_path / "index").glob("*/meta.json")
    meta.write_text(meta.read_text().replace(f'"schema": {SCHEMA}', '"schema": 1'))
    done = pocketqa("search", "食堂", **env)
    assert done.returncode == 1 and "pocketqa index FILE" in done.stderr


def test_the_demo_index_is_rebuilt_when_it_is_of_another_demo(tmp_path: Path) -> None:
    env = {"POCKETQA_INDEX": str(tmp_path / "index")}
    assert "补办" in pocketqa("search", "身份证丢了", **env).stdout
    (meta,) = (tmp_path / "index").glob("*/meta.json")
    meta.write_text(re.sub(r'"demo": "\w+"', '"demo": "old"', meta.read_text()))
    assert "补办" in pocketqa("search", "身份证丢了", **env).stdout
    assert len(list((tmp_path / "index").glob("gen-*"))) == 2


def test_client_prints_frames_as_they_come(fake_server: Server) -> None:
    done = pocketqa(
        "client", "127.0.0.1", str(fake_server.port), "身份证丢了应该怎么办?", "CHAT_CS"
    )
    frames = [json.loads(line)["data"] for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len(frames) > 3 and frames[-1]["finish_reason"] == "stop"


def test_client_ends_when_nobody_reads(fake_server: Server) -> None:
    command = [sys.executable, "-m", "pocketqa", "client", "127.0.0.1", str(fake_server.port)]
    with subprocess.Popen(
        [*command, "身份证丢了应该怎么办?", "CHAT_CS"], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(20) is not None


def test_client_without_a_server() -> None:
    done = pocketqa("client", "127.0.0.1", "9", "x", "CHAT_CS")
    assert done.returncode == 1 and "is the server running?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("event", ["CHAT_CS", "QA_CS", "SUM_CS", "GEN_CS"])
def test_every_event(fake_server: Server, event: str) -> None:
    text = "居民身份证丢失了怎么补办？"
    done = pocketqa("client", "127.0.0.1", str(fake_server.port), text, event)
    frames = [json.loads(line)["data"] for line in done.stdout.splitlines()]
    assert done.returncode == 0 and frames[-1]["finish_reason"] == "stop"
    assert "".join(frame["delta"] for frame in frames)
    assert bool(frames[-1]["received"]["clue"]["data"]) is (event in ("CHAT_CS", "QA_CS"))


def test_the_example_client(fake_server: Server, tmp_path: Path) -> None:
    source = (ROOT / "examples" / "ask.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 40
    script = tmp_path / "ask.py"
    script.write_text(source.replace("http://127.0.0.1:6006", fake_server.url), encoding="utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "公安机关" in done.stdout and "知识库依据:" in done.stdout


@pytest.mark.model
def test_ask_needs_no_server(demo_index: Path) -> None:
    done = pocketqa("ask", "身份证丢了应该怎么办?", POCKETQA_INDEX=str(demo_index))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip()) > 10 and "知识库依据:" in done.stderr


def test_a_port_in_use_is_said(fake_server: Server, demo_index: Path) -> None:
    script = ROOT / "tests" / "fake_server.py"
    env = {"POCKETQA_INDEX": str(demo_index), "POCKETQA_PORT": str(fake_server.port)}
    done = subprocess.run(
        [sys.executable, script], cwd=ROOT, env={**os.environ, **env},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1 and "--port" in done.stderr
