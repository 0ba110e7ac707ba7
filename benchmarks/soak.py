"""Many unreliable clients at one server: nothing is lost, doubled, or another's.

    python benchmarks/soak.py [--clients 200] [--seconds 300] [--real]

A real server process with a scripted model, or with --real the default one. Each client asks, and
drops its connection, reloads, changes its transport, stops or listens, at random; every frame that
comes is checked. Prints the figures, and faults if there are any; the exit status tells.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from servers import Server, fake_server, real_server
from wanderers import Tally, wander

from pocketqa import indexing

MARKED = "标记{}：" + "".join(f"这是写给您的第{n}句，一字不差才算数。" for n in "一二三")
LIMITS = {
    "POCKETQA_RATE": "off",
    "POCKETQA_CONNECTIONS_PER_ADDRESS": "0",
    "POCKETQA_REPLAY_S": "60",  # what is kept to be resumed has reached its size after a minute
}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--real", action="store_true", help="the default model, answers unchecked")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        indexing.build([ROOT / "knowledge"], index)
        server = _server(index, options.real)
        try:
            tally, memory = _measured(server, options)
        finally:
            status = server.stop()
    _show(tally, memory, status)
    return bool(tally.faults or status)


def _server(index: Path, real: bool) -> Server:
    if real:
        return real_server(index, POCKETQA_MAX_NEW_TOKENS="48", **LIMITS)
    streams = {"POCKETQA_MAX_STREAMS": "64", "POCKETQA_QUEUE_SIZE": "400"}
    return fake_server(index, FAKE_TEXT=MARKED, FAKE_PAUSE_S="0.02", **streams, **LIMITS)


def _measured(server: Server, options: argparse.Namespace) -> tuple[Tally, list[int]]:
    """What the clients saw, and the server's memory in MB, once a second."""
    process, memory, over = psutil.Process(server.process.pid), [], threading.Event()

    def watch() -> None:
        while not over.wait(1.0):
            memory.append(process.memory_info().rss >> 20)

    watcher = threading.Thread(target=watch)
    watcher.start()
    expected = None if options.real else MARKED
    try:
        tally = asyncio.run(wander(server.url, options.clients, options.seconds, expected, 10))
    finally:
        over.set()
        watcher.join()
    return tally, memory


def _show(tally: Tally, memory: list[int], status: int) -> None:
    acks = sorted(tally.acks)
    half, threes = len(memory) // 2, max(1, len(memory) // 10)
    print(f"answers {tally.answers}, resumed {tally.resumed}, stopped {tally.stopped}, "
          f"connections lost beside {tally.dropped}")  # fmt: skip
    print(f"acknowledgement ms, p50 {1000 * acks[len(acks) // 2]:.1f}, "
          f"p99 {1000 * acks[int(len(acks) * 0.99)]:.1f}")  # fmt: skip
    print(f"memory MB, after half {max(memory[half : half + threes])}, "
          f"at the end {max(memory[-threes:])}")  # fmt: skip
    print(f"exit status {status}, faults {len(tally.faults)}")
    for fault in tally.faults[:20]:
        print(fault)
    print(time.strftime("%Y-%m-%d"))


if __name__ == "__main__":
    sys.exit(main())
