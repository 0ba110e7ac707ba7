"""Under gunicorn: WebSocket works, and what would half work refuses to start and says why."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from servers import ROOT, Client, Server, text_of

from pocketqa.deployment import WORKER, faults

GUNICORN = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0"]
CONF = ["-c", "deploy/gunicorn.conf.py"]


@pytest.mark.model
def test_the_transport_is_websocket(demo_index: Path, connect: Callable[..., Client]) -> None:
    env = {"POCKETQA_INDEX": str(demo_index)}
    server = Server([*GUNICORN, *CONF, "wsgi:app"], env, r"Listening at: (http://\S+)")
    try:
        # It listens before the application is there, and a client waits for 5 s only.
        urllib.request.urlopen(server.url + "/health", timeout=60).read()
        client = connect(server)
        assert client.sio.transport() == "websocket"
        assert text_of(client.ask({"text": "你好"}))
        end = time.monotonic() + 60
        # Until the model is loaded, the passages' own sentences are given.
        while (answer := client.ask({"text": "身份证丢了怎么补办?"}, timeout=120))[-1]["received"][
            "clue"
        ]["way"] != "generated":
            assert time.monotonic() < end
            time.sleep(0.5)
        assert answer[-1]["finish_reason"] == "stop" and len(answer) > 3
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["-w", "2"], "workers must be 1"),
        (["-k", "gevent"], "worker_class must be"),
        (["-k", "sync"], "worker_class must be"),
        (["--preload"], "preload_app must be False"),
    ],
    ids=["two workers", "gevent", "sync", "preload"],
)
@pytest.mark.parametrize("conf", [True, False], ids=["with our settings", "without"])
def test_what_half_works_refuses_to_start(
    demo_index: Path, options: list[str], reason: str, conf: bool
) -> None:
    base = CONF if conf else ["-k", WORKER]
    done = subprocess.run(
        [*GUNICORN, *base, *options, "wsgi:app"],
        cwd=ROOT, env={**os.environ, "POCKETQA_INDEX": str(demo_index)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    assert reason in done.stderr and "拒绝启动" in done.stderr


def test_the_right_settings_have_no_fault() -> None:
    right = SimpleNamespace(worker_class_str=WORKER, workers=1, preload_app=False)
    assert faults(right) == []
    assert re.search("GeventWebSocketWorker", WORKER)
