"""Continuous batching against a quiet run of an exact fake network."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from fake_network import ENDLESS, ExactModel, FakeNetwork, Start, ask, prompt, quiet, text

from pocketqa.engine import Engine, Generation, Options
from pocketqa.errors import RequestError

pytest_plugins = ["batching"]


def settled(engine: Engine) -> dict[str, int]:
    """The engine's figures once nothing runs."""
    while engine.stats()["running"]:
        time.sleep(0.001)
    return engine.stats()


@pytest.mark.parametrize("speculative", [True, False])
def test_everyone_gets_what_a_quiet_run_gives(start: Start, speculative: bool) -> None:
    engine = start(ExactModel(speculative=speculative), max_streams=5)
    prompts = [prompt(seed, 1 + seed * 7 % 90) for seed in range(40)]
    running = [engine.submit(ask(ids), Options(60)) for ids in prompts]
    for ids, generation in zip(prompts, running, strict=True):
        assert "".join(generation) == text(quiet(ids, 60))
    stats = settled(engine)
    assert stats["tokens"] == sum(len(quiet(ids, 60)) for ids in prompts)
    assert bool(stats["accepted"]) == speculative
    assert stats["prefill_tokens"] + stats["reused_tokens"] == sum(map(len, prompts))


def test_drafts_save_steps(start: Start) -> None:
    engine = start(ExactModel(FakeNetwork(step_s=1e-3)))
    ids = prompt(3, 60, ENDLESS)
    assert "".join(engine.submit(ask(ids), Options(200))) == text(quiet(ids, 200))
    stats = settled(engine)
    assert stats["steps"] < 150 and stats["drafted"] > stats["accepted"] > 50


def test_a_long_prompt_holds_nobody_up(start: Start) -> None:
    network = FakeNetwork(row_s=2e-4)
    engine = start(ExactModel(network, speculative=False))
    talker = engine.submit(ask(prompt(1, 4, ENDLESS)), Options(3000))
    next(iter_talker := iter(talker))
    reader = engine.submit(ask(prompt(2, 1000)), Options(1))
    "".join(reader)
    reading = [rows for rows in network.steps if len(rows) > 1]
    assert len(reading) >= 1000 / 8 and all(rows == [1, 8] for rows in reading)
    iter_talker.close()


def test_a_short_prompt_need_not_wait_for_a_long_one(start: Start) -> None:
    network = FakeNetwork(row_s=2e-4)
    engine = start(ExactModel(network, speculative=False))
    long = engine.submit(ask(prompt(1, 3000)), Options(5))
    short = engine.submit(ask(prompt(2, 40)), Options(5))
    assert "".join(short) == text(quiet(prompt(2, 40), 5))
    assert engine.stats()["running"] == 1 and engine.stats()["prefill_tokens"] < 1000
    assert "".join(long) == text(quiet(prompt(1, 3000), 5))


def test_the_oldest_gets_on_whatever_short_ones_come(start: Start) -> None:
    network = FakeNetwork(row_s=1e-5)
    engine = start(ExactModel(network, speculative=False), max_streams=3)
    oldest = engine.submit(ask(prompt(0, 600)), Options(1))
    others = [engine.submit(ask(prompt(seed, 60)), Options(1)) for seed in range(1, 60)]
    "".join(oldest)
    assert sum(engine.stats()[name] for name in ("running", "waiting")) > 30
    for generation in others:
        generation.cancel()


def test_alone_a_prompt_gets_all_rows_and_pieces_end_at_fixed_places(start: Start) -> None:
    network = FakeNetwork(row_s=1e-5)
    engine = start(ExactModel(network, speculative=False))
    "".join(engine.submit(ask(prompt(1, 75)), Options(1)))
    assert network.steps == [[32], [32], [11]]
    "".join(engine.submit(ask(prompt(1, 20) + prompt(2, 75)), Options(1)))
    assert network.steps[3:] == [[28], [32], [15]]


def test_what_others_have_read_is_not_read_again(start: Start) -> None:
    engine = start(ExactModel(FakeNetwork(row_s=1e-5)))
    system, first, second = prompt(1, 50), prompt(2, 30), prompt(3, 30)
    answer = quiet(system + first, 20)
    assert "".join(engine.submit(ask(system + first), Options(20))) == text(answer)
    turn = system + first + answer + second
    before = settled(engine)
    assert "".join(engine.submit(ask(turn), Options(20))) == text(quiet(turn, 20))
    after = settled(engine)
    assert after["reused_tokens"] - before["reused_tokens"] >= len(turn) - len(second) - 1
    other = system + second
    assert "".join(engine.submit(ask(other), Options(20))) == text(quiet(other, 20))
    assert settled(engine)["reused_tokens"] - after["reused_tokens"] == 50
    # The same once more: all but the last token.
    before = settled(engine)
    assert "".join(engine.submit(ask(other), Options(20))) == text(quiet(other, 20))
    assert settled(engine)["reused_tokens"] - before["reused_tokens"] == len(other) - 1


def test_a_running_sequence_lends_what_it_has_read(start: Start) -> None:
    engine = start(ExactModel(FakeNetwork(row_s=1e-4)))
    system = prompt(1, 63, ENDLESS)
    first = engine.submit(ask(system + prompt(2, 9)), Options(2000))
    next(deltas := iter(first))
    other = system + prompt(3, 9)
    assert "".join(engine.submit(ask(other), Options(5))) == text(quiet(other, 5))
    assert engine.stats()["reused_tokens"] == 64
    deltas.close()


