"""Passages, and reading a knowledge base into them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from . import readers
from .analysis import normalise
from .documents import Document, Entry, Fault, by_page, page_number, pieces, sections, visible
from .errors import KnowledgeError
from .readers import File, Named
from .readers.text import decode

__all__ = ["Fault", "Hit", "Passage", "decode", "read", "read_file", "stream"]

Kind = Literal["curated", "document", "smalltalk"]

MAX_CHARACTERS = 400  # of a document's passage: three of them fit a short prompt
SMALLTALK = {"闲聊", "smalltalk", "small talk"}


@dataclass(frozen=True)
class Passage:
    """What can be found and answered from.

    Attributes:
        id: unique in a knowledge base; the same as long as kind and title stay the same.
        title: a curated passage's question; a document's "title › section › subsection".
        text: the answer, or the section's text.
        similar: other ways to ask the question.
        category: the topic, as the file names it.
        source: the citation shown as evidence.
        kind: who wrote it: `curated` and `smalltalk` are question and answer, `document` is prose.
        place: where it was read from: "id-card.csv:12", "faq.xlsx:Sheet1!14", "guide.docx:¶12",
            "a.pdf:p3", "all.zip/dir/faq.csv:3".
        expansion: questions that the language model wrote (see `expansion`): searched for, and
            neither shown nor trusted as `similar` is.
    """

    id: str
    title: str
    text: str
    similar: tuple[str, ...] = ()
    category: str = ""
    source: str = ""
    kind: Kind = "curated"
    place: str = ""
    expansion: tuple[str, ...] = ()


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


Found = Iterator[Passage | Fault]

Progress = Callable[[int, int, str], None]
"""Called with the bytes done, the bytes of all files, and the name of the file at hand."""


def read(
    paths: Iterable[Path], progress: Progress | None = None
) -> tuple[list[Passage], list[Fault]]:
    """Read files, zips, and folders with all below them, in the order given and then by name.

    In a folder only the kinds of `readers.READERS` are read; hidden files, Excel's lock files and
    README are not. Of two equal questions the first is kept and the second is a fault.

    Raises:
        KnowledgeError: `no_such_path`, where a path does not exist.
    """
    passages: list[Passage] = []
    faults: list[Fault] = []
    for found in stream(paths, progress):
        if isinstance(found, Fault):
            faults.append(found)
        else:
            passages.append(found)
    return passages, faults


def stream(paths: Iterable[Path], progress: Progress | None = None) -> Found:
    """What `read` reads, one by one."""
    yield from _unique(_read_all(list(_files(paths)), progress))


def read_file(name: str, data: bytes, tick: Callable[[float], None] = lambda share: None) -> Found:
    """Read one file from its bytes; the suffix of `name` says its kind.

    Ids are unique within the file. `tick` is told the share that is done, 0 to 1.
    """
    yield from _unique(_from_file(File(visible(name), data, tick)))


def of_parts(parts: Iterable[Named]) -> Found:
    """The passages of what `readers.parts` gives; ids are unique among them."""
    yield from _unique(_from_parts(parts))


def page_of(passage: Passage) -> int | None:
    """The page or slide, from 1, that a passage was read from; None where its file has none."""
    return page_number(passage.place.rpartition(":")[2])


def _unique(found: Found) -> Found:
    """Passages with their ids; a question that was asked before is a fault."""
    first: dict[str, str] = {}
    ids: dict[str, int] = {}
    for item in found:
        if isinstance(item, Fault):
            yield item
            continue
        earlier = first.get(key := normalise(item.title)) if item.kind != "document" else None
        if earlier:
            yield _duplicate(item, earlier)
            continue
        if item.kind != "document":
            first[key] = item.place
        yield replace(item, id=_identifier(item, ids))


def _read_all(files: list[tuple[Path, str]], progress: Progress | None) -> Found:
    sizes = [_size(path) for path, _ in files]
    done, total = 0, sum(sizes)
    for (path, name), size in zip(files, sizes, strict=True):

        def tick(share: float, done: int = done, size: int = size, name: str = name) -> None:
            if progress:
                progress(done + int(share * size), total, name)

        tick(0)
        try:
            if size > readers.MAX_FILE:
                yield readers.too_large(name)
            else:
                yield from _from_file(File(name, path.read_bytes(), tick))
        except OSError as error:
            yield Fault(name, 0, "文件无法读取", f"cannot be read: {error}")
        tick(1)
        done += size


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Each file once, with the name it is shown under: its path below the folder that was given."""
    seen: set[Path] = set()
    for given in paths:
        if not given.exists():
            raise KnowledgeError("no_such_path", f"路径不存在:{given}", f"no such path: {given}")
        folder = given if given.is_dir() else given.parent
        below = sorted(given.rglob("*")) if given.is_dir() else [given]
        for path in below:
            name = path.relative_to(folder).as_posix()
            wanted = path is given or readers.is_readable(name) and path.is_file()
            if wanted and path.resolve() not in seen:
                seen.add(path.resolve())
                yield path, visible(name)


def _from_file(file: File) -> Found:
    yield from _from_parts(readers.parts(file))


def _from_parts(parts: Iterable[Named]) -> Found:
    for name, part in parts:
        if isinstance(part, Fault):
            yield part
        elif isinstance(part, Entry):
            yield _from_entry(part, name)
        else:
            yield from _from_document(part, name)


def _from_entry(entry: Entry, name: str) -> Passage:
    kind: Kind = "smalltalk" if entry.category.lower() in SMALLTALK else "curated"
    return Passage(
        "",
        entry.question,
        entry.answer,
        entry.similar,
        entry.category,
        entry.source,
        kind,
        f"{name}:{entry.spot}",
    )


def _from_document(document: Document, name: str) -> Found:
    empty = True
    parts = (part for section in sections(document) for part in by_page(section))
    for section in parts:
        for text, spot in pieces(section, MAX_CHARACTERS):
            empty = False
            yield Passage(
                "",
                section.title,
                text,
                (),
                document.category,
                document.source,
                "document",
                f"{name}:{spot}",
            )
    if empty:
        yield Fault(name, 0, "没有正文", "there is no text")


def _identifier(passage: Passage, ids: dict[str, int]) -> str:
    title = hashlib.sha1(normalise(passage.title).encode(), usedforsecurity=False).hexdigest()
    base = f"{passage.kind}-{title[:12]}"
    ids[base] = count = ids.get(base, 0) + 1
    return base if count == 1 else f"{base}-{count}"


def _duplicate(passage: Passage, earlier: str) -> Fault:
    file, _, spot = passage.place.rpartition(":")
    return Fault.at(file, spot, f"问题重复，已见于 {earlier}", f"question repeats {earlier}")
