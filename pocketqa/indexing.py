"""The index that is answered from, and the demo knowledge that it is built from at first."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from . import generations, passages, store
from .config import Config, data_folder
from .errors import KnowledgeError
from .generations import About, Generation
from .passages import Fault, Passage
from .retriever import Retriever
from .store import Change

MAX_SHOWN = 10
"""Faults listed in the error about a knowledge base of nothing but faults."""

log = logging.getLogger(__name__)


def open_index(config: Config) -> Retriever:
    """Open the configured index; where there is none, build it from the demo knowledge first."""
    prepare_demo(config)
    return Retriever.open(config.index_dir)


def prepare_demo(config: Config) -> None:
    """Build the demo index if there is no index, or one of another demo."""
    about = generations.describe(config.index_dir)
    if about and "demo" not in about.origin:
        return
    demo = data_folder("knowledge")
    origin = {"demo": _fingerprint(demo)}
    if about and about.origin == origin:
        return
    log.info("building the demo index in %s", config.index_dir)
    build([demo], config.index_dir, origin=origin)


def build(
    paths: Sequence[Path], directory: Path, *, origin: dict[str, str] | None = None
) -> tuple[int, list[Fault]]:
    """Read `paths` and build the index in `directory`; the old one stays until the new is whole.

    Returns the number of passages and the rows that could not be read.

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
    return build_index(read, directory, origin=origin).count, faults


def build_index(
    read: Iterable[Passage],
    directory: Path,
    *,
    origin: dict[str, str] | None = None,
    wait: bool = False,
) -> About:
    """Build a new index of passages in `directory`; see `generations.lock` for `wait`."""

    def fill(folder: Path, _: Generation | None) -> About:
        done = store.write(read, folder)
        derive(folder)
        return About(store.SCHEMA, done.added, f"{done.digest:016x}", origin or {})

    with generations.lock(directory, wait=wait):
        return generations.replace(directory, fill)


def change_index(
    directory: Path, put: Iterable[Passage], remove: Iterable[str] = (), *, wait: bool = False
) -> Change:
    """Change the index in `directory`: see `store.change`. Where there is none, make one of `put`.

    What somebody has changed is no longer the demo index, which a new version would replace.
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
        derive(folder)
        digest = (digest + done.digest) % (1 << 64)
        return About(store.SCHEMA, count + done.added - done.removed, f"{digest:016x}")

    with generations.lock(directory, wait=wait):
        generations.replace(directory, fill)
    return done


def derive(folder: Path) -> None:
    """Make what is computed from an index and kept beside it, before anybody reads it."""


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256(str(store.SCHEMA).encode())
    for file in sorted(folder.rglob("*")):
        if file.suffix in (".csv", ".md"):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
