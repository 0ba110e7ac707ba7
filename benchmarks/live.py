"""`make bench`: a real server with the real model on this machine; prints one table.

Ratios, not times, are comparable between machines; each ratio's two sides are measured in this run.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from load import ticking_server, ticks
from servers import Client, Server, fake_server, real_server

from pocketqa import indexing, packets, passages

STREAMS, STREAMS_S = 8, 20.0
QUESTIONS = ("身份证丢了应该怎么办?", "公积金怎么提取?", "驾驶证到期了怎么换?")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        indexing.build([ROOT / "knowledge"], index)
        rows = [*codec(), *answers(index), *streams(index), *hub(index)]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")


def codec() -> list[tuple[str, str]]:
    """Bytes and time of a frame, against the standard library's defaults."""
    material = "材料:" + "申请领取居民身份证,应当填写登记表,交验居民户口簿。" * 20
    frame = {"data": {"room": "r", "delta": "证", "received": {"prompt": material}, "seq": 1}}
    ours = median(lambda: packets.dumps(frame))
    default = median(lambda: json.dumps(frame))
    size = len(json.dumps(frame)) / len(packets.dumps(frame).encode())
    return [
        ("frame, bytes: default JSON / ours", f"{size:.2f}"),
        ("frame, time: default JSON / ours", f"{default / ours:.2f}"),
    ]


def answers(index: Path) -> list[tuple[str, str]]:
    """The real model: time to the first delta, deltas a second, /health meanwhile."""
    server = real_server(index)
    try:
        first, rate, health = [], [], []
        for question in QUESTIONS:
            client = Client(server.url)
            began = time.monotonic()
            request_id = client.send({"text": question, "received": "ends"})["request_id"]
            while not client.of(request_id) or not client.of(request_id)[-1]["finish_reason"]:
                health.append(ask_health(server))
                time.sleep(0.01)
            times = [at for at, data in client.frames if data["delta"]]
            first.append(times[0] - began)
            if len(times) > 1:  # what is quoted comes at once
                rate.append((len(times) - 1) / (times[-1] - times[0]))
            client.close()
    finally:
        server.stop()
    return [
        ("real model: first delta, s, median", f"{statistics.median(first):.2f}"),
        ("real model: deltas a second, median", f"{statistics.median(rate or [0.0]):.1f}"),
        ("real model: /health ms, p50 / p99", percentiles(health)),
    ]


def streams(index: Path) -> list[tuple[str, str]]:
    """Eight clients who ask the real model again and again; how late its hub and /health are."""
    server = ticking_server(index, real=True)
    try:
        clients = [Client(server.url) for _ in range(STREAMS)]
        known, _ = passages.read([ROOT / "knowledge"])
        questions = [each.title for each in known if each.kind == "curated"]
        clients[0].ask({"text": QUESTIONS[0]})  # nobody waits for what is loaded first
        began, health = time.monotonic(), list[float]()
        asking = [
            threading.Thread(
                target=keep_asking, args=(client, questions[number::STREAMS], began + STREAMS_S)
            )
            for number, client in enumerate(clients)
        ]
        for each in asking:
            each.start()
        while time.monotonic() < began + STREAMS_S:
            health.append(ask_health(server))
            time.sleep(0.02)
        ended = time.monotonic()
        for each in asking:
            each.join()
        deltas = sum(
            1 for c in clients for at, data in c.frames if began <= at <= ended and data["delta"]
        )
        for client in clients:
            client.close()
    finally:
        server.stop()
    late = [ms for at, ms in ticks(server) if began <= at <= ended]
    return [
        ("real model, 8 streams: deltas a second", f"{deltas / (ended - began):.0f}"),
        ("real model, 8 streams: hub late ms, p50 / p99", percentiles(late)),
        ("real model, 8 streams: /health ms, p50 / p99", percentiles(health)),
    ]


def keep_asking(client: Client, questions: Sequence[str], until: float) -> None:
    """One question after another, a dialogue each."""
    for question in questions:
        if time.monotonic() >= until:
            return
        client.ask({"text": question, "dialogue": question})


def hub(index: Path) -> list[tuple[str, str]]:
    """Eight answers streaming from a scripted model in turn; /health meanwhile."""
    server = fake_server(index, FAKE_PAUSE_S="0.005", FAKE_TEXT="证" * 200)
    try:
        clients = [Client(server.url) for _ in range(8)]
        ids = [client.send({"text": QUESTIONS[0]})["request_id"] for client in clients]
        health = []
        while not done(clients, ids):
            health.append(ask_health(server))
            time.sleep(0.005)
        for client in clients:
            client.close()
    finally:
        server.stop()
    return [("scripted model, 8 clients: /health ms, p50 / p99", percentiles(health))]


def done(clients: list[Client], ids: list[str]) -> bool:
    """Whether every client has its last frame."""
    last: list[Any] = [client.of(name)[-1:] for client, name in zip(clients, ids, strict=True)]
    return all(frames and frames[0]["finish_reason"] for frames in last)


def ask_health(server: Server) -> float:
    """Milliseconds that /health took."""
    began = time.perf_counter()
    urllib.request.urlopen(server.url + "/health", timeout=10).read()
    return 1000 * (time.perf_counter() - began)


def percentiles(times: list[float]) -> str:
    """Median and 99th percentile, and of how many."""
    ordered = sorted(times)
    p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    return f"{p50:.1f} / {p99:.1f}  (n = {len(ordered)})"


def median(function: Any) -> float:
    """Median seconds of 2,000 calls."""
    times = []
    for _ in range(2000):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    main()
