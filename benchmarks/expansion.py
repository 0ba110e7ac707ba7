"""What `pocketqa index --expand` brings: 30 passages of the demo with questions that a model wrote.

    python benchmarks/expansion.py FOLDER

Asks the hall's questions that these passages answer, of an index without and with what the model
wrote, and with the similar questions of people for comparison: where no passage has similar
questions, and where the others have theirs. What is written stays in FOLDER for the next run.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from pocketqa import app, indexing, passages
from pocketqa.config import load
from pocketqa.expansion import Expander
from pocketqa.passages import Passage
from pocketqa.retriever import Retriever

ROOT = Path(__file__).resolve().parent.parent
HALL = Path(__file__).with_name("hall")
CURATED, DOCUMENTS = 20, 10
"""How many are expanded: the first by id, a digest, of those that some question asks for."""
COUNT = 3
DEPTH = 10


def main() -> None:
    """Write, measure and print."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    read, _ = passages.read([ROOT / "knowledge"])
    questions, relevant = _questions()
    asked = set().union(*relevant.values())
    wanted = sorted((each for each in read if each.id in asked), key=lambda each: each.id)
    chosen = [each for each in wanted if each.kind == "curated"][:CURATED]
    chosen += [each for each in wanted if each.kind == "document"][:DOCUMENTS]
    bare = [replace(each, similar=()) for each in chosen]
    written = {each.id: each for each in _written(bare, folder)}
    ids = written.keys()
    queries = {id: text for id, text in questions.items() if relevant[id] & ids}
    for name, others in (("others bare", True), ("others with similar", False)):
        base = [replace(each, similar=()) if others or each.id in ids else each for each in read]
        people = [
            next(p for p in read if p.id == each.id) if each.id in ids else each for each in base
        ]
        expanded = [written.get(each.id, each) for each in base]
        for label, knowledge in (("bare", base), ("model", expanded), ("people", people)):
            ranks = _ranks(knowledge, folder / "index", queries, relevant)
            _print(f"{name:20} {label:7}", ranks)
    for each in written.values():
        print(f"{each.title}\n    " + "\n    ".join(each.expansion or ["-"]))


def _questions() -> tuple[dict[str, str], dict[str, set[str]]]:
    """The texts of the hall's questions, and the ids of the passages that answer each."""
    texts, relevant = {}, defaultdict(set)
    for line in (HALL / "queries.jsonl").read_text(encoding="utf-8").splitlines():
        query = json.loads(line)
        texts[query["_id"]] = query["text"]
    for line in (HALL / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query_id, passage_id, _ = line.split("\t")
        relevant[query_id].add(passage_id)
    return texts, relevant


def _written(chosen: list[Passage], folder: Path) -> list[Passage]:
    config = load()
    expander = Expander(folder / "index", config.model, COUNT)
    if missing := expander.missing(chosen):
        engine = app.start_engine(config)
        engine.wait()
        began = time.monotonic()
        expander.write(missing, engine)
        print(f"{(time.monotonic() - began) / len(missing):.1f} s a passage", flush=True)
        engine.close()
    return expander.expand(chosen)


def _ranks(
    knowledge: list[Passage],
    directory: Path,
    queries: dict[str, str],
    relevant: dict[str, set[str]],
) -> list[int]:
    """The place, from 1, of the first passage that answers each query; 0 where it is not found."""
    indexing.build_index(knowledge, directory)
    retriever = Retriever.open(directory)
    ranks = []
    for id, text in queries.items():
        found = [hit.passage.id in relevant[id] for hit in retriever.retrieve(text, DEPTH)]
        ranks.append(found.index(True) + 1 if True in found else 0)
    retriever.close()
    return ranks


def _print(label: str, ranks: list[int]) -> None:
    hits = [sum(0 < rank <= k for rank in ranks) / len(ranks) for k in (1, 3)]
    mrr = sum(1 / rank for rank in ranks if rank) / len(ranks)
    print(f"{label} n={len(ranks)} hit@1={hits[0]:.3f} hit@3={hits[1]:.3f} mrr@10={mrr:.3f}")


if __name__ == "__main__":
    main()
