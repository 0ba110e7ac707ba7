from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from fakes import FakeModel
from servers import ROOT

from pocketqa.engine import Engine, Message, Options
from pocketqa.errors import ModelError, RequestError

ASK: list[Message] = [{"role": "user", "content": "?"}]


@pytest.fixture
def slow() -> Iterator[Engine]:
    engine = Engine(lambda: FakeModel("慢" * 400, pause_s=0.01), queue_size=2, max_streams=1)
    engine.wait()
    yield engine
    engine.close()


def test_deltas_in_order_and_the_reason_at_the_end() -> None:
    engine = Engine(FakeModel)
    engine.wait()
    generation = engine.submit(ASK)
    assert "".join(generation) == FakeModel().text
    assert generation.finish_reason == "stop" and generation.position == 0
    cut = engine.submit(ASK, Options(max_new_tokens=4))
    assert "".join(cut) == FakeModel().text[:4] and cut.finish_reason == "length"
    engine.close()


def test_deltas_come_while_the_model_computes(slow: Engine) -> None:
    times = []
    generation = slow.submit(ASK)
    for _ in generation:
        times.append(time.monotonic())
        if len(times) == 5:
            break
    assert times[-1] - times[0] > 0.1


def test_positions_and_a_full_queue(slow: Engine) -> None:
    line = [slow.submit(ASK) for _ in range(3)]
    assert [generation.position for generation in line] == [0, 1, 2]
    with pytest.raises(RequestError) as caught:
        slow.submit(ASK)
    assert caught.value.code == "queue_full" and caught.value.details["retry_after_s"] > 0
    line[0].cancel()
    "".join(line[0])
    assert [generation.position for generation in line[1:]] == [0, 1]


def test_a_waiting_request_is_cancelled_at_once(slow: Engine) -> None:
    first, second = slow.submit(ASK), slow.submit(ASK)
    began = time.monotonic()
    second.cancel()
    assert list(second) == [] and second.finish_reason == "abort"
    assert time.monotonic() - began < 1
    assert first.position == 0


def test_cancelling_stops_the_computing() -> None:
    model = FakeModel("慢" * 400, pause_s=0.01)
    engine = Engine(lambda: model)
    engine.wait()
    generation = engine.submit(ASK)
    for _ in generation:
        generation.cancel()
    said = model.said
    time.sleep(0.1)
    assert generation.finish_reason == "abort" and model.said == said < 400
    engine.close()


def test_leaving_the_iteration_stops_the_computing() -> None:
    model = FakeModel("慢" * 400, pause_s=0.01)
    engine = Engine(lambda: model)
    engine.wait()
    for _ in engine.submit(ASK):
        break
    time.sleep(0.1)
    said = model.said
    time.sleep(0.1)
    assert model.said == said
    engine.close()


def test_a_fault_ends_its_request_and_not_the_engine() -> None:
    model = FakeModel("半", fault=RuntimeError("planted"))
    engine = Engine(lambda: model)
    engine.wait()
    with pytest.raises(RuntimeError, match="planted"):
        "".join(engine.submit(ASK))
    model.fault = None
    assert "".join(engine.submit(ASK)) == "半"
    engine.close()


def test_while_loading_and_after_a_failed_load() -> None:
    loading = threading.Event()
    engine = Engine(lambda: [loading.wait(), FakeModel()][1])  # type: ignore[arg-type, return-value]
    with pytest.raises(ModelError) as caught:
        engine.submit(ASK)
    assert caught.value.code == "model_unavailable"
    loading.set()
    engine.wait()
    assert "".join(engine.submit(ASK))
    engine.close()
    assert engine.state == "closed"
    with pytest.raises(ModelError):
        engine.submit(ASK)


def test_many_at_once_each_get_their_own() -> None:
    engine = Engine(FakeModel)
    engine.wait()
    answers = ["".join(generation) for generation in [engine.submit(ASK) for _ in range(50)]]
    assert answers == [FakeModel().text] * 50
    engine.close()


def test_a_process_that_forgets_to_close_ends_cleanly() -> None:
    program = (
        "from fakes import FakeModel\n"
        "from pocketqa.engine import Engine\n"
        "engine = Engine(lambda: FakeModel('慢' * 4000, pause_s=0.01))\n"
        "engine.wait()\n"
        "deltas = iter(engine.submit([{'role': 'user', 'content': '?'}]))\n"
        "print(next(deltas)[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["tests", "."])}, cwd=ROOT,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "慢\n", "")
