"""Passages, and reading a knowledge base into them: CSV of questions, Markdown and plain text."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from .analysis import normalise
from .documents import markdown, plain, split
from .errors import KnowledgeError

Kind = Literal["curated", "document", "smalltalk"]

MAX_CHARACTERS = 400  # of a document's passage: three of them fit a short prompt

COLUMNS = {
    "问题": "question",
    "答案": "answer",
    "相似问法": "similar",
    "分类": "category",
    "来源": "source",
}
SMALLTALK = {"闲聊", "smalltalk", "small talk"}


@dataclass(frozen=True)
class Passage:
    """What can be found and answered from.

    Attributes:
        id: unique in a knowledge base; the same as long as kind and title stay the same.
        title: a curated passage's question; a document's "title › section".
        text: the answer, or the section's text.
        similar: other ways to ask the question.
        category: the topic, as the file names it.
        source: the citation shown as evidence.
        kind: who wrote it: `curated` and `smalltalk` are question and answer, `document` is prose.
        place: file and line it was read from, "id-card.csv:12".
    """

    id: str
    title: str
    text: str
    similar: tuple[str, ...] = ()
    category: str = ""
    source: str = ""
    kind: Kind = "curated"
    place: str = ""


@dataclass(frozen=True)
class Hit:
    """A passage that was found.

    Attributes:
        score: the probability that it answers the question, 0 to 1.
        relevance: its place in the ranking as a number: 1 for the best, less for the others.
    """

    passage: Passage
    score: float
    relevance: float = 1.0


@dataclass(frozen=True)
class Fault:
    """A part of a file that could not be read; the rest was. `line` counts from 1, 0: the file."""

    file: str
    line: int
    reason_zh: str
    reason_en: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason_zh} / {self.reason_en}"


Found = Iterator[Passage | Fault]


def read(paths: Iterable[Path]) -> tuple[list[Passage], list[Fault]]:
    """Read files, and folders with all below them, in the order given and then by name.

    In a folder only the kinds of `READERS` are read; hidden files, Excel's lock files and README
    are not. Of two equal questions the first is kept and the second is a fault.

    Raises:
        KnowledgeError: `no_such_path`, where a path does not exist.
    """
    passages: list[Passage] = []
    faults: list[Fault] = []
    first: dict[str, Passage] = {}
    ids: dict[str, int] = {}
    for found in _read_all(paths):
        if isinstance(found, Fault):
            faults.append(found)
            continue
        earlier = found.kind != "document" and first.setdefault(normalise(found.title), found)
        if earlier and earlier is not found:
            faults.append(_duplicate(found, earlier))
        else:
            passages.append(replace(found, id=_identifier(found, ids)))
    return passages, faults


def _read_all(paths: Iterable[Path]) -> Found:
    for path, name in _files(paths):
        reader = READERS.get(path.suffix.lower())
        if reader is None:
            known = " ".join(READERS)
            yield Fault(name, 0, f"不支持的文件类型，可用:{known}", f"unknown kind, known: {known}")
            continue
        try:
            text = decode(path.read_bytes())
        except (OSError, UnicodeError) as error:
            yield Fault(name, 0, "文件无法读取", f"cannot be read: {error}")
            continue
        yield from reader(text, name)


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Each file once, with the name it is shown under: its path below the folder that was given."""
    seen: set[Path] = set()
    for given in paths:
        if not given.exists():
            raise KnowledgeError("no_such_path", f"路径不存在:{given}", f"no such path: {given}")
        below = (
            sorted(p for p in given.rglob("*") if _is_wanted(p, given))
            if given.is_dir()
            else [given]
        )
        for path in below:
            if path.resolve() not in seen:
                seen.add(path.resolve())
                yield (
                    path,
                    (path.relative_to(given) if given.is_dir() else Path(path.name)).as_posix(),
                )


def _is_wanted(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith((".", "~$")) for part in path.relative_to(folder).parts)
    readable = path.suffix.lower() in READERS and path.stem.lower().split(".")[0] != "readme"
    return readable and not hidden and path.is_file()


