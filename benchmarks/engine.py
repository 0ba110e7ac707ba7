"""Ours, llama.cpp and stock transformers on the same model, prompts and threads, in one run.

    python benchmarks/engine.py [--json FILE] [--only NAME…] [--streams N…] [--quick]
                                [--measures NAME…] [--rounds N] [--model NAME] [--plot FILE]

Each engine is a process of its own (`peers.py`), started once and asked in turn while the others
sleep. Every round asks each of them everything, the next engine first; figures are medians of the
rounds, ratios medians of the ratios within a round. What each figure is stands at its function
here; prompts are in `engine_prompts.py`. Last, each engine is started once more, alone, for its
memory.
"""

from __future__ import annotations

import argparse
import functools
import importlib.metadata
import importlib.util
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import engine_figures as figures
from engine_figures import Readings
from peers import ENGINES, Settings, Worker, WorkerError

if TYPE_CHECKING:
    from engine_measures import Bench

PLOT = Path(__file__).resolve().parent.parent / "docs" / "engine.png"
LABELS = {
    "prefill": "prefill, 1,024 tokens, tokens/s",
    "first_300": "first token, grounded, ≤ 300 tokens, s",
    "first_1000": "first token, grounded, ≤ 1,000 tokens, s",
    "free": "decode, one stream, free text, tokens/s",
    "free_repeated": "… share of the text that it has said already",
    "grounded": "decode, one grounded answer, tokens/s",
    "grounded_copied": "… share of the answer that stands in the prompt",
    "grounded_tokens": "… tokens of an answer",
    "second_turn_s": "first token of a second turn, 1,000 tokens of past, s",
    "second_turn": "… over the uncached time",
    "peak_mb": "peak memory, 8 streams of 2,000 tokens, MB",
    "full_tokens": "… tokens that a stream had",
    "pss_mb": "… proportional share after them, MB",
    "ready_s": "ready after, imports included, s",
    "weights_mb": "weights read for a token, MB",
    "share": "share of the memory-bandwidth bound, one stream",
}
SLOT = 1536
"""Tokens that a stream may have in the measures before that of memory."""
MEMORY_STREAMS, MEMORY_TOKENS = 8, 2048


def main() -> None:
    """Measure, print two tables, and write what was asked for."""
    options = parse()
    require(options.only)
    settings = found_model(options)
    bench = made_bench(settings, options)
    readings: Readings = {}
    report = machine(settings)
    report["read_gb_s"] = measure_rounds(options, settings, bench, readings)
    if "memory" in options.measures:
        measure_memory(options.only, settings, bench, readings)
    add_share(readings, report["read_gb_s"])
    found = figures.targets(readings)
    report |= {"rounds": options.rounds, "figures": summary(readings)}
    report["targets"] = [vars(each) | {"reached": each.verdict} for each in found]
    print(shown(report, readings, options), figures.target_table(found), sep="\n\n")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False), "utf-8")
    if options.plot:
        from engine_plot import draw

        draw(readings, options.only, report, options.plot)


def parse() -> argparse.Namespace:
    """The command line."""
    from pocketqa.config import usable_cores

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--only", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--streams", nargs="+", type=int, default=None, metavar="N")
    parser.add_argument("--quick", action="store_true", help="one round of little, no memory")
    parser.add_argument("--measures", nargs="+", metavar="NAME", help="prefill, free, memory …")
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--model", default=None, help="a name of the catalogue")
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument(
        "--plot", type=Path, help="default: docs/engine.png when nothing is left out"
    )
    options = parser.parse_args()
    options.streams = options.streams or ([1, 8] if options.quick else [1, 2, 4, 8, 16])
    options.rounds = options.rounds or (1 if options.quick else 3)
    is_whole = not options.quick and options.only == list(ENGINES) and not options.measures
    options.plot = options.plot or (PLOT if is_whole else None)
    return options


def require(engines: Sequence[str]) -> None:
    """Leave, saying how to install it, when llama.cpp is wanted and not there."""
    if "llama.cpp" in engines and importlib.util.find_spec("xllamacpp") is None:
        command = f"{sys.executable} -m pip install -r requirements-bench.txt"
        sys.exit(
            f"与 llama.cpp 比较需要 xllamacpp，请运行 {command}，或用 --only ours transformers\n"
            f"comparing with llama.cpp needs xllamacpp: run {command}, or give "
            "--only ours transformers"
        )


def found_model(options: argparse.Namespace) -> Settings:
    """The model's two forms in the cache, fetched and converted if need be."""
    from pocketqa import models
    from pocketqa.config import Config

    home, name = Config().home, options.model or next(iter(models.catalogue()))
    converted = Path(models.resolve(name, home))
    gguf = models.fetch(name, home)
    return Settings(gguf, converted, options.threads, max(options.streams), SLOT)


def made_bench(settings: Settings, options: argparse.Namespace) -> Bench:
    """The measures, counting tokens with the model's tokenizer."""
    from engine_measures import Bench
    from engine_prompts import Prompts
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(settings.converted)

    def count(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False))

    def count_chat(messages: list[dict[str, str]]) -> int:
        rendered = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        return count(rendered)

    bench = Bench(Prompts(count_chat), count, options.streams, 1 if options.quick else 3)
    unknown = set(options.measures or ()) - {*bench.measures, "memory"}
    if unknown:
        sys.exit(f"no measure {', '.join(unknown)}; there are {', '.join(bench.measures)}, memory")
    options.measures = options.measures or [*bench.measures, *["memory"][options.quick :]]
    return bench


