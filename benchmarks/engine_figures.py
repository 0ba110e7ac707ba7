"""What is measured of an answer's deltas, and what is made of it over rounds and engines. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Count = Callable[[str], int]
"""How many tokens a text has; the same tokenizer for every engine."""

Readings = dict[str, dict[str, list[float]]]
"""Figure → engine → one value a round."""

PLAIN = {
    "free_repeated",
    "grounded_copied",
    "grounded_tokens",
    "full_tokens",
    "weights_mb",
    "share",
}
"""Figures whose ratio to another engine's would say nothing."""
GRAM = 6
"""Characters that are looked for elsewhere, to tell copied text from new."""
LEAST = 16
"""Tokens after the first that make a rate: fewer say nothing."""


@dataclass(frozen=True)
class Request:
    """What an engine is asked: chat messages as templates take them, decoded at temperature 0."""

    messages: list[dict[str, str]]
    max_new_tokens: int


@dataclass(frozen=True)
class Stream:
    """One answer: (seconds since its batch was asked, text) of each delta that had text."""

    deltas: tuple[tuple[float, str], ...]

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(text for _, text in self.deltas)

    @property
    def first(self) -> float:
        """Seconds to the first text; infinite when none came."""
        return self.deltas[0][0] if self.deltas else float("inf")

    @property
    def last(self) -> float:
        """Seconds to the last text; 0 when none came."""
        return self.deltas[-1][0] if self.deltas else 0.0

    def until(self, at: float) -> str:
        """What had come by then."""
        return "".join(text for when, text in self.deltas if when <= at)


def decode_rate(streams: Sequence[Stream], count: Count) -> float | None:
    """Tokens a second after the first delta, of answers that were asked one after the other."""
    tokens = sum(count(each.text) - count(each.until(each.first)) for each in streams)
    seconds = sum(each.last - each.first for each in streams if each.deltas)
    return tokens / seconds if tokens >= LEAST and seconds > 0 else None


def steady_rate(streams: Sequence[Stream], count: Count) -> float | None:
    """Tokens a second in all while every stream decodes.

    That is from the moment when the last of them has its first text until the first of them ends.
    An engine that serves in turn has no such time: all its tokens over the whole time then.
    """
    began, ended = max(each.first for each in streams), min(each.last for each in streams)
    tokens = sum(count(each.until(ended)) - count(each.until(began)) for each in streams)
    if ended > began and tokens >= LEAST:
        return tokens / (ended - began)
    return wall_rate(streams, count)


def wall_rate(streams: Sequence[Stream], count: Count) -> float | None:
    """Tokens a second in all from the asking to the end, prompts included."""
    seconds = max(each.last for each in streams)
    tokens = sum(count(each.text) for each in streams)
    return tokens / seconds if seconds > 0 else None


def repeated(text: str) -> float:
    """The share of a text that stands in it already: much of it makes drafting easy."""
    grams = _grams(text)
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def copied(text: str, source: str) -> float:
    """The share of a text that stands in its source."""
    grams, known = _grams(text), set(_grams(source))
    return sum(gram in known for gram in grams) / len(grams) if grams else 0.0


def _grams(text: str) -> list[str]:
    return [text[at : at + GRAM] for at in range(len(text) - GRAM + 1)]


def median(values: Sequence[float]) -> float | None:
    """The median, of whatever rounds there are."""
    return statistics.median(values) if values else None


def ratio(readings: Readings, name: str, ours: str, peer: str) -> float | None:
    """How many times `peer`'s value `ours` has: the median over rounds, as both are in a round."""
    of = readings.get(name, {})
    pairs = zip(of.get(ours, []), of.get(peer, []), strict=False)
    return median([a / b for a, b in pairs if b])


def bytes_per_token(tensors: Mapping[str, int]) -> int:
    """Bytes of a GGUF's weights that one token reads, of the bytes of each tensor by name.

    Where the output matrix is a tensor of its own, only a row of the embedding is read.
    """
    embedding = tensors["token_embd.weight"] if "output.weight" in tensors else 0
    return sum(tensors.values()) - embedding


@dataclass(frozen=True)
class Target:
    """What the engine is built to reach."""

    label: str
    at_least: float | None
    at_most: float | None
    seen: float | None

    @property
    def asked(self) -> str:
        """As one would say it."""
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"

    @property
    def verdict(self) -> str:
        """`yes`, `no`, or `not measured`."""
        if self.seen is None:
            return "not measured"
        low = self.at_least is None or self.seen >= self.at_least
        return "yes" if low and (self.at_most is None or self.seen <= self.at_most) else "no"


def targets(readings: Readings) -> list[Target]:
    """Each target with what was seen of ours, and beside llama.cpp where it is a ratio."""

    def against(name: str) -> float | None:
        return ratio(readings, name, "ours", "llama.cpp")

    def own(name: str) -> float | None:
        return median(readings.get(name, {}).get("ours", []))

    peak = own("peak_mb")
    return [
        Target("one stream of free text, times llama.cpp", 1.3, None, against("free")),
        Target("one grounded answer, times llama.cpp", 2.0, None, against("grounded")),
        Target("eight streams in all, times llama.cpp", 3.0, None, against("streams_8")),
        Target("prefill, times llama.cpp", 2.5, None, against("prefill")),
        Target("second turn, first token, of the uncached time", None, 0.15, own("second_turn")),
        Target("peak memory, 8 streams of 2,000 tokens, GB", None, 1.5, peak and peak / 1000),
        Target("ready from the converted cache, s", None, 8.0, own("ready_s")),
    ]


def figure_table(readings: Readings, labels: Mapping[str, str], engines: Sequence[str]) -> str:
    """Medians in Markdown, with the ratio to llama.cpp in brackets."""
    lines = ["| | " + " | ".join(engines) + " |", "|---" * (len(engines) + 1) + "|"]
    for name, label in labels.items():
        if name in readings:
            cells = " | ".join(_cell(readings, name, engine) for engine in engines)
            lines.append(f"| {label} | {cells} |")
    return "\n".join(lines)


def target_table(found: Sequence[Target]) -> str:
    """Asked, seen and whether it is reached, in Markdown."""
    rows = [
        f"| {each.label} | {each.asked} | {shown(each.seen)} | {each.verdict} |" for each in found
    ]
    return "\n".join(["| | asked | seen | reached |", "|---|---|---|---|", *rows])


def shown(value: float | None) -> str:
    """A number with three or four digits that count."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _cell(readings: Readings, name: str, engine: str) -> str:
    times = ratio(readings, name, engine, "llama.cpp")
    value = shown(median(readings[name].get(engine, [])))
    is_alone = times is None or engine == "llama.cpp" or name in PLAIN
    return value if is_alone else f"{value} ({times:.2f})"
