"""kill -9 of a real server while it answers: what was whole stays whole, the rest is marked."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from servers import Client, Server, fake_server, text_of

from pocketqa.dialogue import Key, Record
from pocketqa.storage import Database, Turns

KILLS = int(os.environ.get("POCKETQA_TEST_KILLS", "2"))
CLIENTS = 4
PAUSE_S = 0.01
"""A character of the model; an answer takes about a second and a half."""
TEXT = "身份证丢失的,应当向常住户口所在地的公安机关申请补领,并交验居民户口簿。" * 4
FLUSHED_S = 1.7
"""What was sent so long before the end is kept: written each second, and a loaded machine."""
ROOM = "crash"


class Asker(threading.Thread):
    """Asks one question after another until its server is gone."""

    def __init__(self, server: Server, name: str) -> None:
        super().__init__(daemon=True)
        self.client = Client(server.url)
        self.dialogue = name
        self.asked: list[str] = []
        self.start()

    def run(self) -> None:
        while self.client.sio.connected:
            payload = {"text": "身份证丢了怎么办?", "room": ROOM, "dialogue": self.dialogue}
            try:
                request_id = self.client.send(payload)["request_id"]
                self.asked.append(request_id)
                self.client.answer(request_id, 3)
            except Exception:  # killed
                return

    def frames(self, request_id: str) -> list[tuple[float, dict[str, Any]]]:
        return [(at, data) for at, data in self.client.frames if data["request_id"] == request_id]


def test_kill_9_at_random_moments(demo_index: Path, tmp_path: Path) -> None:
    file = tmp_path / "pocketqa.db"
    env = {
        "POCKETQA_DATABASE_URL": f"sqlite:///{file}",
        "POCKETQA_MAX_STREAMS": str(CLIENTS),
        "FAKE_PAUSE_S": str(PAUSE_S),
        "FAKE_TEXT": TEXT,
    }
    chance = random.Random(6)
    ended = cut = 0
    expected: dict[str, str] = {}
    for number in range(KILLS):
        server = fake_server(demo_index, **env)
        askers = [Asker(server, f"{number}-{each}") for each in range(CLIENTS)]
        time.sleep(chance.uniform(1.5, 5))
        killed = time.monotonic()
        server.process.kill()
        server.stop()
        for asker in askers:
            asker.join(10)
            asker.client.close()
        is_whole(file)
        kept = records(file, server_starts=True)
        for asker in askers:
            for request_id in asker.asked:
                frames = asker.frames(request_id)
                if frames and frames[-1][1]["finish_reason"]:
                    expected[request_id] = text_of([data for _, data in frames])
                    ended += 1
                else:
                    check_cut(kept.get(request_id), frames, killed)
                    cut += request_id in kept
        for request_id, text in expected.items():  # those of earlier rounds too
            assert (kept[request_id].answer, kept[request_id].state) == (text, "stop")
        assert all(record.state in ("stop", "cut") for record in kept.values())
    print(f"{KILLS} kills: {ended} answers whole, {cut} cut off")
    assert ended and cut, "some of both, or nothing was tested"


def records(file: Path, *, server_starts: bool) -> dict[str, Record]:
    """The turns of all dialogues, after what a server does when it starts."""
    database = Database(f"sqlite:///{file}")
    turns = Turns(database)
    if server_starts:
        turns.cut()
    found = {
        record.request_id: record
        for listed in turns.list()
        for record in turns.page(Key(listed.owner, listed.dialogue), None, 1_000)
    }
    database.close()
    return found


def check_cut(
    record: Record | None, frames: list[tuple[float, dict[str, Any]]], killed: float
) -> None:
    """It is there as far as it went, but for what was said in the last moment."""
    if record is None:
        assert not frames, "a turn is there before its first frame"
        return
    sent = text_of([data for _, data in frames])
    old = text_of([data for at, data in frames if at < killed - FLUSHED_S])
    assert record.answer.startswith(old)
    assert sent.startswith(record.answer) or record.answer.startswith(sent)
    # The whole answer may have been kept, and its last frame lost on the way.
    assert record.state == "cut" or (record.state == "stop" and record.answer.startswith(sent))


def is_whole(file: Path) -> None:
    """SQLite finds nothing wrong, and needs nothing but opening it."""
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
