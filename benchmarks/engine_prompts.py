"""What the engines are asked: free writing, grounded questions, long prompts, dialogues.

Grounded prompts are built as the service builds them, from the demo knowledge and its questions.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from engine_figures import Request

ROOT = Path(__file__).resolve().parent.parent
HALL = ROOT / "benchmarks" / "hall"

Messages = list[dict[str, str]]
CountChat = Callable[[Messages], int]
"""Tokens of a chat, as its template renders it."""

PREFILL = 1024
TYPICAL, LARGE = 300, 1000
"""Tokens of grounded prompts, at most."""
PAST = 1000
"""Tokens of a dialogue before its second turn's question."""
FIRST_ANSWER = 64
FREE, MANY, GROUNDED = 128, 96, 320
"""Tokens to decode."""
FULL, FULL_ANSWER = 2000, 100
"""Tokens of a stream that is measured for memory, and how many of them are the answer."""
COPIED = (
    "hall-0042", "hall-0089", "hall-0072", "hall-0201", "hall-0097", "hall-0501", "hall-0570",
)  # fmt: skip
"""Questions that the model answers in a passage's words. To others it gives one word, or says the
question again, which the service replaces by the passage: neither has a speed."""

WRITER = "你是写作助手。"
TOPICS = (
    "准备一次公开演讲", "安排一天的学习", "学好一门外语", "照顾一盆绿萝", "开好一次班会",
    "和新同事相处", "写好一份工作总结", "组织一次春游", "整理一间书房", "学会游泳", "准备一次面试",
    "养成早起的习惯", "教孩子认字", "策划一场读书会", "缓解考试前的紧张", "规划一次长途旅行",
)  # fmt: skip
"""How-to texts: of notices and stories, the 0.5B model repeats a sentence for ever."""


class Prompts:
    """Makes requests, the same ones for the same arguments.

    `mark` is a number of four digits that a prompt begins with, so that no engine has seen it.
    """

    def __init__(self, count: CountChat) -> None:
        from pocketqa.passages import read

        passages = read([ROOT / "knowledge"])[0]
        self.count = count
        self._passages = [each for each in passages if each.kind != "smalltalk"]
        self._by_id = {each.id: each for each in self._passages}
        self._asked = dict(self._questions())

    def prefill(self, mark: int) -> Request:
        """A prompt of `PREFILL` tokens, and one to decode."""
        return Request(self._long(mark, PREFILL, "以上是哪些业务？"), 1)

    def free(self, n: int, tokens: int) -> list[Request]:
        """`n` texts to write, all different up to `TOPICS` and longer than `tokens`."""
        topics = itertools.islice(itertools.cycle(TOPICS), n)
        asked = (f"谈谈怎样{topic}。" for topic in topics)
        return [
            Request([message("system", WRITER), message("user", each)], tokens) for each in asked
        ]

    def first_token(self, n: int, tokens: int) -> Request:
        """The `n`-th grounded question, with as many passages as `tokens` allow."""
        question, passage = list(self._asked.values())[n % len(self._asked)]
        return Request(self._grounded(question, passage, 20, tokens), 1)

    def grounded(self, n: int) -> list[Request]:
        """`n` of the questions in `COPIED`, each over the passage that answers it and another."""
        chosen = [self._asked[name] for name in COPIED[:n]]
        return [Request(self._grounded(*each, most=2), GROUNDED) for each in chosen]

    def first_turn(self, mark: int) -> Request:
        """A dialogue's first turn; with its answer it has about `PAST` tokens."""
        return Request(
            self._long(mark, PAST - FIRST_ANSWER, "请详细说说第一项怎么办。"), FIRST_ANSWER
        )

    def second_turn(self, first: Request, answer: str, mark: int) -> Request:
        """The turn after `first`, under its mark or another one."""
        more = [message("assistant", answer), message("user", "要带什么材料？")]
        return Request([_beginning(mark), *first.messages[1:], *more], 1)

    def full(self, mark: int) -> Request:
        """A stream of `FULL` tokens, prompt and answer."""
        asked = "把以上内容改写成一份详细的通知，逐条说明。"
        return Request(self._long(mark, FULL - FULL_ANSWER, asked), FULL_ANSWER)

    def _long(self, mark: int, tokens: int, question: str) -> Messages:
        start = 37 * mark % len(self._passages)
        turned = self._passages[start:] + self._passages[:start]
        text = "\n\n".join(f"{each.title}\n{each.text}" for each in turned[:60])

        def build(part: str) -> Messages:
            return [_beginning(mark), message("user", f"{part}\n\n{question}")]

        return build(fitted(text, lambda part: self.count(build(part)) <= tokens))

    def _grounded(self, question: str, passage: Any, most: int, tokens: int = LARGE) -> Messages:
        from pocketqa import prompt

        alike = [each for each in self._passages if each.category == passage.category]
        used = [passage, *(each for each in alike if each is not passage)][:most]

        def build(n: int) -> Messages:
            return list(
                map(dict, prompt.build(prompt.ZH.chat, question, (), prompt.material(used[:n])))
            )

        while len(used) > 1 and self.count(build(len(used))) > tokens:
            used.pop()
        return build(len(used))

    def _questions(self) -> Iterator[tuple[str, tuple[str, Any]]]:
        """By its id, a question of the public with the curated passage that answers it."""
        rows = map(json.loads, (HALL / "queries.jsonl").read_text("utf-8").splitlines())
        texts = {row["_id"]: row["text"] for row in rows}
        with (HALL / "qrels" / "test.tsv").open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines, delimiter="\t"):
                passage = self._by_id[row["corpus-id"]]
                if passage.kind == "curated" and (text := texts.pop(row["query-id"], None)):
                    yield row["query-id"], (text, passage)


def _beginning(mark: int) -> dict[str, str]:
    # Four digits always: the same words after them then make the same number of tokens.
    return message("system", f"{mark:04d}号窗口。请按材料作答。")


def message(role: str, content: str) -> dict[str, str]:
    """A message as chat templates take it."""
    return {"role": role, "content": content}


def fitted(text: str, fits: Callable[[str], bool]) -> str:
    """The longest beginning of `text` that fits, to the character."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[:middle]) else (low, middle - 1)
    return text[:low]