def decode(data: bytes) -> str:
    """Text of a file from a Chinese office: UTF-8 or UTF-16 with its mark, UTF-8, or GB18030.

    Strict UTF-8 does not accept Chinese in GB18030, so the order decides and nothing is guessed.

    Raises:
        UnicodeError: where it is none of them.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030")


def _identifier(passage: Passage, ids: dict[str, int]) -> str:
    title = hashlib.sha1(normalise(passage.title).encode(), usedforsecurity=False).hexdigest()
    base = f"{passage.kind}-{title[:12]}"
    ids[base] = count = ids.get(base, 0) + 1
    return base if count == 1 else f"{base}-{count}"


def _duplicate(passage: Passage, earlier: Passage) -> Fault:
    file, _, line = passage.place.rpartition(":")
    return Fault(
        file, int(line), f"问题重复，已见于 {earlier.place}", f"question repeats {earlier.place}"
    )


def read_csv(text: str, name: str) -> Found:
    """Questions of a CSV file with the header of `COLUMNS`, in Chinese or in English.

    Columns may come in any order; those with another name are left out.
    """
    header = text.lstrip().split("\n", 1)[0]
    delimiter = next((d for d in ",\t;" if d in header), ",")
    rows = _rows(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), name)
    columns: list[str] = []
    for row in rows:
        if isinstance(row, Fault):
            yield row
        elif not columns:
            line, cells = row
            columns = [COLUMNS.get(cell, cell.lower()) for cell in cells]
            if not {"question", "answer"} <= set(columns):
                yield Fault(name, line, "表头缺少“问题”或“答案”列", "no question or answer column")
                return
        else:
            yield _row(columns, row[1], name, row[0])
    if not columns:
        yield Fault(name, 0, "文件是空的", "the file is empty")


def _rows(reader: Iterator[list[str]], name: str) -> Iterator[tuple[int, list[str]] | Fault]:
    """Rows that hold something, with the line each begins on, less empty cells at the end."""
    while True:
        line: int = reader.line_num + 1  # type: ignore[attr-defined]  # typeshed: _csv.reader
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            yield Fault(name, line, "不是有效的 CSV 行", f"not a row of CSV: {error}")
            continue
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield line, cells


def _row(columns: list[str], cells: list[str], name: str, line: int) -> Passage | Fault:
    if len(cells) > len(columns):
        return Fault(
            name,
            line,
            f"有 {len(cells)} 列，表头只有 {len(columns)} 列；含逗号的内容要加引号",
            f"{len(cells)} columns where the header has {len(columns)}: quote what holds a comma",
        )
    row = dict(zip(columns, cells, strict=False))
    question, answer = row.get("question", ""), row.get("answer", "")
    if not normalise(question):
        return Fault(name, line, "问题是空的", "the question is empty")
    if not answer:
        return Fault(name, line, "答案是空的", "the answer is empty")
    category = row.get("category", "")
    return Passage(
        id="",
        title=question,
        text=answer,
        similar=tuple(s.strip() for s in re.split(r"[|｜\n]", row.get("similar", "")) if s.strip()),
        category=category,
        source=row.get("source", ""),
        kind="smalltalk" if category.lower() in SMALLTALK else "curated",
        place=f"{name}:{line}",
    )


def read_document(text: str, name: str) -> Found:
    """Passages of a Markdown or plain text file, titled "title › section"."""
    stem = Path(name).stem
    document = markdown(text, stem) if name.lower().endswith(".md") else plain(text, stem)
    category, source = document.field("分类", "category"), document.field("来源", "source")
    empty = True
    for section in document.sections:
        title = f"{document.title} › {section.heading}" if section.heading else document.title
        for piece in split(section.text, MAX_CHARACTERS):
            empty = False
            place = f"{name}:{section.line}"
            yield Passage("", title, piece, (), category, source, "document", place)
    if empty:
        yield Fault(name, 0, "没有正文", "there is no text")


# The place to add a kind of file: its suffix, and a function (text, name) -> passages and faults.
READERS: dict[str, Callable[[str, str], Found]] = {
    ".csv": read_csv,
    ".md": read_document,
    ".txt": read_document,
}
