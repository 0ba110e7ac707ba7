"""The figures as a picture: decode speed over streams, and the speeds of one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine_figures import Readings, median
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLOURS = {"ours": "#c8102e", "llama.cpp": "#2f6db5", "transformers": "#8a8a8a"}
BARS = {
    "prefill": "prefill,\ntokens/s",
    "free": "free text,\ntokens/s",
    "grounded": "grounded,\ntokens/s",
}


def draw(readings: Readings, engines: Sequence[str], report: dict[str, Any], file: Path) -> None:
    """Draw as PNG."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    left, *small = figure.subplots(1, 1 + len(BARS), width_ratios=(4, *[1.3] * len(BARS)))
    for engine in engines:
        if points := stream_points(readings, engine):
            left.plot(*zip(*points, strict=True), marker="o", color=COLOURS[engine], label=engine)
    left.set_xscale("log", base=2)
    counts = sorted({n for engine in engines for n, _ in stream_points(readings, engine)})
    left.set_xticks(counts, [str(n) for n in counts])
    left.set(xlabel="streams", ylabel="tokens/s in all", title="decoding at once", ylim=(0, None))
    left.legend(frameon=False)
    for axes, name in zip(small, BARS, strict=True):
        _bars(axes, name, readings, engines)
    figure.suptitle(f"{report['model']}, {report['threads']} threads", fontsize=10)
    figure.savefig(file, dpi=120)


def stream_points(readings: Readings, engine: str) -> list[tuple[int, float]]:
    """(streams, tokens a second in all) of an engine, as far as they were measured."""
    found = []
    for name, of in readings.items():
        kind, _, n = name.partition("_")
        value = median(of.get(engine, []))
        if kind == "streams" and n.isdigit() and value is not None:
            found.append((int(n), value))
    return sorted(found)


def _bars(axes: Any, name: str, readings: Readings, engines: Sequence[str]) -> None:
    """One figure of each engine, from 0 up."""
    values = [median(readings.get(name, {}).get(engine, [])) or 0 for engine in engines]
    bars = axes.bar(range(len(engines)), values, color=[COLOURS[each] for each in engines])
    axes.bar_label(bars, fmt="%.0f", fontsize=8)
    axes.set_title(BARS[name], fontsize=10)
    axes.set_xticks([])
    axes.spines[["top", "right"]].set_visible(False)
