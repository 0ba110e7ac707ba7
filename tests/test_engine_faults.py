"""What goes wrong ends what it must, and nothing else."""

from __future__ import annotations

import gc
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence

import pytest
from fake_network import ENDLESS, ExactModel, FakeNetwork, Start, ask, prompt, quiet, text

from pocketqa.engine import Engine, Generation, Options
from pocketqa.engine.network import Part
from pocketqa.errors import ModelError, PocketQAError, RequestError

pytestmark = pytest.mark.alone

pytest_plugins = ["batching"]
BAD = 5
"""A prompt that begins with this token is a planted fault."""


def planted(error: BaseException) -> Callable[[Sequence[Part]], None]:
    """Makes a forward fail that computes a bad prompt."""

    def before(parts: Sequence[Part]) -> None:
        if any(part.cache.ids[0] == BAD for part in parts):
            raise type(error)(*error.args)

    return before


def code(generation: Generation) -> str:
    """The code of the error that a request ends with."""
    with pytest.raises(PocketQAError) as caught:
        "".join(generation)
    return caught.value.code


def settle(engine: Engine) -> None:
    """Wait until nothing runs."""
    while engine.stats()["running"] or engine.stats()["waiting"]:
        time.sleep(0.001)


def test_a_fault_in_a_joint_step_ends_the_guilty_only(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    engine = start(ExactModel(FakeNetwork(before=planted(RuntimeError("planted")))))
    prompts = [prompt(seed, 40, BAD if seed == 3 else 4) for seed in range(6)]
    running = [engine.submit(ask(ids), Options(50)) for ids in prompts]
    for seed, generation in enumerate(running):
        if seed == 3:
            with pytest.raises(RuntimeError, match="planted"):
                "".join(generation)
        else:
            assert "".join(generation) == text(quiet(prompts[seed], 50))
    assert "a step failed" in caplog.text and f"request {running[3].number}" in caplog.text


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUDA out of memory"), RuntimeError("can't allocate 7")]
)
def test_out_of_memory_in_a_step_refuses_its_request(start: Start, error: BaseException) -> None:
    engine = start(ExactModel(FakeNetwork(before=planted(error))))
    pair = [engine.submit(ask(prompt(1, 20, first)), Options(30)) for first in (4, BAD)]
    assert code(pair[1]) == "queue_full"
    assert "".join(pair[0]) == text(quiet(prompt(1, 20, 4), 30))


def test_out_of_memory_for_a_cache_refuses_and_forgets_the_old_ones(start: Start) -> None:
    network = FakeNetwork(room=300)
    engine = start(ExactModel(network))
    for seed in range(8):  # old caches make room
        ids = prompt(seed, 60)
        assert "".join(engine.submit(ask(ids), Options(40))) == text(quiet(ids, 40))
    with pytest.raises(RequestError) as caught:
        "".join(engine.submit(ask(prompt(9, 280)), Options(40)))
    assert caught.value.code == "queue_full" and caught.value.details["retry_after_s"] > 0
    ids = prompt(10, 60)
    assert "".join(engine.submit(ask(ids), Options(40))) == text(quiet(ids, 40))


def test_faults_of_texts_end_their_request_only(start: Start) -> None:
    ids = prompt(1, 30, 4)
    answer = quiet(ids, 40)
    engine = start(ExactModel(undecodable=frozenset({answer[20]})))
    broken = engine.submit(ask(ids), Options(40))
    untokenisable = engine.submit([{"role": "user", "content": "not a number"}])
    with pytest.raises(ValueError, match="planted"):
        "".join(broken)
    with pytest.raises(ValueError, match="invalid literal"):
        "".join(untokenisable)
    few = answer.index(answer[20])
    assert "".join(engine.submit(ask(ids), Options(few))) == text(answer[:few])


def test_stop_texts_across_tokens(start: Start) -> None:
    engine = start(ExactModel(FakeNetwork(step_s=1e-4)))
    ids = prompt(2, 30, ENDLESS)
    whole = text(quiet(ids, 60))
    stop = whole[30:33]
    for texts in ((stop,), ("nothing", stop, whole[31:50])):
        generation = engine.submit(ask(ids), Options(60, stop=texts))
        assert "".join(generation) == whole[: whole.index(stop)]
        assert generation.finish_reason == "stop"
    held = engine.submit(ask(ids), Options(20, stop=(whole[15:30],)))
    assert "".join(held) == whole[:20] and held.finish_reason == "length"


