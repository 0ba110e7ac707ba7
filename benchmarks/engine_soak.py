"""Does the engine keep its promises for long? Many requests, cancellations and planted faults.

    python benchmarks/engine_soak.py [--requests N] [--faults N] [--seed N] [--at-once N]

The real model answers requests of random length from the demo knowledge, a third of them cancelled
at random moments, some with a fault planted in tokenising, reading, memory or speaking. Checked:
each ends in exactly one last frame of the right kind; memory returns to where it was; and every
answer that nothing touched equals the one that its request gets alone, afterwards. Exits with 1
when anything is wrong. The default takes about a quarter of an hour.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from engine_soak_plan import Ask, Planted, plan  # noqa: E402
from tqdm import tqdm  # noqa: E402

from pocketqa import models, passages, protocol  # noqa: E402
from pocketqa.config import data_folder, load, usable_cores  # noqa: E402
from pocketqa.engine import Engine, Generation, Options  # noqa: E402
from pocketqa.engine import model as engine_model  # noqa: E402
from pocketqa.events import guarded  # noqa: E402
from pocketqa.protocol import Piece, Request  # noqa: E402

CACHE_MB = 96
"""Little, so that requests wait for memory and kept prefixes are forgotten all the time."""
SLACK_MB = 32.0
"""What memory may have grown by at the end: less than a third of one per thousand requests."""
WARM = 100
"""Requests after which memory is first measured: buffers have grown to their size by then."""


@dataclass(frozen=True)
class Answer:
    """What became of a request: its text, and the last frames that it got."""

    text: str
    ends: tuple[str, ...]
    codes: tuple[str, ...] = ()


def main() -> None:
    """Ask, check, report."""
    options = parse()
    logging.disable(logging.CRITICAL)  # planted faults are many
    config = load()
    known, _ = passages.read([data_folder("knowledge")])
    asks = plan(
        [each for each in known if each.kind == "curated"],
        options.requests,
        options.faults,
        options.seed,
    )
    source = models.resolve(config.model, config.home)
    loaded: list[Planted] = []

    def load_model() -> Planted:
        loaded.append(Planted(engine_model.load(source, threads=usable_cores())))
        return loaded[0]

    engine = Engine(
        load_model,
        queue_size=options.requests,
        cache_bytes=CACHE_MB << 20,
    )
    engine.wait()
    room = (CACHE_MB << 20) // (loaded[0].network.cache_bytes(16) // 16)
    answers = ask_all(engine, asks[:WARM], options.at_once)
    before = settled(engine, room)
    answers |= ask_all(engine, asks[WARM:], options.at_once)
    after = settled(engine, room)
    wrong = [fault for ask in asks if (fault := wrong_end(ask, answers[ask.number]))]
    differing, compared = compare(engine, asks, answers)
    engine.close()
    ends = Counter(end for answer in answers.values() for end in answer.ends)
    print(f"{len(asks)} requests; last frames: {dict(ends)}")
    print(f"wrong ends: {len(wrong)} {wrong[:3]}")
    print(f"anonymous memory: {before:.0f} MB after {WARM} requests, {after:.0f} MB after all")
    print(f"answers unlike those alone: {len(differing)} of {compared} {differing[:3]}")
    sys.exit(bool(wrong or differing or after > before + SLACK_MB))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--faults", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=24)
    return parser.parse_args()


def ask_all(engine: Engine, asks: Sequence[Ask], at_once: int) -> dict[int, Answer]:
    """The answers by number; `at_once` askers take the requests in turn."""
    with ThreadPoolExecutor(at_once) as askers:
        found = askers.map(lambda ask: answer(engine, ask), asks)
        return {
            ask.number: each
            for ask, each in zip(asks, tqdm(found, total=len(asks), disable=None), strict=True)
        }


def answer(engine: Engine, ask: Ask) -> Answer:
    """Ask as a client would; its frames put together."""
    time.sleep(ask.pause_s)
    generation = engine.submit(ask.messages, ask.options)
    timer = Timer(ask.cancel_s or 0.0, generation.cancel)
    if ask.cancel_s is not None:
        timer.start()
    request = Request("CHAT_CS", "", "sid", "room", "dialogue", request_id=str(ask.number))
    frames = [
        frame["data"] for frame in protocol.frames(request, guarded(request, pieces(generation)))
    ]
    timer.cancel()
    lasts = [data for data in frames if data["finish_reason"]]
    assert lasts[-1:] == frames[-1:]
    return Answer(
        "".join(data["delta"] for data in frames),
        tuple(data["finish_reason"] for data in lasts),
        tuple(data["error"]["code"] for data in lasts if "error" in data),
    )


def pieces(generation: Generation) -> Iterator[Piece]:
    """What a generator of `answering` makes of a generation."""
    for delta in generation:
        yield Piece(delta)
    yield Piece("", generation.finish_reason)


def wrong_end(ask: Ask, answer: Answer) -> str:
    """What is wrong with how a request ended; `''` for nothing."""
    allowed: tuple[str, ...] = ("stop", "length")
    if ask.cancel_s is not None:
        allowed = ("stop", "length", "abort")  # it may have ended before
    if ask.fault:
        allowed = ("error",)
    is_right = len(answer.ends) == 1 and answer.ends[0] in allowed
    code = {"": (), "memory": ("queue_full",)}.get(ask.fault, ("internal",))
    if is_right and answer.codes == code:
        return ""
    return f"{ask.number} {ask.fault or ask.cancel_s}: {answer.ends} {answer.codes}"


def settled(engine: Engine, room: int) -> float:
    """Anonymous memory in MB once nothing runs and no cache is kept but one of a few tokens.

    It asks for nearly all the `room`, in tokens, that caches have, so that all others go.
    """
    largest = engine.submit([{"role": "user", "content": "好"}], Options(room - 128))
    for _ in largest:
        largest.cancel()
    while engine.stats()["running"]:
        time.sleep(0.01)
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise OSError("/proc/self/status tells no RssAnon")


def compare(
    engine: Engine, asks: Sequence[Ask], answers: dict[int, Answer]
) -> tuple[list[int], int]:
    """The numbers of whole answers that are another when asked alone, and how many there were."""
    whole = [ask for ask in asks if answers[ask.number].ends in (("stop",), ("length",))]
    differing = [
        ask.number
        for ask in tqdm(whole, desc="alone", disable=None)
        if "".join(engine.submit(ask.messages, ask.options)) != answers[ask.number].text
    ]
    return differing, len(whole)


if __name__ == "__main__":
    main()
