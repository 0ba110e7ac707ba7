"""The index that is answered from: built from files, changed in place, or of the demo knowledge."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import generations, matrix, passages, segments, store
from .config import Config, data_folder
from .errors import KnowledgeError
from .generations import About, Generation
from .passages import Fault, Passage
from .retriever import Retriever
from .store import Change

MAX_SHOWN = 10
"""Faults listed in the error about a knowledge base of nothing but faults."""

Progress = Callable[[int, int], object]
"""Called with how many passages are done, and of how many."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Built:
    """A new index, the number of files it was read from, and the rows that could not be read."""

    about: About
    files: int
    faults: list[Fault]


def open_index(config: Config) -> Retriever:
    """Open the configured index; where there is none, build it from the demo knowledge first."""
    prepare_demo(config)
    return Retriever.open(config.index_dir)


def prepare_demo(config: Config) -> None:
    """Build the demo index if there is no index, or one of another demo."""
    demo = data_folder("knowledge")
    origin = {"demo": _fingerprint(demo)}

    def is_wanted() -> bool:
        about = generations.describe(config.index_dir)
        return about is None or "demo" in about.origin and about.origin != origin

    if not is_wanted():
        return
    # Two servers that start together build it once.
    with generations.lock(config.index_dir, wait=True):
        if is_wanted():
            log.info("building the demo index in %s", config.index_dir)
            _rebuild(config.index_dir, read_paths([demo])[0], origin)


def build(
    paths: Sequence[Path],
    directory: Path,
    *,
    wait: bool = False,
    progress: Progress | None = None,
    expand: Callable[[list[Passage]], list[Passage]] = list,
) -> Built:
    """Read `paths` and build the index in `directory`; the old one stays until the new is whole.

    `expand` gives the passages what else they are indexed under; it must be quick.

    Raises:
        KnowledgeError: `no_such_path`; `bad_knowledge` when nothing could be read;
            `index_locked` and `index_unwritable`, see `generations.lock`.
    """
    with generations.lock(directory, wait=wait):
        read, faults = read_paths(paths)
        files = {each.place.rpartition(":")[0] for each in read} | {each.file for each in faults}
        return Built(_rebuild(directory, expand(read), progress=progress), len(files), faults)


def build_index(
    read: Iterable[Passage],
    directory: Path,
    *,
    origin: dict[str, str] | None = None,
    progress: Progress | None = None,
) -> About:
    """Build an index of passages in `directory`."""
    with generations.lock(directory):
        return _rebuild(directory, list(read), origin, progress)


def read_paths(paths: Sequence[Path]) -> tuple[list[Passage], list[Fault]]:
    """The passages and faults of files and folders.

    Raises:
        KnowledgeError: `no_such_path`; `bad_knowledge` when nothing could be read.
    """
    read, faults = passages.read(paths)
    if not read:
        first = faults[:MAX_SHOWN]
        zh = "".join(f"\n{fault.file}:{fault.line}: {fault.reason_zh}" for fault in first)
        en = "".join(f"\n{fault.file}:{fault.line}: {fault.reason_en}" for fault in first)
        raise KnowledgeError(
            "bad_knowledge",
            f"没有读到任何条目，索引未改变{zh}",
            f"nothing could be read, the index is unchanged{en}",
        )
    return read, faults


def read_all(directory: Path) -> list[Passage]:
    """All passages of the index in `directory`, in their order.

    Raises:
        KnowledgeError: `no_index`, `old_index`.
    """
    return generations.open_newest(
        directory, lambda found: segments.load(found.require(store.SCHEMA).folder)
    )


def find(directory: Path, id: str) -> Passage | None:
    """The passage of that id in the index in `directory`; None where there is none.

    Raises:
        KnowledgeError: `no_index`, `old_index`.
    """

    def found(generation: Generation) -> Passage | None:
        index = segments.Index(generation.require(store.SCHEMA).folder)
        try:
            return index.find(store.stored_id(id))
        finally:
            index.close()

    return generations.open_newest(directory, found)


def change(directory: Path, put: Iterable[Passage], remove: Iterable[str] = ()) -> Change:
    """Change the index in `directory`: see `store.change`. The caller holds its lock.

    Where there is none, one is made. What somebody has changed is no longer the demo index, which
    a new version of the demo would replace.

    Raises:
        KnowledgeError: `old_index`, `index_unwritable`.
    """
    done = Change(0, 0, 0, 0)

    def fill(folder: Path, before: Generation | None) -> About:
        nonlocal done
        if before is None:
            count, digest = 0, 0
            store.write([], folder)
        else:
            about = before.require(store.SCHEMA).about
            count, digest = about.count, int(about.fingerprint, 16)
            store.clone(before.folder, folder)
        done = store.change(folder, put, remove)
        matrix.derive(folder)
        return _about(count + done.added - done.removed, digest + done.digest)

    generations.replace(directory, fill)
    return done


def _rebuild(
    directory: Path,
    read: list[Passage],
    origin: dict[str, str] | None = None,
    progress: Progress | None = None,
) -> About:
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        if progress:
            progress(done, len(read))

    def fill(folder: Path, _: Generation | None) -> About:
        written = store.write(read, folder, count)
        matrix.derive(folder)
        return _about(written.added, written.digest, origin)

    return generations.replace(directory, fill)


def _about(count: int, digest: int, origin: dict[str, str] | None = None) -> About:
    return About(store.SCHEMA, count, f"{digest % (1 << 64):016x}", origin or {})


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256(str(store.SCHEMA).encode())
    for file in sorted(folder.rglob("*")):
        if file.suffix in (".csv", ".md"):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
