"""The border between native threads and the hub, in a process that gevent has patched."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from servers import ROOT

from pocketqa.threads import Channel, Worker, start_native_thread

PATCHED = """
from gevent import monkey
monkey.patch_all()
import contextvars
import time
import gevent
from pocketqa.threads import Channel, Worker, start_native_thread

def busy(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        sum(range(1000))

channel = Channel()
came, ticks = [], 0

def produce():
    for n in range(20):
        busy(0.02)
        channel.put(n)
    channel.put(None)

def tick():
    global ticks
    while True:
        ticks += 1
        gevent.sleep(0.005)

ticker = gevent.spawn(tick)
start_native_thread(produce)
for batch in channel:
    came += batch
    if batch[-1] is None:
        break
channel.close()
channel.put("after the end")
assert came == [*range(20), None], came
assert ticks > 20, ticks

worker = Worker()
ticks = 0
worker.run(busy, 0.3)
assert ticks > 10, ticks
asked = contextvars.ContextVar("asked")
def answer(name):
    asked.set(name)
    gevent.sleep(0.01)
    assert worker.run(asked.get) == name
gevent.joinall([gevent.spawn(answer, name) for name in "ab"], raise_error=True)
try:
    worker.run(lambda: 1 / 0)
except ZeroDivisionError:
    print("fine")
ticker.kill()
"""


def test_the_hub_stays_free_while_a_native_thread_computes() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PATCHED],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "fine\n" and done.stderr == "", done.stderr


def test_items_that_come_close_together_are_handed_over_together() -> None:
    channel: Channel[int] = Channel(gather_s=0.2)

    def produce() -> None:
        for n in range(10):
            channel.put(n)
            time.sleep(0.005)

    start_native_thread(produce)
    batches: list[list[int]] = []
    for batch in channel:
        batches.append(batch)
        if batch[-1] == 9:
            break
    assert [n for batch in batches for n in batch] == list(range(10))
    assert len(batches) <= 3


def test_the_worker_hands_over_results_and_errors() -> None:
    worker = Worker()
    assert worker.run(max, 1, 2) == 2
    with pytest.raises(ValueError):
        worker.run(int, "x")
