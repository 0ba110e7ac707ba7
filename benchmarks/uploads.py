"""How well questions to a single document are answered and others refused; prints a line a set.

    python benchmarks/uploads.py ../shared/data/reading …

Each folder is a set in the BEIR layout; its passages become PDFs of 3 to 50 pages, a passage a
page, and its questions are asked of the PDF with their passage. The procedures of the demo
knowledge, with the hall's questions, are always one set. "alone" is without `pocketqa.background`.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from papers import pdf  # noqa: E402

from pocketqa import background, indexing, passages  # noqa: E402
from pocketqa.config import Config  # noqa: E402
from pocketqa.passages import Passage, page_of  # noqa: E402
from pocketqa.retriever import Retriever  # noqa: E402

PAGES = (3, 10, 20, 50)
OFF_TOPIC = 60
"""Questions about something else that each document is asked."""
WIDTH = 38


@dataclass(frozen=True)
class Asked:
    """A document's index, and its questions: text, and the pages or ids that answer it."""

    index: Path
    questions: list[tuple[str, set[str]]]


def main() -> None:
    """Build, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", type=Path)
    options = parser.parse_args()
    print("set, questions, hit@1, lost (right, but refused), off topic refused")
    with tempfile.TemporaryDirectory() as folder:
        for path in (*options.sets, ROOT / "benchmarks" / "hall"):
            target = Path(folder) / path.name
            made = procedures if path.name == "hall" else pdfs
            documents = list(made(path, target))
            for name, beside in (("alone", None), ("background", background.general())):
                print(f"{path.name} {name}:", *measure(documents, beside), flush=True)


def pdfs(path: Path, target: Path) -> Iterator[Asked]:
    """The set's passages in PDFs."""
    corpus = [row for row in rows(path / "corpus.jsonl") if row["text"].strip()]
    random.Random(1).shuffle(corpus)
    golds = gold(path)
    at = number = 0
    while at < len(corpus):
        part = corpus[at : at + PAGES[number % len(PAGES)]]
        at, number = at + len(part), number + 1
        lines = [[row["title"], *wrapped(row["text"])] for row in part]
        index = build(f"{number}.pdf", pdf(lines), target / str(number))
        pages = {row["_id"]: str(page) for page, row in enumerate(part, 1)}
        yield Asked(index, [(q, {pages[i] for i in ids & pages.keys()}) for q, ids in golds
                            if ids & pages.keys()])  # fmt: skip


def procedures(path: Path, target: Path) -> Iterator[Asked]:
    """The demo's procedures, a document each."""
    golds = gold(path)
    for file in sorted((ROOT / "knowledge" / "procedures").glob("*.md")):
        index = build(file.name, file.read_bytes(), target / file.stem)
        ids = {passage.id for passage in indexing.read_all(index)}
        yield Asked(index, [(question, found) for question, found in golds if found & ids])


def measure(documents: list[Asked], beside: background.Background | None) -> tuple[str, ...]:
    """Questions, hit@1, lost, refused."""
    off_topic = [row["text"] for row in rows(ROOT / "benchmarks" / "off_topic.jsonl")]
    least, chosen = Config().min_score, random.Random(5)
    asked = right = lost = others = refused = 0
    for document in documents:
        retriever = Retriever.open(document.index, beside)
        for question, answers in document.questions:
            hits = retriever.retrieve(question, 1)
            found = {name for hit in hits for name in (hit.passage.id, str(page_of(hit.passage)))}
            is_right = bool(answers & found)
            asked, right = asked + 1, right + is_right
            lost += is_right and hits[0].score < least
        for question in chosen.sample(off_topic, OFF_TOPIC):
            hits = retriever.retrieve(question, 1)
            others, refused = others + 1, refused + (not hits or hits[0].score < least)
        retriever.close()
    shares = ((right, asked), (lost, right), (refused, others))
    return str(asked), *(f"{count / max(of, 1):.3f}" for count, of in shares)


def build(name: str, data: bytes, target: Path) -> Path:
    """An index of one file."""
    found = [item for item in passages.read_file(name, data) if isinstance(item, Passage)]
    indexing.build_index(found, target)
    return target


def gold(path: Path) -> list[tuple[str, set[str]]]:
    """Each question of a set, and the ids of the passages that answer it."""
    answers: dict[str, set[str]] = defaultdict(set)
    with (path / "qrels" / "test.tsv").open(encoding="utf-8") as file:
        for query, passage, *_ in list(csv.reader(file, delimiter="\t"))[1:]:
            answers[query].add(passage)
    return [(row["text"], answers[row["_id"]]) for row in rows(path / "queries.jsonl")]


def rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def wrapped(text: str) -> list[str]:
    return [line[at : at + WIDTH] for line in text.split("\n") for at in range(0, len(line), WIDTH)]


if __name__ == "__main__":
    main()
