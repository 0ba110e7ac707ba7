"""Dialogues of a real server: over a restart, with uploads, and with a database that fails."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest
from servers import Connect, Server, fake_server

from pocketqa.cli import main
from pocketqa.client import upload
from pocketqa.dialogue import Key
from pocketqa.storage import Database, Turns

HALL = Key("room:hall", "d")
ASK = {"room": "hall", "dialogue": "d"}


def start(index: Path, folder: Path, **env: str) -> Server:
    """A server whose database and uploads lie in `folder`."""
    url = f"sqlite:///{folder}/pocketqa.db"
    own = {"POCKETQA_DATABASE_URL": url, "POCKETQA_HOME": str(folder), "FAKE_PAUSE_S": "0.002"}
    return fake_server(index, **own, **env)


def turns(folder: Path) -> Turns:
    return Turns(Database(f"sqlite:///{folder}/pocketqa.db"))


def test_a_dialogue_goes_on_after_a_restart(
    demo_index: Path, tmp_path: Path, connect: Connect
) -> None:
    server = start(demo_index, tmp_path)
    said = connect(server).ask({"text": "身份证丢了怎么办?", **ASK})
    connect(server).ask({"text": "公积金怎么提取?", **ASK}, "QA_CS")
    connect(server).ask({"text": "你好", **ASK})
    assert server.stop() == 0
    kept = turns(tmp_path).page(HALL, None, 9)
    assert [record.question for record in kept] == ["身份证丢了怎么办?", "你好"]
    assert kept[0].answer == "".join(frame["delta"] for frame in said)
    assert (
        kept[0].clue["sources"][0]["title"] == (said[-1]["received"]["clue"]["sources"][0]["title"])
    )
    server = start(demo_index, tmp_path)
    try:
        last = connect(server).ask({"text": "那要多少钱?", **ASK})[-1]["received"]
        assert [turn[0] for turn in last["history"]] == ["身份证丢了怎么办?", "你好"]
        assert "身份证" in last["clue"]["sources"][0]["title"], "it is a follow-up still"
    finally:
        server.stop()


def test_an_upload_is_recorded_and_forgotten_with_its_owner(
    demo_index: Path, tmp_path: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(demo_index, tmp_path)
    try:
        made = upload(server.url, "手册.txt", "食堂七点开门。".encode())
        connect(server).ask({"text": "几点开门?", "upload_id": made["upload_id"], **ASK})
    finally:
        server.stop()
    assert turns(tmp_path).page(HALL, None, 1)[0].filename == "手册.txt"
    database = Database(f"sqlite:///{tmp_path}/pocketqa.db")
    database.write(lambda c: c.exec_driver_sql("UPDATE uploads SET owner = 'who:browser:x'"))
    database.close()
    monkeypatch.setenv("POCKETQA_DATABASE_URL", f"sqlite:///{tmp_path}/pocketqa.db")
    monkeypatch.setenv("POCKETQA_HOME", str(tmp_path))
    assert (tmp_path / "uploads" / made["upload_id"]).is_dir()
    main(["dialogues", "delete", "--owner", "who:browser:x", "--yes"], standalone_mode=False)
    assert not (tmp_path / "uploads" / made["upload_id"]).exists()


def test_a_locked_database_is_said_to_clients_and_in_the_log(
    demo_index: Path, tmp_path: Path, connect: Connect
) -> None:
    server = start(demo_index, tmp_path)
    try:
        client = connect(server)
        assert client.ask({"text": "你好", **ASK})[-1]["finish_reason"] == "stop"
        other = sqlite3.connect(tmp_path / "pocketqa.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        frames = client.ask({"text": "你好", **ASK})
        assert frames[-1]["finish_reason"] == "error" and time.monotonic() - began < 15
        error = frames[-1]["error"]
        assert error["code"] == "internal" and error["reference"] in error["message"]
        other.execute("ROLLBACK")
        other.close()
        assert client.ask({"text": "你好", **ASK})[-1]["finish_reason"] == "stop"
        said = "".join(server.output)
        assert error["reference"] in said and "database is locked" in said
        assert "你好" not in said, "the log has no dialogues"
    finally:
        server.stop()
