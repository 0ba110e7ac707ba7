"""A set of four questions with answers, and engines that say one thing: for measuring answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fakes import FakeModel

from pocketqa.answer_evaluation import METRICS, Report, Row
from pocketqa.config import Config
from pocketqa.engine import Engine, Generation, Message, Options
from pocketqa.errors import RequestError

CORPUS = [
    {"_id": "a", "title": "食堂几点开门？", "text": "食堂早上7点开门。"},
    {"_id": "b", "title": "图书馆怎么借书？", "text": "凭工作证在一楼服务台借书。"},
    {"_id": "c", "title": "停车场须知", "text": "访客车辆停在地下二层。"},
]
QUERIES: list[dict[str, Any]] = [
    {"_id": "q1", "text": "食堂几点开门？", "answers": ["早上7点", "7点"], "split": "test"},
    {"_id": "q2", "text": "图书馆怎么借书？", "answers": "凭工作证"},
    {"_id": "q3", "text": "访客车辆停在哪里？"},
    {"_id": "q4", "text": "停车场须知是什么？", "answers": ["地下二层"]},
]
SAID = "早上7点或99点开门。"
SHOWN = "早上7点或\n请以材料的原文为准：\n食堂早上7点开门。"
"""… of it: the passages state no other number, the model knows no other word, so they speak."""


class Engines:
    """Starts engines of a scripted model, and remembers the settings."""

    def __init__(self) -> None:
        self.model, self.configs, self.started = FakeModel(SAID), [], []

    def __call__(self, config: Config) -> Engine:
        self.configs.append(config)
        self.started.append(Failing(lambda: self.model))
        return self.started[-1]


class Failing(Engine):
    """An engine that fails where the question is about the car park."""

    def submit(self, messages: list[Message], options: Options | None = None) -> Generation:
        if "停车场须知是什么" in messages[-1]["content"]:
            raise RequestError("deadline_exceeded", "超时", "too late")
        return super().submit(messages, options)


def written(at: Path) -> Path:
    """A set of three passages and four questions, one without answers; no judgements."""
    at.mkdir()
    for name, rows in (("corpus", CORPUS), ("queries", QUERIES)):
        text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (at / f"{name}.jsonl").write_text(text + "\n", encoding="utf-8")
    return at


def row(name: str, answer: str = "", way: str = "generated", **more: Any) -> Row:
    scores = dict.fromkeys(METRICS, more.pop("score", 0.0))
    return Row(name, f"{name}？", ("x",), answer, way, "stop", scores=scores, **more)


def report(rows: list[Row], outside: list[Row] | None = None, **more: Any) -> Report:
    return Report("office", "CHAT_CS", 3, 0, rows, outside or [], more.pop("took_s", 2.0), **more)