def test_who_begins_alike_waits_for_the_one_that_reads_it(start: Start) -> None:
    network = FakeNetwork(row_s=1e-4)
    engine = start(ExactModel(network))
    asleep = engine.submit(ask(prompt(0, 300)), Options(1))  # so that the others come together
    while not network.steps:
        time.sleep(0.001)
    asked = [prompt(1, 100) + prompt(seed, 10) for seed in range(2, 10)]
    running = [engine.submit(ask(ids), Options(20)) for ids in asked]
    for ids, generation in zip(asked, running, strict=True):
        assert "".join(generation) == text(quiet(ids, 20))
    "".join(asleep)
    assert settled(engine)["reused_tokens"] >= 7 * 100


def test_the_caches_stay_within_their_bound_and_old_ones_go_first(start: Start) -> None:
    network = FakeNetwork(row_s=1e-5)
    engine = start(ExactModel(network), cache_bytes=300)
    most = 0
    for seed in range(30):
        ids = prompt(7, 20) + prompt(seed, 50)
        assert "".join(engine.submit(ask(ids), Options(20))) == text(quiet(ids, 20))
        most = max(most, network.living)
    assert most <= 300 and settled(engine)["reused_tokens"] >= 29 * 20
    running = [engine.submit(ask(prompt(seed, 60)), Options(40)) for seed in range(9)]
    for seed, generation in enumerate(running):
        assert "".join(generation) == text(quiet(prompt(seed, 60), 40))
        most = max(most, network.living)
    assert most <= 300


def test_who_finds_no_memory_waits_and_knows_its_place(start: Start) -> None:
    network = FakeNetwork(row_s=5e-4)
    engine = start(ExactModel(network), cache_bytes=1000)
    line = [engine.submit(ask(prompt(seed, 100)), Options(300)) for seed in range(4)]
    while [each.position for each in line] != [0, 0, 1, 2]:
        assert line[0].finish_reason is None and len(network.steps) < 250, "it was never so"
        time.sleep(0.0005)
    for seed, generation in enumerate(line):
        assert "".join(generation) == text(quiet(prompt(seed, 100), 300))


@pytest.mark.parametrize(
    ("length", "options", "fits"),
    [(90, 5, True), (95, 5, False), (300, 5, False), (90, 500, False)],
)
def test_what_never_fits_is_refused(start: Start, length: int, options: int, fits: bool) -> None:
    engine = start(ExactModel(FakeNetwork(context=95)), cache_bytes=1000)
    tight = start(ExactModel(), cache_bytes=95)
    for each in (engine, tight):
        ids = prompt(1, length)
        generation = each.submit(ask(ids), Options(options))
        if fits or (each is engine and length < 95):
            assert "".join(generation) == text(quiet(ids, min(options, 95 - length)))
            continue
        with pytest.raises(RequestError) as caught:
            "".join(generation)
        assert caught.value.code == "text_too_long"


def test_cancelled_within_one_step_in_the_prompt_too(start: Start) -> None:
    network = FakeNetwork(row_s=1e-3)
    engine = start(ExactModel(network))
    generation = engine.submit(ask(prompt(1, 3000)))
    while len(network.steps) < 3:
        time.sleep(0.001)
    generation.cancel()
    assert "".join(generation) == "" and generation.finish_reason == "abort"
    assert settled(engine)["running"] == 0 and len(network.steps) < 6


def test_sampling_is_the_same_in_company(start: Start) -> None:
    def sampled(engine: Engine, seed: int) -> Generation:
        return engine.submit(ask(prompt(1, 20)), Options(30, temperature=0.3, seed=seed))

    engine = start(ExactModel())
    alone = ["".join(sampled(engine, seed)) for seed in (1, 2, 1)]
    company = [engine.submit(ask(prompt(seed, 30))) for seed in range(5)]
    together = [sampled(engine, seed) for seed in (1, 2)]
    assert ["".join(each) for each in together] == alone[:2] and alone[0] == alone[2] != alone[1]
    for generation in company:
        generation.cancel()


def test_logits_that_are_no_numbers_end_their_request_only(start: Start) -> None:
    class Broken(FakeNetwork):
        def _fill(self, part: Any, logits: np.ndarray) -> None:
            super()._fill(part, logits)
            if part.cache.ids[0] == 5:
                logits[:] = np.nan

    engine = start(ExactModel(Broken()))
    good, bad = [4, *prompt(1, 9)], [5, *prompt(1, 9)]
    pair = [engine.submit(ask(ids), Options(30)) for ids in (good, bad)]
    assert "".join(pair[0]) == text(quiet(good, 30))
    with pytest.raises(FloatingPointError):
        "".join(pair[1])


def test_what_a_prompt_was_read_with_is_told_where_it_is_wanted(start: Start) -> None:
    engine = start(ExactModel())
    ids = prompt(5, 90)
    for options in (Options(1, attention=True), Options(20, attention=True)):
        generation = engine.submit(ask(ids), options)
        "".join(generation)
        assert generation.attention is not None
        assert np.array_equal(generation.attention, np.arange(len(ids)))
    plain = engine.submit(ask(ids), Options(20))
    "".join(plain)
    assert plain.attention is None and engine.attends
