"""Changes to a knowledge base that is indexed: add, update, delete, select.

Each is one new generation of the index, or none: what is asked for is done whole or refused.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from . import generations, indexing, passages
from .analysis import normalise
from .errors import KnowledgeError
from .passages import Fault, Passage
from .store import Change

FIELDS = ("question", "answer", "similar", "category", "source")


def add(
    paths: Sequence[Path], directory: Path, *, wait: bool = False
) -> tuple[Change, list[Fault]]:
    """Add what files hold. Equal questions are replaced, and documents of files of the same name.

    Raises:
        KnowledgeError: `no_such_path`; `bad_knowledge` where nothing could be read; those of
            `generations.lock` and `indexing.change`.
    """
    with generations.lock(directory, wait=wait):
        read, faults = indexing.read_paths(paths)
        return _put(directory, read), faults


def add_read(read: Sequence[Passage], directory: Path, *, wait: bool = False) -> Change:
    """Add passages that were read from files elsewhere, as `add` does.

    Raises:
        KnowledgeError: those of `generations.lock` and `indexing.change`.
    """
    with generations.lock(directory, wait=wait):
        return _put(directory, list(read))


def add_question(
    directory: Path, *, wait: bool = False, replacing: bool = True, **fields: str
) -> Change:
    """Add one question, or replace an equal one; `fields` are of `FIELDS`, `similar` joined by |.

    Raises:
        KnowledgeError: `bad_question`, with the reason; unless `replacing`, `question_exists`.
    """
    new = _question(fields)
    with generations.lock(directory, wait=wait):
        if not replacing and generations.describe(directory):
            _require_new(new.title, indexing.read_all(directory))
        return _put(directory, [new])


def version(passage: Passage) -> str:
    """Tells whether a passage was changed meanwhile: the same as long as all of it is."""
    stored = json.dumps(asdict(passage), ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(stored.encode()).hexdigest()[:16]


def update(
    name: str,
    directory: Path,
    *,
    wait: bool = False,
    seen: str = "",
    **fields: str | None,
) -> tuple[Passage, Passage]:
    """Change fields of the question that has the id or the wording `name`; None stays as it is.

    `seen` is the `version` that the change was made for. Returns the question as it was and is.

    Raises:
        KnowledgeError: `not_found`; `changed_meanwhile`, where it is no longer as it was `seen`;
            `is_document`; `question_exists`; `bad_question`.
    """
    with generations.lock(directory, wait=wait):
        held = indexing.read_all(directory)
        old = _named(held, name)[0]
        _require_unchanged(old, seen)
        if old.kind == "document":
            raise KnowledgeError(
                "is_document",
                f"“{old.title}”来自文档，请修改文件后用 kb add 重新添加",
                f"“{old.title}” is of a document: change the file and add it again with kb add",
            )
        given = {key: value for key, value in fields.items() if value is not None}
        new = replace(_question({**_fields(old), **given}), place=old.place)
        _require_new(new.title, [each for each in held if each is not old])
        indexing.change(directory, [new], [] if new.id == old.id else [old.id])
        return old, new


def delete(
    names: Iterable[str], directory: Path, *, wait: bool = False, seen: str = ""
) -> list[Passage]:
    """Delete what has the ids, questions, titles or files `names`; all of it or, on error, nothing.

    Raises:
        KnowledgeError: `not_found`; `changed_meanwhile`, where one is not as it was `seen`.
    """
    with generations.lock(directory, wait=wait):
        held = indexing.read_all(directory)
        gone = {each.id: each for name in names for each in _named(held, name)}
        for each in gone.values():
            _require_unchanged(each, seen)
        indexing.change(directory, [], gone)
        return list(gone.values())


def select(directory: Path, text: str = "", category: str | None = None) -> list[Passage]:
    """The passages that hold `text` anywhere and are of `category`."""
    found = holding(indexing.read_all(directory), text)
    return [each for each in found if category is None or each.category == category]


def holding(held: Iterable[Passage], text: str) -> list[Passage]:
    """Those of `held` that hold `text` in title, similar questions or text."""
    wanted = normalise(text)
    if not wanted:
        return list(held)
    return [e for e in held if wanted in normalise("".join((e.title, *e.similar, e.text)))]


def _require_new(question: str, held: Iterable[Passage]) -> None:
    key = normalise(question)
    if any(normalise(each.title) == key for each in held if each.kind != "document"):
        raise KnowledgeError(
            "question_exists",
            f"已有问题“{question}”，请先删除其中之一",
            f"“{question}” is there already: delete one of the two first",
        )


def _require_unchanged(passage: Passage, seen: str) -> None:
    if seen and version(passage) != seen:
        raise KnowledgeError(
            "changed_meanwhile",
            f"“{passage.title}”已被他人修改，请核对后再保存",
            f"“{passage.title}” was changed by somebody else meanwhile: compare, then save again",
        )


def _put(directory: Path, new: list[Passage]) -> Change:
    # A question has one place, as small talk or not; the ids of kinds differ in their prefix.
    remove = {
        each.id.replace(*kinds, 1)
        for each in new
        for kinds in (("curated-", "smalltalk-"), ("smalltalk-", "curated-"))
        if each.id.startswith(kinds[0])
    }
    if any(each.kind == "document" for each in new) and generations.describe(directory):
        files = {_file(each) for each in new}
        held = [each for each in indexing.read_all(directory) if each.kind == "document"]
        remove |= {each.id for each in held if _file(each) in files}
        new = _distinct(new, {each.id: each for each in held if each.id not in remove})
    return indexing.change(directory, new, remove)


def _distinct(new: list[Passage], held: dict[str, Passage]) -> list[Passage]:
    """`new` with ids that take nothing from other files: 简介 is a section of many a document."""
    found: dict[str, Passage] = {}
    for each in new:
        base = "-".join(each.id.split("-")[:2])
        for id in itertools.chain([each.id], (f"{base}-{n}" for n in itertools.count(2))):
            other = held.get(id, each)
            if id not in found and (other.title, other.text) == (each.title, each.text):
                found[id] = replace(each, id=id)
                break
    return list(found.values())


def _file(passage: Passage) -> str:
    return passage.place.rpartition(":")[0]


def _named(held: list[Passage], name: str) -> list[Passage]:
    """What has the id `name`; or else the question or title; or else comes from that file."""
    key = normalise(name)
    found = (
        [each for each in held if each.id == name]
        or [each for each in held if key and normalise(each.title) == key]
        or [each for each in held if name and _file(each) == name]
    )
    if not found:
        raise KnowledgeError(
            "not_found",
            f"没有“{name}”：请给出编号、完整的问题或文件名，可用 pocketqa kb list 查看",
            f"no “{name}”: give an id, a whole question or a file's name, see pocketqa kb list",
        )
    return found


def _fields(passage: Passage) -> dict[str, str]:
    similar = "|".join(passage.similar)
    values = (passage.title, passage.text, similar, passage.category, passage.source)
    return dict(zip(FIELDS, values, strict=True))


def _question(fields: dict[str, str]) -> Passage:
    """A question of its fields, read as a row of a file is, and with the same checks."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kb.csv"
        with file.open("w", encoding="utf-8", errors="replace", newline="") as out:
            csv.writer(out).writerows([FIELDS, [fields.get(name, "") for name in FIELDS]])
        read, faults = passages.read([file])
    if faults:
        raise KnowledgeError("bad_question", faults[0].reason_zh, faults[0].reason_en)
    return replace(read[0], place="")
