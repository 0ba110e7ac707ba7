"""The cache folder's files: lock, free space, digest, and the progress bar of long work on them."""

from __future__ import annotations

import hashlib
import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm import tqdm

from .errors import ModelError

BLOCK = 1 << 20

Say = Callable[[str, str], None]


def log(zh: str, en: str) -> None:
    """A `Say` for those who name none: a warning in the log."""
    logging.getLogger(__name__).warning("%s / %s", zh, en)


def progress(desc: str, total: int, initial: int = 0, *, brief: bool = False) -> tqdm:
    """A progress bar in bytes on stderr, every 10 s when that is a log file.

    A `brief` one vanishes at its end, and a log file gets none.
    """
    terminal = sys.stderr.isatty()
    return tqdm(
        desc=desc, total=total, initial=initial, unit="B", unit_scale=True, file=sys.stderr,
        mininterval=0.1 if terminal else 10, ascii=None if terminal else True,
        leave=not brief, disable=brief and not terminal,
    )  # fmt: skip


def require_space(folder: Path, need: int) -> None:
    """Raise `ModelError` `disk_full` unless `folder`'s disk has `need` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < need:
        raise ModelError(
            "disk_full",
            f"磁盘空间不足:{folder} 需要 {need / 1e9:.2f} GB,只剩 {free / 1e9:.2f} GB。"
            "请腾出空间，或用 POCKETQA_HOME 换一个文件夹。",
            f"not enough disk space: {folder} needs {need / 1e9:.2f} GB, {free / 1e9:.2f} GB are "
            "free. Make room, or name another folder in POCKETQA_HOME.",
        )


def sha256(path: Path) -> str:
    """The hexadecimal digest of a file, in 64 characters."""
    digest = hashlib.sha256()
    with path.open("rb") as read, progress("sha256", path.stat().st_size, brief=True) as bar:
        while block := read.read(BLOCK):
            digest.update(block)
            bar.update(len(block))
    return digest.hexdigest()


@contextmanager
def locked(folder: Path, say: Say) -> Iterator[None]:
    """Hold the model folder's lock; the kernel frees it if this process dies."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(
            "model_unavailable",
            f"无法写入 {folder}:{error}。可用 POCKETQA_HOME 换一个文件夹。",
            f"cannot write to {folder}: {error}. POCKETQA_HOME names another folder.",
        ) from None
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("另一个进程正在准备此模型，等待中", "another process is preparing this model: waiting")
        lock.acquire(poll_interval=0.2)
    try:
        yield
    finally:
        lock.release()
