"""Load on a real server, and how late its hub and its answers are meanwhile."""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from servers import READY, ROOT, Client, Server

RATE = 20
"""Questions a second."""
CLIENTS = 4
WARM_UP_S = 2.0


def lateness(index: Path, questions: Sequence[str], seconds: float) -> dict[str, Any]:
    """Ask `RATE` questions a second of a server over `index`; milliseconds, p50 and p99.

    `late_ms` is of a 10 ms timer in the server's hub, `windows` its p99 in each second, `health_ms`
    of GET /health from outside, `answer_ms` from a question to the last frame of its answer.
    """
    server = ticking_server(index)
    try:
        clients = [Client(server.url) for _ in range(CLIENTS)]
        ask(clients, questions, WARM_UP_S)
        began = time.monotonic()
        health: list[float] = []
        watcher = threading.Thread(target=watch_health, args=(server, began + seconds, health))
        watcher.start()
        answers = ask(clients, questions, seconds)
        ended = time.monotonic()
        watcher.join()
        for client in clients:
            client.close()
    finally:
        server.stop()
    late = [(at - began, ms) for at, ms in ticks(server) if began <= at <= ended]
    parts = [[ms for at, ms in late if int(at) == second] for second in range(int(seconds))]
    return {
        "asked": len(answers),
        "late_ms": percentiles([ms for _, ms in late]),
        "windows": [percentiles(part)[1] for part in parts],
        "health_ms": percentiles(health),
        "answer_ms": percentiles(answers),
    }


def ticking_server(index: Path, *, real: bool = False, **more: str) -> Server:
    """A server that notes how late its hub is.

    Its answers are curated ones, so that no model's time counts; with `real`, the real model's.
    """
    mode = "generate" if real else "curated"
    env = {
        "POCKETQA_INDEX": str(index), "POCKETQA_PORT": "0",
        "POCKETQA_ANSWER_MODE": mode, "POCKETQA_ON_MISS": "refuse",
    }  # fmt: skip
    command = [sys.executable, str(ROOT / "tests" / "ticking_server.py"), *["real"] * real]
    return Server(command, {**env, **more}, READY)


def ticks(server: Server) -> list[tuple[float, float]]:
    """What a stopped `ticking_server` has printed."""
    line = next(line for line in server.output if line.startswith('{"late"'))
    return [(at, ms) for at, ms in json.loads(line)["late"]]


def ask(clients: Sequence[Client], questions: Sequence[str], seconds: float) -> list[float]:
    """Ask at a steady rate, each client in turn; milliseconds until each answer had ended."""
    began = time.monotonic()
    sent: list[tuple[Client, str, float]] = []
    for number in range(int(RATE * seconds)):
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
        client, at = clients[number % len(clients)], time.monotonic()
        # A dialogue each: this is about new questions, not about following up.
        payload = {"text": questions[number % len(questions)], "dialogue": f"d{at}"}
        sent.append((client, client.send(payload)["request_id"], at))
    for client, request_id, _ in sent:
        client.answer(request_id)
    return [1000 * (ended(client, request_id) - at) for client, request_id, at in sent]


def ended(client: Client, request_id: str) -> float:
    """When the last frame of an answer came."""
    frames = ((at, data) for at, data in list(client.frames) if data["request_id"] == request_id)
    return next(at for at, data in frames if data["finish_reason"])


def watch_health(server: Server, until: float, times: list[float]) -> None:
    """GET /health ten times a second; milliseconds."""
    while time.monotonic() < until:
        began = time.monotonic()
        urllib.request.urlopen(server.url + "/health", timeout=10).read()
        times.append(1000 * (time.monotonic() - began))
        time.sleep(0.1)


def percentiles(times: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile."""
    ordered = sorted(times)
    return round(ordered[len(ordered) // 2], 2), round(ordered[int(len(ordered) * 0.99)], 2)
