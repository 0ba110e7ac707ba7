"""The remote engine in a server patched by gevent, on the command line, and with a real server."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_openai import TEXT, FakeOpenAI
from servers import READY, ROOT, Connect, Server, text_of
from test_remote import until
from tiny import converted, tiny_gguf  # noqa: F401

from pocketqa.engine import Options
from pocketqa.engine.connection import Address
from pocketqa.engine.remote import RemoteEngine

QUESTION = {"text": "身份证丢了怎么补办?"}
TRANSFORMERS_SERVE = "from transformers.cli.transformers import main; main()"


@pytest.fixture(scope="module")
def one_fake() -> Iterator[FakeOpenAI]:
    server = FakeOpenAI()
    yield server
    server.stop()


@pytest.fixture
def fake(one_fake: FakeOpenAI) -> FakeOpenAI:
    """The scripted server, as if it were new."""
    one_fake.begin_anew()
    return one_fake


@pytest.fixture(scope="module")
def served(
    one_fake: FakeOpenAI, demo_index: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """`pocketqa serve` with the model on `fake`, and a cache that holds no model."""
    home = tmp_path_factory.mktemp("home")
    command = [sys.executable, "-m", "pocketqa", "serve", "--port", "0"]
    server = Server(command, environment(one_fake, demo_index, home), READY)
    yield server
    assert server.stop() == 0
    assert not (home / "models").exists()


def environment(fake: FakeOpenAI, index: Path, home: Path) -> dict[str, str]:
    return {
        "POCKETQA_INDEX": str(index),
        "POCKETQA_HOME": str(home),
        "POCKETQA_KEEP_ANSWERING_S": "0",
        "POCKETQA_ENGINE_URL": fake.url,
        "POCKETQA_ENGINE_KEY": "sk-hush",
        "POCKETQA_LOG_LEVEL": "DEBUG",
    }


def ready(server: Server) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"{server.url}/ready", timeout=5) as response:
            return dict(json.load(response))
    except urllib.error.HTTPError as error:
        with error:
            return dict(json.load(error))


def test_a_served_answer_comes_as_it_is_written(
    fake: FakeOpenAI, served: Server, connect: Connect
) -> None:
    fake.script.pause_s = 0.02
    client = connect(served)
    frames = client.ask(QUESTION)
    assert text_of(frames) == TEXT and frames[-1]["finish_reason"] == "stop" and len(frames) > 5
    assert "sk-hush" not in "".join(served.output) and "torch" not in modules_of(served)


def modules_of(server: Server) -> str:
    """What libraries of native code the process has loaded."""
    return Path(f"/proc/{server.process.pid}/maps").read_text()


def test_stopping_closes_the_stream_before_the_first_token_too(
    fake: FakeOpenAI, served: Server, connect: Connect
) -> None:
    client = connect(served)
    fake.script.first_s = 30
    asked = client.send(QUESTION)["request_id"]
    until(lambda: fake.running == 1)
    assert client.send({"request_id": asked}, "STOP_CS")["ok"]
    assert client.answer(asked, 2)[-1]["finish_reason"] == "abort"
    until(lambda: fake.closed == 1, 1)
    fake.script.first_s, fake.script.pause_s, fake.script.text = 0, 0.01, "慢" * 1000
    client.send(QUESTION)
    until(lambda: fake.said > 5)
    client.close()
    until(lambda: fake.closed == 2, 2)


def test_a_stream_that_breaks_off_ends_in_one_error_frame(
    fake: FakeOpenAI, served: Server, connect: Connect
) -> None:
    fake.script.ending = "cut"
    frames = connect(served).ask(QUESTION)
    assert text_of(frames) == TEXT
    assert [frame["finish_reason"] for frame in frames if frame["finish_reason"]] == ["error"]
    assert frames[-1]["error"]["code"] == "model_unavailable"


def test_ready_follows_the_server(fake: FakeOpenAI, served: Server, connect: Connect) -> None:
    client = connect(served)
    assert ready(served)["ready"]
    fake.stop()
    assert client.ask(QUESTION)[-1]["error"]["code"] == "model_unavailable"
    until(lambda: ready(served)["model"] == "away")
    fake.start(fake.port)
    until(lambda: bool(ready(served)["ready"]))
    assert text_of(client.ask(QUESTION)) == TEXT


def test_the_hub_stays_free_while_answers_stream_in(
    fake: FakeOpenAI, served: Server, connect: Connect
) -> None:
    fake.script.text, fake.script.pause_s = "慢" * 100, 0.02
    client = connect(served)
    asked = [client.send(QUESTION)["request_id"] for _ in range(8)]
    late = []
    while any(not client.of(each) or not client.of(each)[-1]["finish_reason"] for each in asked):
        began = time.monotonic()
        urllib.request.urlopen(f"{served.url}/health", timeout=5).close()
        late.append(time.monotonic() - began)
        time.sleep(0.01)
    assert all(text_of(client.of(each)) == "慢" * 100 for each in asked)
    assert sorted(late)[len(late) // 2] < 0.05


def test_ask_and_config_need_no_model_here(
    fake: FakeOpenAI, demo_index: Path, tmp_path: Path
) -> None:
    env = {**os.environ, **environment(fake, demo_index, tmp_path)}
    done = run("ask", QUESTION["text"], env=env)
    assert done.returncode == 0 and done.stdout.strip() == TEXT
    assert not (tmp_path / "models").exists()
    shown = run("config", env=env).stdout
    assert "POCKETQA_ENGINE_KEY=***" in shown and "sk-hush" not in shown
    env["POCKETQA_ENGINE_URL"] = "http://127.0.0.1:9/v1"
    done = run("ask", QUESTION["text"], env=env)
    assert done.returncode == 1 and "连不上模型服务" in done.stderr
    assert "Traceback" not in done.stderr and "sk-hush" not in done.stderr


def test_serve_ends_when_it_is_refused_and_says_why(demo_index: Path, tmp_path: Path) -> None:
    refusing = FakeOpenAI(models_status=401, models_body="Invalid key sk-hush")
    env = {**os.environ, **environment(refusing, demo_index, tmp_path)}
    done = run("serve", "--port", "0", env=env)
    refusing.stop()
    assert done.returncode == 1 and "无法使用" in done.stderr and "Invalid key ***" in done.stderr
    assert "Traceback" not in done.stderr and "sk-hush" not in done.stderr


def run(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pocketqa", *arguments],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture(scope="module")
def transformers_serve(
    converted: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, str]]:
    """URL and model of `transformers serve` with a tiny model."""
    home = tmp_path_factory.mktemp("hf")
    (home / "hub").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    command = [sys.executable, "-c", TRANSFORMERS_SERVE, "serve", str(converted)]
    command += ["--host", "127.0.0.1", "--port", port, "--device", "cpu"]
    # Threads that spin starve each other, and a tiny model has work for one.
    env = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home), "OMP_NUM_THREADS": "1"}
    server = Server(command, env, r"running on (http://\S+)")
    yield f"{server.url}/v1", str(converted)
    server.stop()


def test_a_real_server(transformers_serve: tuple[str, str]) -> None:
    url, model = transformers_serve
    engine = RemoteEngine(Address(url), model)
    engine.wait()
    assert engine.state == "ready"

    def ask(**options: Any) -> tuple[str, str | None]:
        generation = engine.submit([{"role": "user", "content": "ab"}], Options(**options))
        return "".join(generation), generation.finish_reason

    text, reason = ask(max_new_tokens=24)
    assert text and reason == "length" and ask(max_new_tokens=24) == (text, "length")
    middle = text[len(text) // 2]
    assert ask(max_new_tokens=24, stop=(middle,)) == (text[: text.index(middle)], "stop")

    # It computes one answer at a time: the next begins only when it has stopped for good.
    endless = engine.submit([{"role": "user", "content": "ab"}], Options(max_new_tokens=100_000))
    threading.Timer(0.5, endless.cancel).start()
    assert "".join(endless) and endless.finish_reason == "abort"
    began = time.monotonic()
    assert ask(max_new_tokens=24) == (text, "length")
    assert time.monotonic() - began < 10
    engine.close()
