"""The directory of an index: whole generations side by side, the highest number is the index.

A generation is filled in a hidden folder and gets its lasting name, `gen-000001` and so on, in one
rename when it is complete and on the disk. So a writer that is killed changes nothing, and readers
of the one before read on. One process writes at a time, and says who it is.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from .errors import KnowledgeError

T = TypeVar("T")

KEPT = 2
"""Generations that stay: a reader may just be opening the one before."""

_GENERATION, _BUILDING, _META = "gen-", ".building-", "meta.json"
_LOCK, _HOLDER = ".lock", ".lock.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class About:
    """What an index is.

    Attributes:
        schema: the number of its form, `store.SCHEMA`.
        count: its passages.
        fingerprint: of its passages, whatever their order.
        origin: where it comes from: `{"demo": fingerprint}` for the demo knowledge.
    """

    schema: int
    count: int
    fingerprint: str
    origin: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Generation:
    """A complete index: its folder and what it is."""

    folder: Path
    about: About

    def require(self, schema: int) -> Generation:
        """This generation, if its form is `schema`.

        Raises:
            KnowledgeError: `old_index`.
        """
        if self.about.schema == schema:
            return self
        directory = self.folder.parent
        raise KnowledgeError(
            "old_index",
            f"{directory} 中的索引由另一版本建立，请重新运行 pocketqa index 文件…",
            f"the index in {directory} is of another version: run pocketqa index FILE… again",
        )


def newest(directory: Path) -> Generation | None:
    """The newest generation with a readable `meta.json`; None where there is none."""
    return next(_readable(directory), None)


def describe(directory: Path) -> About | None:
    """What the index in `directory` is; None where there is none."""
    generation = newest(directory)
    return generation.about if generation else None


def signature(directory: Path) -> frozenset[tuple[str, int, int]]:
    """Changes when a generation comes, goes, or takes a name that was used; costs microseconds."""
    found = set()
    for folder in _folders(directory):
        try:
            stat = (folder / _META).stat()
            found.add((folder.name, stat.st_ino, stat.st_mtime_ns))
        except OSError:  # it is being removed, or damaged
            found.add((folder.name, 0, 0))
    return frozenset(found)


def open_newest(directory: Path, opened: Callable[[Generation], T]) -> T:
    """What `opened` makes of the newest generation, or of one before where that fails.

    Raises:
        KnowledgeError: `no_index` where there is none; what `opened` raises of this kind, and
            anything else that it raises for every generation.
    """
    fault: Exception | None = None
    while found := list(_readable(directory)):
        for generation in found:
            try:
                return opened(generation)
            except KnowledgeError:
                raise
            except Exception as error:
                log.warning("%s cannot be opened: %s", generation.folder, repr(error))
                fault = fault or error
        if newest(directory) in found:  # else writers have been faster, and removed what was here
            break
    raise fault or KnowledgeError(
        "no_index",
        f"{directory} 中没有索引，请先运行 pocketqa index 文件…",
        f"no index in {directory}: run pocketqa index FILE… first",
    )


def replace(directory: Path, fill: Callable[[Path, Generation | None], About]) -> About:
    """Make the next generation; its caller holds the `lock`.

    `fill` is called with an empty folder and the newest generation, and returns what it has put
    there. The one before is kept, older ones are removed.

    Raises:
        KnowledgeError: `index_unwritable`, where the disk is full or may not be written to.
    """
    folder = directory / f"{_BUILDING}{os.getpid()}"
    try:
        folder.mkdir()
        about = fill(folder, newest(directory))
        (folder / _META).write_text(json.dumps(asdict(about), ensure_ascii=False), encoding="utf-8")
        _flush(folder)
        last = max(map(_number, _folders(directory)), default=0)
        os.rename(folder, directory / f"{_GENERATION}{last + 1:06d}")
        _flush_folder(directory)
    except OSError as error:
        raise _unwritable(directory, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for old in sorted(_folders(directory), key=_number)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return about


@contextmanager
def lock(directory: Path, *, wait: bool = False) -> Iterator[None]:
    """Be the only writer of `directory`; freed by the kernel when the process dies.

    What killed writers have left is removed.

    Raises:
        KnowledgeError: `index_locked`, unless `wait`, where another holds it.
    """
    held = FileLock(directory / _LOCK)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        held.acquire(timeout=0)
    except Timeout:
        fault = _locked(directory)
        if not wait:
            raise fault from None
        log.warning("%s / %s", fault.zh, fault.en)
        held.acquire()
    except OSError as error:
        raise _unwritable(directory, error) from error
    try:
        (directory / _HOLDER).write_text(json.dumps(_me(), ensure_ascii=False), encoding="utf-8")
        for left in directory.glob(f"{_BUILDING}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        (directory / _HOLDER).unlink(missing_ok=True)
        held.release()


def _me() -> dict[str, object]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": " ".join(sys.argv),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _locked(directory: Path) -> KnowledgeError:
    try:
        who = json.loads((directory / _HOLDER).read_text(encoding="utf-8"))
        zh = f"进程 {who['pid']}（{who['host']}，自 {who['since']}）：{who['command']}"
        en = f"process {who['pid']} ({who['host']}, since {who['since']}): {who['command']}"
    except (OSError, ValueError, KeyError, TypeError):  # it has just begun or just ended
        zh, en = "另一个进程", "another process"
    return KnowledgeError(
        "index_locked",
        f"{directory} 正在被写入，{zh}\n请等它结束，或用 --wait 等待",
        f"{directory} is being written to by {en}\nwait for its end, or use --wait",
    )


def _unwritable(directory: Path, error: OSError) -> KnowledgeError:
    return KnowledgeError(
        "index_unwritable",
        f"{directory} 无法写入，索引未改变：{error.strerror or error}",
        f"{directory} cannot be written to, the index is unchanged: {error.strerror or error}",
    )


def _folders(directory: Path) -> list[Path]:
    return [path for path in directory.glob(f"{_GENERATION}*") if path.name[4:].isdecimal()]


def _number(folder: Path) -> int:
    return int(folder.name.removeprefix(_GENERATION))


def _readable(directory: Path) -> Iterator[Generation]:
    """Generations, newest first, less those whose `meta.json` is damaged."""
    for folder in sorted(_folders(directory), key=_number, reverse=True):
        try:
            fields = json.loads((folder / _META).read_text(encoding="utf-8"))
            about = About(**{each.name: fields[each.name] for each in dataclass_fields(About)})
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s is damaged, the one before is used: %s", folder, repr(error))
        else:
            yield Generation(folder, about)


def _flush(folder: Path) -> None:
    """Bring every file and folder to the disk, so that a power cut leaves no empty generation."""
    for at, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(at, name), "rb+") as file:
                os.fsync(file.fileno())
        _flush_folder(Path(at))


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