def test_a_deadline_holds_while_serving_and_waiting(start: Start) -> None:
    engine = start(ExactModel(FakeNetwork(step_s=0.005)), max_streams=1)
    ids = prompt(2, 30, ENDLESS)
    began = time.monotonic()
    served = engine.submit(ask(ids), Options(3000, deadline_s=0.3))
    waiting = engine.submit(ask(ids), Options(3000, deadline_s=0.1))
    assert code(waiting) == "deadline_exceeded" and time.monotonic() - began < 0.28
    said = ""
    with pytest.raises(RequestError) as caught:
        for delta in served:
            said += delta
    assert caught.value.code == "deadline_exceeded" and 0.3 <= time.monotonic() - began < 0.6
    assert said and text(quiet(ids, 3000)).startswith(said)
    last = engine.submit(ask(ids), Options(5, deadline_s=60))
    assert "".join(last) == text(quiet(ids, 5)) and last.finish_reason == "length"


def test_a_stuck_step_is_noticed_and_recovers(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    going = threading.Event()
    model = ExactModel(FakeNetwork(before=lambda parts: going.wait() and None))
    engine = start(model, watchdog_s=0.05)
    generation = engine.submit(ask(prompt(2, 3)), Options(4))
    with caplog.at_level(logging.WARNING):
        wait_for(lambda: "has not ended" in caplog.text)
        assert engine.state == "stuck" and engine.stuck_s > 0.05
        assert f"request {generation.number}: 3 tokens after 0" in caplog.text
        with pytest.raises(ModelError) as caught:
            engine.submit(ask([1]))
        assert caught.value.code == "model_unavailable"
        going.set()
        assert "".join(generation) == text(quiet(prompt(2, 3), 4))
        assert engine.state == "ready" and engine.stuck_s == 0
        wait_for(lambda: "has ended after all" in caplog.text)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_closing_ends_everything_within_a_step(start: Start) -> None:
    engine = start(ExactModel(FakeNetwork(step_s=0.01)), max_streams=2)
    line = [engine.submit(ask(prompt(seed, 9, ENDLESS)), Options(3000)) for seed in range(5)]
    next(deltas := iter(line[0]))
    began = time.monotonic()
    engine.close()
    engine.close()
    assert time.monotonic() - began < 0.5
    list(deltas)
    for generation in line[1:]:
        "".join(generation)
    assert [each.finish_reason for each in line] == ["abort"] * 5


def test_a_fault_of_the_batch_itself_ends_the_running_and_not_the_engine(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pocketqa.engine.schedule import Schedule

    engine = start(ExactModel())
    with monkeypatch.context() as broken:
        broken.setattr(Schedule, "order", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            "".join(engine.submit(ask(prompt(1, 9))))
    assert "".join(engine.submit(ask(prompt(1, 9)), Options(9))) == text(quiet(prompt(1, 9), 9))


def test_a_thousand_requests(start: Start) -> None:
    """A third is cancelled at random moments, 50 have planted faults; each ends exactly once."""
    network = FakeNetwork(before=planted(RuntimeError("planted")))
    engine = start(ExactModel(network), queue_size=1000, cache_bytes=4000)
    chance = random.Random(7)
    prompts = [
        prompt(n, chance.randint(1, 60), BAD if n % 20 == 0 else 4, *prompt(n % 9, 20))
        for n in range(1000)
    ]
    ends: dict[int, tuple[str, str]] = {}
    lock = threading.Lock()

    def consume(n: int, generation: Generation, patience: int) -> None:
        said = ""
        try:
            for count, delta in enumerate(generation):
                said += delta
                if count == patience:
                    generation.cancel()
            end = str(generation.finish_reason)
        except RuntimeError:
            end = "error"
        with lock:
            assert n not in ends
            ends[n] = (end, said)

    before = network.living
    threads = []
    for n, ids in enumerate(prompts):
        generation = engine.submit(ask(ids), Options(chance.randint(1, 40)))
        if n % 3 == 1 and chance.random() < 0.5:  # while it waits, or is just being served
            threading.Timer(chance.random() * 2, generation.cancel).start()
        patience = chance.randint(0, 3) if n % 3 == 1 else -1
        threads.append(threading.Thread(target=consume, args=(n, generation, patience)))
        threads[-1].start()
    for thread in threads:
        thread.join(60)
    settle(engine)
    assert len(ends) == 1000
    check_ends(prompts, ends)
    assert network.living <= 4000 and engine.stats()["cache_bytes"] == network.living
    engine.close()
    gc.collect()
    assert network.living == before


def check_ends(prompts: list[list[int]], ends: dict[int, tuple[str, str]]) -> None:
    """Survivors say what a quiet run says; the cancelled said its beginning; the bad failed."""
    for n, (end, said) in ends.items():
        whole = text(quiet(prompts[n], 40))
        assert whole.startswith(said)
        if n % 20 == 0:
            assert end == "error" or (n % 3 == 1 and end == "abort")
        elif n % 3 != 1:
            assert end == "length" or (end == "stop" and said == whole)
    errors = sum(end == "error" for end, _ in ends.values())
    assert 33 <= errors <= 50 and sum(end == "abort" for end, _ in ends.values()) > 100
