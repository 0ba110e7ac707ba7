"""The search engines that are compared, each with `build(rows, folder)` and `open(folder)`.

All get the terms of our own analysis, characters and bigrams, of title and text together, and rank
by BM25 as they come; ours ranks as it does in the product. `open` returns a function from a query
and k to the ids of passages, best first.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from corpus import Row

from pocketqa.analysis import terms

Search = Callable[[str, int], Sequence[str]]

_ASKS = re.compile(r"[?？吗]$")


def build_ours(rows: Sequence[Row], folder: Path) -> None:
    from pocketqa import indexing
    from pocketqa.passages import Passage

    indexing.build_index(
        (
            Passage(
                row.id,
                row.title,
                row.text,
                kind="curated" if _ASKS.search(row.title) else "document",
            )
            for row in rows
        ),
        folder,
    )


def open_ours(folder: Path) -> Search:
    from pocketqa.retriever import Retriever

    retriever = Retriever.open(folder)
    return lambda query, k: [hit.passage.id for hit in retriever.retrieve(query, k)]


def build_whoosh(rows: Sequence[Row], folder: Path) -> None:
    from whoosh.analysis import SpaceSeparatedTokenizer
    from whoosh.fields import STORED, TEXT, Schema
    from whoosh.index import create_in

    schema = Schema(id=STORED, body=TEXT(analyzer=SpaceSeparatedTokenizer(), phrase=False))
    writer = create_in(str(folder), schema).writer(limitmb=512)
    for row in rows:
        writer.add_document(id=row.id, body=body(row))
    writer.commit()


def open_whoosh(folder: Path) -> Search:
    from whoosh.index import open_dir
    from whoosh.query import Or, Term

    searcher = open_dir(str(folder)).searcher()

    def search(query: str, k: int) -> list[str]:
        wanted = Or([Term("body", term) for term in dict.fromkeys(terms(query))])
        return [hit["id"] for hit in searcher.search(wanted, limit=k)]

    return search


def build_bm25s(rows: Sequence[Row], folder: Path) -> None:
    import bm25s

    index = bm25s.BM25()
    index.index([body(row).split() for row in rows], show_progress=False)
    index.save(folder / "bm25s", show_progress=False)
    _write_ids(rows, folder)


def open_bm25s(folder: Path) -> Search:
    import bm25s

    index = bm25s.BM25.load(folder / "bm25s")
    ids = _read_ids(folder)

    def search(query: str, k: int) -> list[str]:
        wanted = list(dict.fromkeys(terms(query)))
        found, _ = index.retrieve([wanted], k=min(k, len(ids)), show_progress=False)
        return [ids[at] for at in found[0]]

    return search


def build_tantivy(rows: Sequence[Row], folder: Path) -> None:
    import tantivy

    writer = _tantivy(folder).writer(256_000_000, num_threads=1)
    for row in rows:
        writer.add_document(tantivy.Document(id=row.id, body=body(row)))
    writer.commit()
    writer.wait_merging_threads()


def open_tantivy(folder: Path) -> Search:
    from tantivy import Occur, Query

    index = _tantivy(folder)
    schema, searcher = index.schema, index.searcher()

    def search(query: str, k: int) -> list[str]:
        wanted = [Query.term_query(schema, "body", term) for term in dict.fromkeys(terms(query))]
        if not wanted:
            return []
        each: Any = Query.boolean_query([(Occur.Should, term) for term in wanted])
        return [searcher.doc(at)["id"][0] for _, at in searcher.search(each, k).hits]

    return search


def _tantivy(folder: Path) -> Any:
    import tantivy

    schema = tantivy.SchemaBuilder()
    schema.add_text_field("id", stored=True, tokenizer_name="raw")
    schema.add_text_field("body", tokenizer_name="spaces", index_option="freq")
    index = tantivy.Index(schema.build(), path=str(folder))
    index.register_tokenizer(
        "spaces", tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    )
    return index


def build_fts5(rows: Sequence[Row], folder: Path) -> None:
    base = sqlite3.connect(folder / "fts.db")
    base.execute("CREATE TABLE passage (id TEXT)")
    base.execute("CREATE VIRTUAL TABLE body USING fts5(terms, content='', tokenize='unicode61')")
    with base:
        for number, row in enumerate(rows, 1):
            base.execute("INSERT INTO passage (rowid, id) VALUES (?, ?)", (number, row.id))
            base.execute("INSERT INTO body (rowid, terms) VALUES (?, ?)", (number, body(row)))
        base.execute("INSERT INTO body (body) VALUES ('optimize')")
    base.close()


def open_fts5(folder: Path) -> Search:
    base = sqlite3.connect(folder / "fts.db")

    def search(query: str, k: int) -> list[str]:
        wanted = " OR ".join(f'"{term}"' for term in dict.fromkeys(terms(query)))
        if not wanted:
            return []
        found = base.execute(
            "SELECT id FROM (SELECT rowid AS at FROM body WHERE body MATCH ? ORDER BY rank LIMIT ?)"
            " JOIN passage ON passage.rowid = at",
            (wanted, k),
        )
        return [row[0] for row in found]

    return search


ENGINES: dict[str, tuple[Callable[[Sequence[Row], Path], None], Callable[[Path], Search]]] = {
    "ours": (build_ours, open_ours),
    "whoosh-or": (build_whoosh, open_whoosh),
    "bm25s": (build_bm25s, open_bm25s),
    "tantivy": (build_tantivy, open_tantivy),
    "fts5": (build_fts5, open_fts5),
}


def body(row: Row) -> str:
    """Title and text as terms with spaces between."""
    return " ".join(terms(f"{row.title}\n{row.text}"))


def _write_ids(rows: Sequence[Row], folder: Path) -> None:
    (folder / "ids.json").write_text(json.dumps([row.id for row in rows]), encoding="utf-8")


def _read_ids(folder: Path) -> list[str]:
    return list(json.loads((folder / "ids.json").read_text(encoding="utf-8")))
