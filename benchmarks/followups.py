"""Follow-ups on the demo knowledge: what is found without, with naive and with our rewriting.

    python benchmarks/followups.py [--json]

Prints hit@1, hit@3 and MRR@10 for each kind of dialogue of `dialogues.jsonl`, for its two halves.
The rules were made looking at `dev`; `test` shows how they do on dialogues they were not made for.
Then the share of questions about something else that are refused after each of `TOPICS`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pocketqa import indexing
from pocketqa.config import Config
from pocketqa.dialogue import Turn
from pocketqa.followup import Surety, standalone
from pocketqa.retriever import Retriever

ROOT = Path(__file__).resolve().parent.parent
DIALOGUES = Path(__file__).with_name("dialogues.jsonl")
OFF_TOPIC = Path(__file__).with_name("off_topic.jsonl")
TOPICS = ("身份证丢了怎么补办?", "公积金怎么提取", "离婚要等多久")
"""What was asked before a question about something else."""
NEW_TOPIC = ("new_topic", "new_topic_short")
"""Kinds whose last question is complete; all the others are follow-ups."""
DEPTH = 10
"""Hits that are looked at."""


@dataclass(frozen=True)
class Dialogue:
    """Questions asked before, the last one, and the titles of the passages that answer it."""

    id: str
    split: str
    kind: str
    turns: list[str]
    question: str
    relevant: list[str]


@dataclass(frozen=True)
class Figures:
    """Means over `n` dialogues."""

    n: int
    hit1: float
    hit3: float
    mrr: float


Rewriting = Callable[[Dialogue], str]


def main() -> None:
    """Measure and print."""
    dialogues = load()
    with tempfile.TemporaryDirectory() as folder:
        indexing.build([ROOT / "knowledge"], Path(folder))
        retriever = Retriever.open(Path(folder))
        ways = rewritings(retriever)
        table = {
            split: {name: measure(dialogues, split, how, retriever) for name, how in ways.items()}
            for split in ("dev", "test")
        }
        off_topic = {split: refused(split, retriever) for split in ("fit", "test")}
        took = milliseconds(dialogues)
        retriever.close()
    if "--json" in sys.argv[1:]:
        figures = {**table, "off_topic": off_topic, "rewriting_ms": took}
        print(json.dumps(figures, default=vars))
    else:
        show(table, took)
        show_refused(off_topic)


def load() -> list[Dialogue]:
    """The data set."""
    lines = DIALOGUES.read_text(encoding="utf-8").splitlines()
    return [Dialogue(**json.loads(line)) for line in lines]


def sureness(retriever: Retriever) -> Surety:
    """The score of the best hit, as answering takes it; remembered."""

    @cache
    def surety(text: str) -> float:
        return next((hit.score for hit in retriever.retrieve(text, 1)), 0.0)

    return surety


def refused(split: str, retriever: Retriever) -> dict[str, tuple[int, int]]:
    """Of each kind, how many are refused after a topic, of those that are refused without one.

    `near` shares words with the knowledge and is not in `all`.
    """
    surety, least = sureness(retriever), Config().min_score
    found: dict[str, list[bool]] = {"all": []}
    for line in OFF_TOPIC.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["split"] != split or surety(row["text"]) >= least:
            continue
        for topic in TOPICS:
            query = standalone(row["text"], [Turn(topic, "")], surety)
            is_refused = surety(query) < least
            found.setdefault(row["kind"], []).append(is_refused)
            if row["kind"] != "near":
                found["all"].append(is_refused)
    return {kind: (sum(each), len(each)) for kind, each in found.items()}


def rewritings(retriever: Retriever) -> dict[str, Rewriting]:
    """The ways to make a query that are compared, by name."""

    surety = sureness(retriever)

    def turn(question: str) -> Turn:
        small = retriever.smalltalk(question) is not None
        return Turn(question, "", not small and surety(question) >= Config().min_score)

    return {
        "alone": lambda d: d.question,
        "joined": lambda d: f"{d.question} {d.turns[-1]}",
        "ours": lambda d: standalone(d.question, [turn(text) for text in d.turns], surety),
    }


def measure(
    dialogues: Iterable[Dialogue], split: str, how: Rewriting, retriever: Retriever
) -> dict[str, Figures]:
    """Figures of each kind, of all `follow-ups` and of all `new topics`."""
    ranks: dict[str, list[int]] = {"follow-ups": [], "new topics": []}
    for dialogue in dialogues:
        if dialogue.split == split:
            found = rank(retriever, how(dialogue), dialogue.relevant)
            both = "new topics" if dialogue.kind in NEW_TOPIC else "follow-ups"
            ranks.setdefault(dialogue.kind, []).append(found)
            ranks.setdefault(both, []).append(found)
    return {kind: figures(found) for kind, found in ranks.items()}


def rank(retriever: Retriever, query: str, relevant: list[str]) -> int:
    """The place of the first relevant passage, from 1; 0 where none is among the hits."""
    titles = [hit.passage.title for hit in retriever.retrieve(query, DEPTH)]
    return next((n for n, title in enumerate(titles, 1) if title in relevant), 0)


def figures(ranks: list[int]) -> Figures:
    """Means of the places."""
    n = len(ranks)
    return Figures(
        n,
        round(sum(r == 1 for r in ranks) / n, 3),
        round(sum(0 < r <= 3 for r in ranks) / n, 3),
        round(sum(1 / r for r in ranks if r) / n, 3),
    )


def milliseconds(dialogues: list[Dialogue]) -> float:
    """Mean time of a rewriting, retrieval apart."""
    turns = [[Turn(text, "") for text in dialogue.turns] for dialogue in dialogues]
    began = time.perf_counter()
    for dialogue, history in zip(dialogues, turns, strict=True):
        standalone(dialogue.question, history, lambda text: 0.5)
    return round(1000 * (time.perf_counter() - began) / len(dialogues), 3)


def show(table: dict[str, dict[str, dict[str, Figures]]], took: float) -> None:
    """Print as a table of Markdown: hit@1 / hit@3 / MRR@10."""
    for split, ways in table.items():
        print(f"\n| {split} | n | " + " | ".join(ways) + " |")
        print("|---" * (len(ways) + 2) + "|")
        for kind, first in ways["alone"].items():
            row = [way[kind] for way in ways.values()]
            cells = [f"{each.hit1:.3f} / {each.hit3:.3f} / {each.mrr:.3f}" for each in row]
            print(f"| {kind} | {first.n} | " + " | ".join(cells) + " |")
    print(f"\nrewriting, retrieval apart: {took} ms")


def show_refused(off_topic: dict[str, dict[str, tuple[int, int]]]) -> None:
    """Print as a table of Markdown: refused / asked."""
    print("\n| off-topic | " + " | ".join(off_topic) + " |")
    print("|---" * (len(off_topic) + 1) + "|")
    for kind in next(iter(off_topic.values())):
        cells = [f"{each[kind][0]} / {each[kind][1]}" for each in off_topic.values()]
        print(f"| {kind} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
