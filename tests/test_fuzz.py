"""Whatever is sent, the server lives, shows no traceback, and answers the others, only them.

`FUZZ_PACKETS=100000` sends as many; what it counts is printed with `-s`.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attacker import Person, new_cookie
from fuzzing import Packet, Talker, packets, poured, streams, varied
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import Server, fake_server

PACKETS = int(os.environ.get("FUZZ_PACKETS", "400"))
BATCH, VARIANTS = 10, 1 if PACKETS <= 1000 else 50
"""Packets that are drawn at once, and how many of each are sent, with further changes."""
MARK = "记号只有一个人知道"
FEW = settings(
    derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def server(demo_index: Path) -> Iterator[Server]:
    running = fake_server(demo_index, POCKETQA_MAX_STREAMS="16", FAKE_PAUSE_S="0")
    yield running
    assert running.stop() == 0
    said = "".join(running.output)
    assert "Traceback" not in said, said[said.index("Traceback") - 2000 :][:6000]


@pytest.fixture(scope="module")
def witness(server: Server) -> Iterator[Person]:
    """Somebody who has asked what nobody else may read, and goes on asking."""
    person = Person(server, cookie=new_cookie(server))
    assert person.ask(MARK, dialogue="d", request_id="r1")["ok"]
    yield person
    person.close()


@pytest.fixture(scope="module")
def talker(server: Server) -> Iterator[Talker]:
    talker = Talker(server)
    yield talker
    talker.close()


def check(server: Server, witness: Person, heard: list[str]) -> None:
    """The server lives, nobody saw what is inside, and a bystander is answered, alone."""
    assert server.process.poll() is None
    for text in heard:
        assert MARK not in text and "Traceback" not in text and 'File "' not in text, text
    witness.came.clear()
    reply = witness.ask("你好")
    assert reply["ok"]
    frames = [args[0]["data"] for event, args in witness.came if event.endswith("_SS")]
    assert frames and {frame["request_id"] for frame in frames} == {reply["request_id"]}
    turns = witness.call("HISTORY_CS", {"dialogue": "d"})["turns"]
    assert [(turn["question"], turn["vote"]) for turn in turns] == [(MARK, "")]


def test_packets(server: Server, witness: Person, talker: Talker) -> None:
    began = time.monotonic()

    @settings(FEW, max_examples=max(1, PACKETS // (BATCH * VARIANTS)))
    @given(st.lists(packets, min_size=BATCH, max_size=BATCH), st.integers(0, 2**32))
    def send(batch: list[Packet], seed: int) -> None:
        by = random.Random(seed)
        for n in range(BATCH * VARIANTS):
            packet = batch[n % BATCH]
            if n % 5 == 0:
                talker.say(["40"])  # back in, if the last ones led out
            sent = varied(packet, by) if n >= BATCH else packet
            hangs_up = not isinstance(sent[0], str) or not sent[0].startswith("4")
            if hangs_up and n >= BATCH:
                continue  # Engine.IO does not know it, and these cost a connection each
            talker.say(sent)
            if hangs_up:
                talker.settle()
        talker.settle()
        heard, talker.heard = talker.heard, []
        check(server, witness, heard)

    send()
    print(
        f"\n{talker.sent} packets, {talker.replies} replies, {talker.connections} connections, "
        f"{time.monotonic() - began:.0f} s, memory {_memory_mb(server):.0f} MB"
    )


def test_bytes(server: Server, witness: Person) -> None:
    began, sent = time.monotonic(), 0

    @settings(FEW, max_examples=max(1, PACKETS // 200))
    @given(st.lists(streams(), min_size=10, max_size=10))
    def pour(batch: list[bytes]) -> None:
        nonlocal sent
        heard = [poured(server, data).decode("utf-8", "replace") for data in batch]
        sent += len(batch)
        check(server, witness, heard)

    pour()
    print(f"\n{sent} damaged streams, {time.monotonic() - began:.0f} s")


def _memory_mb(server: Server) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
