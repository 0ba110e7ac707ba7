"""Figures of what goes on, for Prometheus and for the operator's page.

A `Metrics` belongs to one application. Its counters are changed in the hub only, whose locks they
have; native threads use `note`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.registry import Collector

disable_created_metrics()

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
TICK_S = 0.05
"""The hub is looked at so often."""
KEPT_S = 60.0
"""Percentiles and rates of `figures` are those of so long."""
SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
LONG = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)


class Metrics:
    """All figures of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = self._counter(
            "requests", "Requests that have ended, by what became of them.",
            ("event", "outcome", "way"),
        )  # fmt: skip
        self._refusals = self._counter(
            "refusals", "Requests that ended in an error, by its code.", ("event", "code")
        )
        self._first = self._histogram(
            "first_delta_seconds", "From a request to the first words of its answer.",
            LONG, ("event",),
        )  # fmt: skip
        self._answer = self._histogram(
            "answer_seconds", "From a request to the last frame of its answer.", LONG, ("event",)
        )
        self._retrieval = self._histogram(
            "retrieval_seconds", "A call of the index, waiting for it included.", SHORT, ("call",)
        )
        self._written = self._histogram(
            "database_write_seconds", "Until something was on the disk.", SHORT
        )
        self._late = self._histogram(
            "hub_late_seconds", "How late the event loop wakes a greenlet that slept.", SHORT
        )
        ProcessCollector(registry=self.registry)
        self._noted: deque[tuple[Histogram, float]] = deque(maxlen=10_000)
        self._recent_late: deque[float] = deque(maxlen=int(KEPT_S / TICK_S))
        self._recent_first: deque[tuple[float, float]] = deque(maxlen=1_000)
        self._tokens: deque[tuple[float, float]] = deque(maxlen=int(KEPT_S))
        self._gauges: dict[str, Callable[[], float]] = {}
        self._outcomes: dict[str, int] = {}
        self._engine: Callable[[], Mapping[str, float]] = dict

    def gauge(self, name: str, about: str, value: Callable[[], float]) -> None:
        """Show what `value` returns whenever somebody looks."""
        Gauge(f"pocketqa_{name}", about, registry=self.registry).set_function(value)
        self._gauges[name] = value

    def engine(self, stats: Callable[[], Mapping[str, float]]) -> None:
        """Show an engine's own figures, see `Engine.stats`."""
        self._engine = stats
        self.registry.register(_Engine(stats))

    def answered(
        self, event: str, outcome: str, way: str, seconds: float, first_s: float | None
    ) -> None:
        """Count an answer that has ended; `first_s` until its first words, if there were any."""
        self._requests.labels(event, outcome, way).inc()
        self._outcomes[outcome] = self._outcomes.get(outcome, 0) + 1
        self._answer.labels(event).observe(seconds)
        if first_s is not None:
            self._first.labels(event).observe(first_s)
            self._recent_first.append((time.monotonic(), first_s))

    def refused(self, event: str, code: str, *, accepted: bool) -> None:
        """Count an error; one of a request that was not accepted is its outcome as well."""
        self._refusals.labels(event, code).inc()
        if not accepted:
            self._requests.labels(event, "refused", "").inc()
            self._outcomes["refused"] = self._outcomes.get("refused", 0) + 1

    @contextmanager
    def retrieving(self, call: str) -> Iterator[None]:
        """Measure a call of the index."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._retrieval.labels(call).observe(time.monotonic() - began)

    def wrote(self, seconds: float) -> None:
        """Note how long the database took to write; callable from any thread."""
        self._noted.append((self._written, seconds))

    def watch_hub(self, sleep: Callable[[float], object]) -> None:
        """Measure for ever how late the hub is; for a greenlet of its own."""
        ticks = 0
        while True:
            wanted = time.monotonic() + TICK_S
            sleep(TICK_S)
            late = max(0.0, time.monotonic() - wanted)
            self._late.observe(late)
            self._recent_late.append(late)
            self._count_noted()
            ticks += 1
            if ticks * TICK_S >= 1:
                ticks = 0
                self._tokens.append((time.monotonic(), self._engine().get("tokens", 0)))

    def render(self) -> bytes:
        """Everything, in Prometheus' text format."""
        self._count_noted()
        return generate_latest(self.registry)

    def figures(self) -> dict[str, float]:
        """What the operator's page shows: gauges, the engine's figures, the last minute's times.

        `outcome_stop` and so on count the requests since the start.
        """
        stats = self._engine()
        since = time.monotonic() - KEPT_S
        first = [seconds for at, seconds in self._recent_first if at >= since]
        found = {name: float(value()) for name, value in self._gauges.items()}
        found |= {name: float(stats.get(name, 0)) for name in ("running", "waiting")}
        found |= {f"outcome_{name}": float(count) for name, count in self._outcomes.items()}
        found["tokens_per_s"] = self._tokens_per_s()
        found["first_delta_p50_s"] = _at(first, 0.5)
        found["first_delta_p95_s"] = _at(first, 0.95)
        found["hub_late_p99_s"] = _at(self._recent_late, 0.99)
        memory = self.registry.get_sample_value("process_resident_memory_bytes")
        found["memory_bytes"] = memory or 0.0
        return found

    def _tokens_per_s(self) -> float:
        if len(self._tokens) < 2:
            return 0.0
        (began, before), (ended, after) = self._tokens[0], self._tokens[-1]
        return (after - before) / max(ended - began, TICK_S)

    def _count_noted(self) -> None:
        while self._noted:
            histogram, value = self._noted.popleft()
            histogram.observe(value)

    def _counter(self, name: str, about: str, labels: tuple[str, ...]) -> Counter:
        return Counter(f"pocketqa_{name}", about, labels, registry=self.registry)

    def _histogram(
        self, name: str, about: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()
    ) -> Histogram:
        return Histogram(f"pocketqa_{name}", about, labels, buckets=buckets, registry=self.registry)


class _Engine(Collector):
    """An engine's own figures; those that it does not have are left out."""

    GAUGES = {
        "waiting": ("queue_length", "Requests that wait for the model."),
        "running": ("streams", "Answers that the model is making."),
        "cache_bytes": ("cache_bytes", "Memory for what the model has read."),
    }
    COUNTERS = {
        "tokens": ("tokens", "Tokens that the model has said."),
        "prefill_tokens": ("prompt_tokens", "Tokens that the model has read."),
        "reused_tokens": ("reused_tokens", "Tokens that it did not have to read again."),
    }

    def __init__(self, stats: Callable[[], Mapping[str, float]]) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Any]:
        """See `Collector.collect`."""
        stats = self._stats()
        for key, (name, about) in self.GAUGES.items():
            if key in stats:
                yield GaugeMetricFamily(f"pocketqa_{name}", about, stats[key])
        for key, (name, about) in self.COUNTERS.items():
            if key in stats:
                yield CounterMetricFamily(f"pocketqa_{name}", about, stats[key])
        if "served" in stats:
            yield SummaryMetricFamily(
                "pocketqa_queue_wait_seconds",
                "How long requests waited for the model.",
                count_value=int(stats["served"]),
                sum_value=stats["waited_s"],
            )

    def describe(self) -> list[Any]:
        """Nothing: an engine that is loading has no figures yet."""
        return []


def _at(values: Any, part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0
