"""How the server is doing, as a list of names and values in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Words = tuple[str, str]
"""In Chinese and in English."""

MODEL = {
    "ready": ("就绪", "ready"),
    "loading": ("正在加载", "loading"),
    "stuck": ("没有反应", "stuck"),
    "away": ("连不上", "away"),
    "failed": ("失败", "failed"),
    "closed": ("已关闭", "closed"),
}
LATE_S = 0.1
"""Lateness of the hub from which it is worth a look."""


@dataclass(frozen=True)
class Shown:
    """A value with its name; `warns` where somebody should look."""

    name: Words
    value: Words
    warns: bool = False


def present(state: Mapping[str, Any], figures: Mapping[str, float]) -> list[Shown]:
    """What of `/ready` and the metrics an operator wants to see; what is not there is –."""
    model = str(state.get("model", ""))
    found = [
        Shown(("模型", "model"), MODEL.get(model, (model, model)), model != "ready"),
        Shown(("知识库条目", "entries"), _same(str(state.get("passages", "–")))),
    ]
    for key, name, form, worrying in (
        ("clients", ("在线", "connected"), "{:.0f}", None),
        ("running", ("正在回答", "answering"), "{:.0f}", None),
        ("waiting", ("排队", "waiting"), "{:.0f}", 1),
        ("tokens_per_s", ("词元/秒", "tokens/s"), "{:.1f}", None),
        ("first_delta_p50_s", ("首字（中位）", "first text, median"), "{:.2f} s", None),
        ("first_delta_p95_s", ("首字（95%）", "first text, 95%"), "{:.2f} s", None),
        ("hub_late_p99_s", ("响应延迟（99%）", "hub late, 99%"), "{:.3f} s", LATE_S),
        ("memory_bytes", ("内存", "memory"), "MB", None),
    ):
        value = figures.get(key)
        text = "–" if value is None or value != value else _text(value, form)
        warns = worrying is not None and value is not None and value >= worrying
        found.append(Shown(name, _same(text), warns))
    return found


def _text(value: float, form: str) -> str:
    return f"{value / 1e6:,.0f} MB" if form == "MB" else form.format(value)


def _same(text: str) -> Words:
    return text, text
