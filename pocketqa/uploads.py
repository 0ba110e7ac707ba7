"""Uploads: files that a client asks about, each with its own index, kept until they expire.

`DATA/uploads/<id>/` holds `manifest.json`, the index and the text; the file itself is not kept. The
disk is what counts: nothing is lost by a restart, and several servers may share the folder. The id
is a secret of 256 bits: whoever knows it may ask and delete.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import signal
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from . import confinement, ingest, kinds
from .config import Config
from .documents import visible
from .errors import KnowledgeError, PocketQAError, RequestError
from .threads import native_sleep, start_native_thread
from .upload import MANIFEST, Shelf, Upload, is_id, read

AT_ONCE = 2
"""Files that are read at once; others wait."""
WAITING = 16
RETRY_S = 10
MAX_FILENAME = 200
SWEEP_S = 60.0
LEFT_S = 3600.0
"""Age from which what a killed server left half done is removed."""
BLOCK = 1 << 16

_NEW, _OLD = ".new-", ".old-"

log = logging.getLogger(__name__)


class Uploads:
    """The uploads in `DATA/uploads`."""

    def __init__(self, config: Config) -> None:
        """Forget what has expired; nothing is made before the first upload."""
        self._config, self._folder = config, config.data_dir / "uploads"
        self._shelf = Shelf()
        self._readers = threading.BoundedSemaphore(AT_ONCE)
        self._waiting = 0
        self._is_swept = False
        if self._folder.is_dir():
            self.sweep()
            self._sweep_from_now_on()

    @property
    def max_bytes(self) -> int:
        """Bytes of the largest file."""
        return self._config.upload_mb * 1_000_000

    def too_large(self) -> PocketQAError:
        """The error of a file of too many bytes."""
        limit = self._config.upload_mb
        return KnowledgeError(
            "file_too_large",
            f"文件超过 {limit} MB；请拆分或压缩图片后上传",
            f"over {limit} MB: split it, or make its pictures smaller",
        )

    def create(self, filename: str, stream: BinaryIO) -> Upload:
        """Read a file and keep it. The calling greenlet waits, the hub goes on.

        Raises:
            PocketQAError: with a code of `upload_views.STATUS`.
        """
        name = clean_name(filename)
        kinds.require_known(name)
        try:
            with self._workplace() as work:
                size = self._store(stream, work / ingest.FILE)
                with self._turn():
                    result = self._ingest(work, name)
                return self._keep(work, name, size, result)
        except OSError as error:
            log.exception("an upload cannot be kept in %s", self._folder)
            raise KnowledgeError(
                "index_unwritable",
                "服务器无法保存文件，可能磁盘已满，请联系管理员",
                "the server cannot keep the file, its disk is full perhaps: tell its operator",
            ) from error

    def find(self, upload_id: str) -> Upload | None:
        """The upload of this id; None where there is none, or it has expired."""
        found = read(self._folder / upload_id, self._shelf) if is_id(upload_id) else None
        return found if found and found.expires > time.time() else None

    def delete(self, upload_id: str) -> bool:
        """Forget an upload; whether there was one."""
        known = self.find(upload_id) is not None
        if is_id(upload_id):
            self._remove(self._folder / upload_id)
        return known

    def sweep(self) -> None:
        """Remove what has expired, and what killed servers have left half done."""
        now = time.time()
        for folder in _folders(self._folder):
            if is_id(folder.name):
                if self.find(folder.name) is None:
                    self._remove(folder)
            elif folder.name.startswith((_NEW, _OLD)) and _age(folder, now) > LEFT_S:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _workplace(self) -> Iterator[Path]:
        """A private folder; what is left in it at the end is removed."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep_from_now_on()
        work = self._folder / f"{_NEW}{secrets.token_hex(16)}"
        work.mkdir(mode=0o700)
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _store(self, stream: BinaryIO, target: Path) -> int:
        size = 0
        with target.open("wb") as file:
            while block := stream.read(BLOCK):
                size += len(block)
                if size > self.max_bytes:
                    raise self.too_large()
                file.write(block)
                time.sleep(0)  # the hub's turn
        return size

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until this file may be read."""
        if self._waiting >= WAITING:
            raise _busy()
        self._waiting += 1
        try:
            is_free = self._readers.acquire(timeout=self._config.upload_seconds)
        finally:
            self._waiting -= 1
        if not is_free:
            raise _busy()
        try:
            yield
        finally:
            self._readers.release()

    def _ingest(self, work: Path, name: str) -> ingest.Result:
        config = self._config
        seconds = config.upload_seconds
        order = ingest.Order(name, config.upload_pages, config.upload_characters, seconds)
        (work / ingest.ORDER).write_text(json.dumps(asdict(order)), encoding="utf-8")
        status = confinement.run("pocketqa.ingest", [str(work)], work, seconds)
        if status is None:
            raise KnowledgeError(
                "timeout",
                f"读取文件用时过长（处理器时间限 {seconds:g} 秒），已停止；请拆分后上传",
                f"reading it took too long (limit {seconds:g} s of processor time): split it",
            )
        try:
            found = json.loads((work / ingest.RESULT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            _log_crash(work, name, status)
            if status == -signal.SIGABRT:  # how libraries in C end where memory does
                raise KnowledgeError(*ingest.BOMB) from None
            raise KnowledgeError(
                "damaged",
                "文件使读取程序异常退出，可能已损坏；请用原来的软件打开并另存后再试",
                "its reader crashed over it, damaged perhaps: save it again in its program",
            ) from None
        if "error" in found:
            raise KnowledgeError(*found["error"])
        return ingest.Result(**found)

    def _keep(self, work: Path, name: str, size: int, result: ingest.Result) -> Upload:
        upload_id = secrets.token_urlsafe(32)
        expires = time.time() + self._config.upload_hours * 3600
        about = {"id": upload_id, "filename": name, "size": size, "expires": expires}
        for left in (ingest.FILE, ingest.ORDER, ingest.RESULT, "log"):
            (work / left).unlink(missing_ok=True)
        manifest = json.dumps({**about, **asdict(result)}, ensure_ascii=False)
        (work / MANIFEST).write_text(manifest, encoding="utf-8")
        os.rename(work, self._folder / upload_id)
        kept = [folder for folder in _folders(self._folder) if is_id(folder.name)]
        now = time.time()
        for folder in sorted(kept, key=lambda each: _age(each, now))[self._config.uploads :]:
            self._remove(folder)
        found = self.find(upload_id)
        if found is None:
            raise _busy()
        return found

    def _remove(self, folder: Path) -> None:
        away = folder.parent / f"{_OLD}{secrets.token_hex(16)}"
        with suppress(OSError):  # another server may be faster
            os.rename(folder, away)
        self._shelf.forget(folder / ingest.INDEX)
        shutil.rmtree(away, ignore_errors=True)

    def _sweep_from_now_on(self) -> None:
        """Sweep every minute in a native thread, as long as this object lives."""
        if self._is_swept:
            return
        self._is_swept = True
        me = weakref.ref(self)

        def sweep() -> None:
            while uploads := me():
                try:
                    uploads.sweep()
                except Exception:  # the thread must outlive whatever a broken disk brings up
                    log.exception("sweeping the uploads failed")
                del uploads
                native_sleep(SWEEP_S)

        start_native_thread(sweep)


def clean_name(filename: str) -> str:
    """A file's name as it is shown: without folders and unseen characters, 200 characters long.

    Of a name that is too long the suffix stays.
    """
    name = visible(filename.replace("\\", "/").rpartition("/")[2])
    name = " ".join(name.split()).strip(". ")
    stem, dot, suffix = name.rpartition(".")
    if len(name) > MAX_FILENAME and dot and len(suffix) < 10:
        return f"{stem[: MAX_FILENAME - len(suffix) - 1]}.{suffix}"
    return name[:MAX_FILENAME]


def _busy() -> PocketQAError:
    return RequestError(
        "queue_full",
        f"正在处理的文件过多，请 {RETRY_S} 秒后再试",
        f"too many files are being read: try again in {RETRY_S} s",
        retry_after_s=RETRY_S,
    )


def _log_crash(work: Path, name: str, status: int) -> None:
    try:
        said = (work / "log").read_bytes()[-2000:].decode("utf-8", "replace")
    except OSError:
        said = ""
    log.warning("reading an upload (%r) ended with status %s: %s", name, status, said)


def _folders(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir()]
    except OSError:
        return []


def _age(folder: Path, now: float) -> float:
    try:
        return now - folder.stat().st_mtime
    except OSError:
        return 0.0
