"""A server follows its index: new content within seconds, no query fails, the old is closed."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import ROOT, Client, Server, fake_server

from pocketqa import generations, indexing
from pocketqa.errors import KnowledgeError
from pocketqa.indexing import build_index
from pocketqa.live import Live
from pocketqa.passages import Passage
from pocketqa.retriever import Retriever
from pocketqa.store import SCHEMA

Connect = Callable[..., Client]


def versions(number: int) -> list[Passage]:
    return [Passage(f"id{n}", f"食堂{n}号窗口几点开门", f"第{number}版") for n in range(3)]


def change(directory: Path, put: list[Passage]) -> None:
    with generations.lock(directory):
        indexing.change(directory, put)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    build_index(versions(0), tmp_path)
    found = Live(tmp_path)
    yield found
    found.close()


def text(live: Live) -> str:
    return live.retrieve("食堂1号窗口几点开门")[0].passage.text


def test_it_offers_a_question_of_each_category(live: Live, tmp_path: Path) -> None:
    assert live.examples() == [f"食堂{n}号窗口几点开门" for n in range(3)], "they have no category"
    rows = [Passage(f"a{n}", f"第{n}问", "答", category=f"类{n // 2}") for n in range(20)]
    change(tmp_path, rows)
    assert live.refresh()
    assert live.examples() == [f"第{n}问" for n in range(0, 12, 2)]


def test_it_changes_over_when_asked_to_look(live: Live, tmp_path: Path) -> None:
    before = live.state()
    assert not live.refresh() and text(live) == "第0版"
    change(tmp_path, versions(1)[1:2])
    assert text(live) == "第0版"
    assert live.refresh() and not live.refresh() and text(live) == "第1版"
    after = live.state()
    assert after["index"] == before["index"] == "open" and after["passages"] == 3
    assert after["fingerprint"] != before["fingerprint"]


def test_an_index_that_first_appears(tmp_path: Path) -> None:
    live = Live(tmp_path / "index")
    assert live.state() == {"index": "none"} and not live.refresh()
    assert live.retrieve("食堂") == [] and live.smalltalk("你好") is None
    assert live.related("食堂", []) == []
    build_index(versions(0), tmp_path / "index")
    assert live.refresh() and text(live) == "第0版"
    live.close()
    assert live.retrieve("食堂") == []


def test_a_broken_index_is_logged_once_and_the_old_goes_on(
    live: Live, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "gen-000002"
    broken.mkdir()
    (broken / "meta.json").write_text(
        f'{{"schema": {SCHEMA}, "count": 1, "fingerprint": "0", "origin": {{}}}}'
    )
    with caplog.at_level(logging.WARNING):
        assert not live.refresh() and "gen-000002" in caplog.text
        caplog.clear()
        assert not live.refresh() and not caplog.text
    assert text(live) == "第0版"
    build_index(versions(1), tmp_path)
    assert live.refresh() and text(live) == "第1版"


def test_an_index_of_another_version_does_not_replace_the_old(live: Live, tmp_path: Path) -> None:
    build_index(versions(1), tmp_path)
    meta = tmp_path / "gen-000002" / "meta.json"
    meta.write_text(meta.read_text().replace(f'"schema": {SCHEMA}', '"schema": 1'))
    assert not live.refresh() and text(live) == "第0版"
    with pytest.raises(KnowledgeError, match="another version"):
        Live(tmp_path)


def test_the_old_index_is_closed_by_the_last_query(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = threading.Event(), threading.Event()
    closed: list[Retriever] = []
    retrieve, close = Retriever.retrieve, Retriever.close

    def slow(self: Retriever, text: str, k: int = 10) -> Any:
        asked.set()
        assert go_on.wait(10)
        return retrieve(self, text, k)

    monkeypatch.setattr(Retriever, "retrieve", slow)
    monkeypatch.setattr(Retriever, "close", lambda self: (closed.append(self), close(self)))
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(text(live)))
    thread.start()
    assert asked.wait(10)
    build_index(versions(1), tmp_path)
    assert live.refresh() and not closed
    go_on.set()
    thread.join()
    assert found == ["第0版"] and len(closed) == 1 and text(live) == "第1版"


def test_no_query_fails_while_ten_updates_happen(live: Live, tmp_path: Path) -> None:
    live.watch()
    done = threading.Event()
    seen: list[list[str]] = [[] for _ in range(3)]
    faults: list[BaseException] = []

    def ask(texts: list[str]) -> None:
        while not done.wait(0.002):
            try:
                found = {hit.passage.text for hit in live.retrieve("食堂窗口几点开门")}
                assert len(found) == 1, "parts of two versions"
                texts.append(found.pop())
            except BaseException as fault:
                faults.append(fault)
                raise

    threads = [threading.Thread(target=ask, args=(texts,)) for texts in seen]
    for thread in threads:
        thread.start()
    for number in range(1, 11):
        change(tmp_path, versions(number))
        live.refresh() if number % 2 else time.sleep(0.2)
    wait_for(lambda: text(live) == "第10版", 5)
    done.set()
    for thread in threads:
        thread.join()
    assert not faults
    for texts in seen:
        numbers = [int(text[1:-1]) for text in texts]
        assert numbers == sorted(numbers) and len(set(numbers)) > 2


def wait_for(condition: Callable[[], bool], within_s: float) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


def pocketqa(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pocketqa", *arguments], cwd=ROOT, check=True, timeout=60)


def ready(server: Server) -> dict[str, Any]:
    with urllib.request.urlopen(f"{server.url}/ready", timeout=5) as response:
        return dict(json.load(response))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that has built the demo index, since there was none."""
    found = fake_server(tmp_path / "index", FAKE_PAUSE_S="0.001")
    yield found
    found.stop()


def test_a_running_server_picks_up_what_is_added(
    server: Server, tmp_path: Path, connect: Connect
) -> None:
    index, client = str(tmp_path / "index"), connect(server)

    def passage(question: str) -> str:
        frames = client.ask({"text": question})
        assert frames[-1]["finish_reason"] in ("stop", "length"), frames[-1]
        return "".join(frames[0]["received"]["clue"]["data"])

    question = "食堂几点开门?"
    assert "早上七点" not in passage(question)
    before = ready(server)
    assert before["index"] == "open" and before["passages"] > 500
    pocketqa("kb", "add", "--question", question, "--answer", "早上七点。", "--index", index)
    wait_for(lambda: "早上七点" in passage(question), 5)
    after = ready(server)
    assert after["passages"] == before["passages"] + 1
    assert after["fingerprint"] != before["fingerprint"]
    pocketqa("kb", "delete", question, "--index", index)
    wait_for(lambda: "早上七点" not in passage(question), 5)
    # The operator's own knowledge takes the place of the demo.
    file = tmp_path / "own.csv"
    file.write_text("问题,答案\n食堂几点开门?,晚上八点。\n", encoding="utf-8")
    pocketqa("index", str(file), "--out", index)
    wait_for(lambda: "晚上八点" in passage(question), 5)
    assert ready(server)["passages"] == 1
    assert sum("pocketqa.live: index gen-" in line for line in server.output) >= 3
