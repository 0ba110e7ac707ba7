"""Measured answers kept in a file, and two such runs beside each other, question by question."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import __version__
from .answer_evaluation import METRICS, WAYS, Report
from .config import Config
from .errors import PocketQAError

FORMAT = 1
UNKEPT = {
    "secret_key", "engine_key", "admin_key", "database_url", "message_queue", "home", "index",
    "host", "port", "origins", "proxies", "grace_s", "log_level", "log_format", "log_text",
    "max_packet_bytes", "answers_per_connection", "connections_per_address", "backlog_kb",
    "require_key", "rooms", "rate", "retention_days", "keep_answering_s", "replay_s", "replay_mb",
}  # fmt: skip
"""Settings that are secret, or that no answer depends on."""
SHOWN = 5
"""Questions shown of those that got worse, and of those that got better."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """A figure in two runs: means over the questions that both have, and how sure the change is.

    `error` is the standard error of the change, paired by question; None of a figure of the run.
    """

    before: float
    now: float
    error: float | None = None

    @property
    def change(self) -> float:
        """What has been gained."""
        return self.now - self.before


@dataclass(frozen=True)
class Changed:
    """A question whose answer has changed, with the change of its `gold_recall` and `char_f1`."""

    id: str
    question: str
    before: str
    now: str
    gold_recall: float
    char_f1: float


@dataclass(frozen=True)
class Comparison:
    """A set's saved run beside a new one. `settings`: name to (before, now), where they differ."""

    pairs: int
    differences: dict[str, Difference]
    settings: dict[str, tuple[Any, Any]]
    worse: list[Changed]
    better: list[Changed]

    def as_json(self) -> Json:
        """One object with all of it."""
        return {
            "pairs": self.pairs,
            "differences": {
                name: {
                    "before": round(each.before, 4), "now": round(each.now, 4),
                    "change": round(each.change, 4),
                    "error": None if each.error is None else round(each.error, 4),
                }
                for name, each in self.differences.items()
            },
            "settings": {name: list(pair) for name, pair in self.settings.items()},
            "worse": [vars(each) for each in self.worse],
            "better": [vars(each) for each in self.better],
        }  # fmt: skip


def settings(config: Config, **more: Any) -> Json:
    """What a run's answers depend on, without secrets; `more` beside it."""
    kept = config.model_dump(mode="json", exclude=UNKEPT)
    return {"version": __version__, "language_model": config.language_model, **kept, **more}


def check_writable(path: Path) -> None:
    """Raise before the work, not after it, where `save` could not write.

    Raises:
        PocketQAError: `unwritable`.
    """
    try:
        with path.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise PocketQAError(
            "unwritable",
            f"无法写入 {path}：{error.strerror}",
            f"{path} cannot be written: {error.strerror}",
        ) from error


def save(path: Path, used: Json, reports: Sequence[Report]) -> None:
    """Write a run: its settings, and of each set the figures and every question."""
    sets = [{**report.as_json(), **report.rows_as_json()} for report in reports]
    text = json.dumps({"format": FORMAT, "settings": used, "sets": sets}, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def load(path: Path) -> Json:
    """A run that `save` wrote.

    Raises:
        PocketQAError: `bad_run` where the file is none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] == FORMAT and isinstance(found["sets"], list):
            return dict(found)
        reason = f"format {found['format']}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error)
    raise PocketQAError(
        "bad_run",
        f"{path} 不是 pocketqa eval answers --save 保存的文件：{reason}",
        f"{path} was not saved by pocketqa eval answers --save: {reason}",
    )


def compare(saved: Json, report: Report, used: Json) -> Comparison | None:
    """`report` beside the set of its name in a saved run; None where the run has no such set."""
    found = next((each for each in saved["sets"] if each["name"] == report.name), None)
    if found is None:
        return None
    now = {**report.as_json(), **report.rows_as_json()}
    pairs = _pairs(found["rows"], now["rows"])
    differences = (
        {name: _paired(pairs, value) for name, value in _values().items()} if pairs else {}
    )
    if outside := _pairs(found["outside_rows"], now["outside_rows"]):
        differences["outside_refused"] = _paired(outside, _is("refused"))
    for name in ("first_p50_s", "first_p95_s", "characters_s", "tokens_s", "took_s"):
        if found.get(name) is not None and now[name] is not None:
            differences[name] = Difference(found[name], now[name])
    names = dict.fromkeys((*saved["settings"], *used))
    unequal = {name: (saved["settings"].get(name), used.get(name)) for name in names}
    unequal = {name: pair for name, pair in unequal.items() if pair[0] != pair[1]}
    changed = sorted(map(_changed, pairs), key=lambda each: each.gold_recall + each.char_f1)
    worse = [each for each in changed if each.gold_recall + each.char_f1 < 0][:SHOWN]
    better = [each for each in reversed(changed) if each.gold_recall + each.char_f1 > 0][:SHOWN]
    return Comparison(len(pairs), differences, unequal, worse, better)


def _pairs(before: list[Json], now: list[Json]) -> list[tuple[Json, Json]]:
    """The same question in both runs, where both have an answer."""
    known = {(row["id"], row["question"]): row for row in before if not row["error"]}
    keys = [((row["id"], row["question"]), row) for row in now if not row["error"]]
    return [(known[key], row) for key, row in keys if key in known]


def _paired(pairs: Sequence[tuple[Json, Json]], value: Callable[[Json], float]) -> Difference:
    before, now = (np.array([value(pair[at]) for pair in pairs], float) for at in (0, 1))
    gained = now - before
    error = float(gained.std(ddof=1)) / len(gained) ** 0.5 if len(gained) > 1 else None
    return Difference(float(before.mean()), float(now.mean()), error)


def _values() -> dict[str, Callable[[Json], float]]:
    """What is compared of a question."""
    values: dict[str, Callable[[Json], float]] = {name: _score(name) for name in METRICS}
    values |= {way: _is(way) for way in WAYS}
    values["ungrounded"] = lambda row: len(row["ungrounded"])
    values["characters"] = lambda row: len(row["answer"])
    values["first_s"] = lambda row: row["first_s"]
    return values


def _score(name: str) -> Callable[[Json], float]:
    return lambda row: float(row["scores"][name])


def _is(way: str) -> Callable[[Json], float]:
    return lambda row: float(row["way"] == way)


def _changed(pair: tuple[Json, Json]) -> Changed:
    before, now = pair
    gains = [round(now["scores"][name] - before["scores"][name], 4) for name in METRICS]
    by_name = dict(zip(METRICS, gains, strict=True))
    return Changed(
        now["id"], now["question"], before["answer"], now["answer"],
        by_name["gold_recall"], by_name["char_f1"],
    )  # fmt: skip
