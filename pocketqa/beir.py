"""Question sets in the BEIR layout (Thakur et al. 2021): corpus, queries, relevance judgements.

    corpus.jsonl    {"_id", "title", "text", "category"?} a line
    queries.jsonl   {"_id", "text", "split"?, "answers"?} a line
    qrels/test.tsv  query-id, corpus-id, score, under this header; not needed for answers

Without corpus.jsonl the corpus is the demo knowledge, under the ids that indexing gives it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import indexing
from .config import data_folder
from .errors import KnowledgeError
from .passages import Kind, Passage
from .queries import bad, lines, rows, string

CORPUS, QUERIES, QRELS = "corpus.jsonl", "queries.jsonl", "qrels/test.tsv"

_ASKS = re.compile(
    r"[?？吗呢]\s*$|^(?:请问)?(?:如何|怎么|怎样|什么|哪[些里个儿]|谁|几|多少|多久|为什么|是否|能否)"
    r"|^(?:how|what|when|where|who|which|why|can|do|does|is|are)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Dataset:
    """A corpus and the queries that have relevant passages in it.

    Attributes:
        queries: query id to text, in the order of the file.
        qrels: query id to passage id to grade; above 0 is relevant.
    """

    name: str
    passages: list[Passage]
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Asked:
    """A question and the answers that people gave; several where each is right."""

    id: str
    text: str
    golds: tuple[str, ...] = ()


@dataclass(frozen=True)
class AnswerSet:
    """A corpus and the questions that have answers; `skipped` is the number of those without."""

    name: str
    passages: list[Passage]
    questions: list[Asked]
    skipped: int


def load(folder: Path, split: str | None = None) -> Dataset:
    """Read a set; `split` chooses the queries with this value of the field `split`.

    Queries without a relevant passage are left out.

    Raises:
        KnowledgeError: `no_such_path`; `not_beir` where the folder is not of the layout;
            `bad_file` with file and line; `no_queries` where none is left.
    """
    _require(folder, QUERIES, QRELS)
    passages = _corpus(folder / CORPUS)
    texts, chosen = _queries(folder / QUERIES, split)
    qrels = _qrels(folder, {passage.id for passage in passages}, set(texts))
    kept = {name: texts[name] for name in chosen if max(qrels.get(name, {"": 0}).values()) > 0}
    if not kept:
        of = f" split={split}" if split else ""
        raise KnowledgeError(
            "no_queries",
            f"{folder}{of} 中没有带相关段落的问题",
            f"no query of {folder}{of} has a relevant passage",
        )
    return Dataset(folder.resolve().name, passages, kept, {name: qrels[name] for name in kept})


def load_answers(folder: Path, split: str | None = None) -> AnswerSet:
    """Read a set's corpus and the questions with `answers`: a text, or a list of texts.

    Raises:
        KnowledgeError: as `load`; `no_queries` where no question has answers.
    """
    _require(folder, QUERIES)
    passages = _corpus(folder / CORPUS)
    texts, chosen = _queries(folder / QUERIES, split)
    golds = {}
    for number, row in rows(folder / QUERIES):
        golds[string(row, "_id", folder / QUERIES, number)] = _golds(row, folder, number)
    questions = [Asked(name, texts[name], golds[name]) for name in chosen if golds[name]]
    if not questions:
        raise KnowledgeError(
            "no_queries", f"{folder} 中没有带 answers 的问题", f"no query of {folder} has answers"
        )
    return AnswerSet(folder.resolve().name, passages, questions, len(chosen) - len(questions))


def _golds(row: dict[str, Any], folder: Path, number: int) -> tuple[str, ...]:
    given = row.get("answers") or []
    found = [given] if isinstance(given, str) else given
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        zh, en = "answers 应为字符串的列表", "answers must be a list of strings"
        raise bad(folder / QUERIES, number, zh, en)
    return tuple(each for each in found if each.strip())


def _require(folder: Path, *files: str) -> None:
    if not folder.is_dir():
        raise KnowledgeError(
            "no_such_path", f"没有这个文件夹：{folder}", f"no such folder: {folder}"
        )
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        raise KnowledgeError(
            "not_beir",
            f"{folder} 不是 BEIR 格式，缺少 {'、'.join(missing)}；"
            f"应有 {'、'.join((CORPUS, *files))}",
            f"{folder} is not of the BEIR layout, it lacks {', '.join(missing)}: "
            f"there must be {', '.join((CORPUS, *files))}",
        )


def _corpus(path: Path) -> list[Passage]:
    if not path.exists():
        return indexing.read_paths([data_folder("knowledge")])[0]
    passages: dict[str, Passage] = {}
    for number, row in rows(path):
        name, text = string(row, "_id", path, number), string(row, "text", path, number)
        title = string({"title": "", **row}, "title", path, number)
        category = string({"category": "", **row}, "category", path, number)
        if name in passages:
            raise bad(path, number, f"_id 重复：{name}", f"_id is there twice: {name}")
        kind: Kind = "curated" if _ASKS.search(title) else "document"
        place = f"{path.name}:{number}"
        passages[name] = Passage(name, title, text, category=category, kind=kind, place=place)
    if not passages:
        raise bad(path, 0, "文件是空的", "the file is empty")
    return list(passages.values())


def _queries(path: Path, split: str | None) -> tuple[dict[str, str], list[str]]:
    """All queries, and the ids of those that are chosen."""
    texts: dict[str, str] = {}
    chosen = []
    for number, row in rows(path):
        name = string(row, "_id", path, number)
        if name in texts:
            raise bad(path, number, f"_id 重复：{name}", f"_id is there twice: {name}")
        texts[name] = string(row, "text", path, number)
        if split is None or row.get("split") == split:
            chosen.append(name)
    return texts, chosen


def _qrels(folder: Path, corpus: set[str], queries: set[str]) -> dict[str, dict[str, int]]:
    path = folder / QRELS
    found: dict[str, dict[str, int]] = {}
    for at, (number, line) in enumerate(lines(path)):
        cells = [cell.strip() for cell in line.split("\t")]
        if at == 0 and cells[0].lower() in ("query-id", "query_id", "qid"):
            continue
        if len(cells) != 3 or not _is_grade(cells[2]):
            zh = "应为三列（制表符分隔）：query-id corpus-id 整数分值"
            raise bad(path, number, zh, "three columns with tabs: query-id, corpus-id, integer")
        query, passage, grade = cells
        for name, known, file in ((query, queries, QUERIES), (passage, corpus, CORPUS)):
            if name not in known:
                raise _unknown(folder, number, name, file)
        found.setdefault(query, {})[passage] = int(grade)
    return found


def _is_grade(cell: str) -> bool:
    return re.fullmatch(r"-?[0-9]{1,9}", cell) is not None


def _unknown(folder: Path, number: int, name: str, file: str) -> KnowledgeError:
    demo = file == CORPUS and not (folder / CORPUS).exists()
    zh = f"{CORPUS} 不存在，演示知识库" if demo else f"{file} "
    en = f"there is no {CORPUS}, and the demo knowledge" if demo else file
    return bad(folder / QRELS, number, f"{zh}中没有 {name}", f"{en} has no {name}")