def measure_rounds(
    options: argparse.Namespace, settings: Settings, bench: Bench, readings: Readings
) -> float:
    """All measures but that of memory; returns the median read bandwidth meanwhile, GB/s."""
    bandwidth = [read_bandwidth(settings.threads)]
    workers = {name: started(name, settings, readings) for name in options.only}
    for worker in workers.values():
        worker.ask(*bench.prompts.free(2, 4))  # what is loaded with the first request
    for turn in range(options.rounds):
        for name in (each for each in bench.measures if each in options.measures):
            ahead = turn % len(workers)
            for engine in [*options.only[ahead:], *options.only[:ahead]]:
                note(readings, engine, attempt(bench, name, workers[engine], turn))
        bandwidth.append(read_bandwidth(settings.threads))
    for worker in workers.values():
        worker.stop()
    return statistics.median(bandwidth)


def started(name: str, settings: Settings, readings: Readings) -> Worker:
    """A worker of an engine, with what is known once it is ready."""
    worker = Worker(name, settings)
    weights = worker.weight_bytes or gguf_bytes(settings.gguf)
    note(readings, name, {"ready_s": worker.ready_s, "weights_mb": weights / 1e6})
    return worker


def attempt(bench: Bench, name: str, worker: Worker, turn: int) -> dict[str, float | None]:
    """A measure's figures; none, and a line, when the engine fails: the run goes on."""
    try:
        return bench.measures[name](worker, turn)
    except WorkerError as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        return {}


def note(readings: Readings, engine: str, found: dict[str, float | None]) -> None:
    """Keep figures, and tell them as they come."""
    for name, value in found.items():
        print(f"{engine:<13} {name:<17} {figures.shown(value)}", file=sys.stderr, flush=True)
        if value is not None and math.isfinite(value):
            readings.setdefault(name, {}).setdefault(engine, []).append(value)


def measure_memory(
    engines: Sequence[str], settings: Settings, bench: Bench, readings: Readings
) -> None:
    """Each engine alone, anew: its peak from its start until it has served the streams."""
    for name in engines:
        alone = Settings(
            settings.gguf, settings.converted, settings.threads, MEMORY_STREAMS, MEMORY_TOKENS
        )
        worker = started(name, alone, readings)
        try:
            asked = [bench.prompts.full(4000 + i) for i in range(MEMORY_STREAMS)]
            note(readings, name, {"full_tokens": bench.length(asked, worker.ask(*asked))})
            note(readings, name, worker.memory())
        except WorkerError as error:
            print(f"memory: {error}", file=sys.stderr, flush=True)
        worker.stop()


def read_bandwidth(threads: int) -> float:
    """GB/s that `threads` threads read of 512 MB that were really filled; median of ten."""
    import torch

    torch.set_num_threads(threads)
    filled, times = torch.randn(1 << 27), []
    for _ in range(10):
        began = time.perf_counter()
        filled.sum()
        times.append(time.perf_counter() - began)
    return 4 * len(filled) / statistics.median(times) / 1e9


@functools.cache
def gguf_bytes(file: Path) -> int:
    """Bytes of weights that a token reads from a GGUF file."""
    from gguf import GGUFReader

    return figures.bytes_per_token(
        {each.name: int(each.n_bytes) for each in GGUFReader(file).tensors}
    )


def add_share(readings: Readings, read_gb_s: float) -> None:
    """The decode speed of one stream by what memory allows: bandwidth by an engine's weights."""
    for engine, rates in readings.get("free", {}).items():
        weights = readings["weights_mb"][engine][0] / 1000
        share = [rate * weights / read_gb_s for rate in rates]
        readings.setdefault("share", {})[engine] = share


def summary(readings: Readings) -> dict[str, Any]:
    """For JSON: of each figure and engine its median, its ratio to llama.cpp, its rounds."""
    return {
        name: {
            engine: {
                "median": figures.median(values),
                "to_llama_cpp": figures.ratio(readings, name, engine, "llama.cpp"),
                "rounds": values,
            }
            for engine, values in of.items()
        }
        for name, of in readings.items()
    }


def machine(settings: Settings) -> dict[str, Any]:
    """What it was measured on."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), "",
    )  # fmt: skip
    versions = {}
    for name in ("torch", "transformers", "xllamacpp"):
        if importlib.util.find_spec(name):
            versions[name] = importlib.metadata.version(name)
    return {
        "cpu": cpu, "threads": settings.threads, "model": settings.gguf.name,
        "versions": versions, "load_before": round(os.getloadavg()[0], 2),
    }  # fmt: skip


def shown(report: dict[str, Any], readings: Readings, options: argparse.Namespace) -> str:
    """The table, after a line on what was measured."""
    labels = {}
    for n in options.streams:
        labels[f"streams_{n}"] = f"decode, {n} at once, in all, tokens/s"
        labels[f"streams_{n}_wall"] = "… over the whole time, prompts included"
    labels = LABELS | labels
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    head = (
        f"{report['model']}, {report['threads']} threads, {report['cpu']}, "
        f"{report['read_gb_s']:.1f} GB/s read; {versions}; medians of {report['rounds']} rounds, "
        f"load before {report['load_before']}. In brackets the ratio to llama.cpp."
    )
    return head + "\n\n" + figures.figure_table(readings, labels, options.only)


if __name__ == "__main__":
    main()
