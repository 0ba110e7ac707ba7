"""A made corpus of any size: Chinese passages of offices, and questions with their passages.

    python benchmarks/corpus.py DIR [N]      writes it in the BEIR layout, as `pocketqa eval` reads

What is written is true of no office. It is made to be searched as real texts are: few words are
common and many rare (Zipf), names of roads and firms are made of single characters, every passage
is about one aspect of one matter in one place, and thousands share two of the three.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from random import Random

from words import ASPECTS, COLLOQUIAL, GENERAL, GROUPS, SLOTS

SEED = 20_250_101
SHORTEST, LONGEST = 80, 300
"""Characters of a text."""
STEEPNESS = 0.8
"""Exponent of the choice: the r-th word of a list comes as often as 1 / r ** STEEPNESS."""
QUERIES = 500
FORMS = (
    "在{place}{matter}{question}？",
    "{place}{matter} › {heading}",
    "{place}{thing}：{matter}的{heading}",
    "{matter}{question}（{place}）？",
)


@dataclass(frozen=True)
class Row:
    """A passage."""

    id: str
    title: str
    text: str


@dataclass(frozen=True)
class Query:
    """A question, the passage that answers it, and how it is asked."""

    id: str
    text: str
    passage: str
    kind: str


@dataclass(frozen=True)
class Topic:
    """What a passage is about; no two are about the same."""

    city: str
    district: str
    verb: str
    thing: str
    aspect: int

    @property
    def place(self) -> str:
        return self.city + "市" + self.district

    @property
    def matter(self) -> str:
        return self.verb + self.thing


class _Words(dict[str, str]):
    """Fills the slots of a sentence: the topic's own words, and any other by chance."""

    def __init__(self, rng: Random, topic: Topic) -> None:
        super().__init__(place=topic.place, matter=topic.matter, thing=topic.thing)
        self._rng = rng

    def __missing__(self, slot: str) -> str:
        if slot == "n":
            return str(self._rng.randint(1, 99))
        if slot == "name":
            return "".join(pick(self._rng, "character") for _ in range(self._rng.choice((2, 2, 3))))
        if slot == "code":
            return f"{self._rng.choice('ABCDGHPS')}{self._rng.randint(10_000, 99_999)}"
        return pick(self._rng, slot)


def make(n: int, queries: int = QUERIES, seed: int = SEED) -> tuple[list[Row], list[Query]]:
    """`n` passages, and questions about some of them; the same for the same arguments."""
    rng = Random(seed)
    topics = list(_topics(rng, n))
    rows = [_row(rng, number, topic) for number, topic in enumerate(topics)]
    chosen = rng.sample(range(n), min(queries, n))
    return rows, [_query(rng, i, rows[at], topics[at]) for i, at in enumerate(chosen)]


def write(folder: Path, rows: list[Row], queries: list[Query]) -> None:
    """Write the BEIR layout."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    _write(folder / "corpus.jsonl", ({"_id": r.id, "title": r.title, "text": r.text} for r in rows))
    asked = ({"_id": q.id, "text": q.text, "kind": q.kind} for q in queries)
    _write(folder / "queries.jsonl", asked)
    lines = ["query-id\tcorpus-id\tscore", *(f"{q.id}\t{q.passage}\t1" for q in queries)]
    (folder / "qrels" / "test.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write(path: Path, rows: Iterator[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def pick(rng: Random, slot: str) -> str:
    """A word of a list of `SLOTS`, the first ones most often."""
    words, sums = _list(slot)
    return rng.choices(words, cum_weights=sums)[0]


@cache
def _list(slot: str) -> tuple[list[str], list[float]]:
    words = list(SLOTS[slot]) if slot == "character" else SLOTS[slot].split()
    return words, list(accumulate(1 / rank**STEEPNESS for rank in range(1, len(words) + 1)))


def _topics(rng: Random, n: int) -> Iterator[Topic]:
    seen: set[Topic] = set()
    while len(seen) < n:
        group = rng.choice(GROUPS)
        topic = Topic(
            pick(rng, "city"), pick(rng, "district"),
            pick(rng, f"{group}_verb"), pick(rng, f"{group}_thing"), rng.randrange(len(ASPECTS)),
        )  # fmt: skip
        if topic not in seen:
            seen.add(topic)
            yield topic


def _row(rng: Random, number: int, topic: Topic) -> Row:
    aspect, words = ASPECTS[topic.aspect], _Words(rng, topic)
    form = rng.choice(FORMS)
    words |= {"question": aspect.question, "heading": aspect.heading}
    text, wanted = "", rng.randint(SHORTEST, LONGEST - 40)
    own = list(aspect.sentences)
    rng.shuffle(own)
    while len(text) < wanted:
        sentence = (own.pop() if own else rng.choice(GENERAL)).format_map(words)
        if len(text) + len(sentence) <= LONGEST:
            text += sentence
    return Row(f"made-{number:06d}", form.format_map(words), text)


def _query(rng: Random, number: int, row: Row, topic: Topic) -> Query:
    aspect = ASPECTS[topic.aspect]
    verb, thing = COLLOQUIAL.get(topic.verb, topic.verb), COLLOQUIAL.get(topic.thing, topic.thing)
    asked = {
        "formal": rng.choice((
            f"请问在{topic.place}{topic.matter}{aspect.question}？",
            f"{topic.place}{topic.matter}，{aspect.question}",
        )),
        "keywords": f"{topic.city} {topic.district} {topic.matter} {aspect.heading}",
        "colloquial": rng.choice((
            f"我在{topic.city}{topic.district}，{thing}{verb}{aspect.colloquial}",
            f"{thing}想{verb}，{topic.city}{topic.district}这边{aspect.colloquial}啊",
        )),
    }  # fmt: skip
    kind = rng.choices(list(asked), (4, 2, 4))[0]
    return Query(f"q-{number:04d}", asked[kind], row.id, kind)


if __name__ == "__main__":
    write(Path(sys.argv[1]), *make(int(sys.argv[2]) if len(sys.argv) > 2 else 100_000))
