"""What it costs to keep dialogues: the hub's lateness, and turns a second.

Eight answers stream from a scripted model while a 10 ms timer in the server's hub notes how late it
is; then eight clients ask for ready answers as fast as they can. With dialogues in memory, in a
SQLite file, and wherever `--url` says. Prints one table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from load import percentiles, ticking_server, ticks
from servers import Client

from pocketqa import indexing

CLIENTS = 8
TEXT = "身份证丢失的,应当向常住户口所在地的公安机关申请补领,并交验居民户口簿。" * 4
STREAMED = {"FAKE_TEXT": TEXT, "FAKE_PAUSE_S": "0.02", "POCKETQA_ANSWER_MODE": "generate"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", action="append", default=[], help="another database")
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        indexing.build([ROOT / "knowledge"], index)
        print(f"{'':12}  {'hub late ms, p50 / p99':24}  {'first delta ms':16}  turns a second")
        for url in ("sqlite://", f"sqlite:///{folder}/kept.db", *options.url):
            env = {"POCKETQA_DATABASE_URL": url, "POCKETQA_RATE": "off"}
            streamed = measure(index, options.seconds, env | STREAMED, "身份证丢了怎么办?")
            fast = measure(index, options.seconds, env, "你好")
            name = "memory" if url == "sqlite://" else url.split(":")[0].split("+")[0]
            late = " / ".join(map(str, streamed["late_ms"]))
            first = " / ".join(map(str, streamed["first_ms"]))
            print(f"{name:12}  {late:24}  {first:16}  {fast['turns_s']}")


def measure(index: Path, seconds: float, env: dict[str, str], question: str) -> dict[str, Any]:
    """Ask `question` with eight clients again and again for a while."""
    server = ticking_server(index, **env)
    try:
        clients = [Client(server.url) for _ in range(CLIENTS)]
        clients[0].ask({"text": question})
        began = time.monotonic()
        first: list[float] = []
        asking = [
            threading.Thread(target=ask, args=(client, question, began + seconds, first))
            for client in clients
        ]
        for each in asking:
            each.start()
        for each in asking:
            each.join()
        ended = time.monotonic()
        for client in clients:
            client.close()
    finally:
        server.stop()
    late = [ms for at, ms in ticks(server) if began <= at <= began + seconds]
    return {
        "late_ms": percentiles(late),
        "first_ms": percentiles(first),
        "turns_s": round(len(first) / (ended - began)),
    }


def ask(client: Client, question: str, until: float, first: list[float]) -> None:
    """One question after another, a dialogue each; milliseconds until each answer's first frame."""
    number = 0
    while time.monotonic() < until:
        number += 1
        began = time.monotonic()
        payload = {"text": question, "dialogue": str(number), "received": "ends"}
        request_id = client.send(payload)["request_id"]
        client.answer(request_id)
        came = next(at for at, data in client.frames if data["request_id"] == request_id)
        first.append(1000 * (came - began))
        client.frames.clear()


if __name__ == "__main__":
    main()
