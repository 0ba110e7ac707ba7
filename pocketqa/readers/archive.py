"""Zips of files, which come from anywhere: nothing goes to disk, and all sizes are limited."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from ..documents import Fault, visible
from . import ARCHIVE, MAX_FILE, File, Named, damaged, is_readable, parts, too_large

MAX_UNPACKED = 1 << 30
"""Bytes of all files of a zip together."""

MAX_ENTRIES = 10_000

_UTF8_NAME = 0x800  # flag bits
_ENCRYPTED = 0x1


def read(file: File) -> Iterator[Named]:
    """The parts of all files in a zip that are of a known kind, under "all.zip/dir/faq.csv"."""
    try:
        with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
            yield from _read_all(archive, file)
    # What zipfile raises over a hostile zip is not documented: struct.error, ValueError and more.
    except Exception as error:
        yield file.name, damaged(file, error)


def _read_all(archive: zipfile.ZipFile, file: File) -> Iterator[Named]:
    items = [item for item in archive.infolist() if not item.is_dir()]
    total = sum(item.file_size for item in items)
    if len(items) > MAX_ENTRIES or total > MAX_UNPACKED:
        zh = f"压缩包过大:最多 {MAX_ENTRIES} 个文件，解压后最多 {MAX_UNPACKED >> 20} MB"
        en = f"over {MAX_ENTRIES} files or {MAX_UNPACKED >> 20} MB unpacked"
        yield file.name, Fault(file.name, 0, zh, en)
        return
    done = 0
    for item in items:
        begin, share = done / max(total, 1), item.file_size / max(total, 1)
        inner = visible(_name(item))
        # Parts like ".." are hidden too, but such a name is reported. A link's content is a path.
        wanted = (
            is_readable(PurePosixPath(inner).name) if _is_outside(inner) else is_readable(inner)
        )
        if wanted and not stat.S_ISLNK(item.external_attr >> 16):

            def tick(part: float, begin: float = begin, share: float = share) -> None:
                file.tick(begin + share * part)

            yield from _read_one(archive, item, inner, file.name, tick)
        done += item.file_size
        file.tick(done / max(total, 1))


def _read_one(
    archive: zipfile.ZipFile,
    item: zipfile.ZipInfo,
    inner: str,
    outer: str,
    tick: Callable[[float], None],
) -> Iterator[Named]:
    name = f"{outer}/{inner}"
    if fault := _refused(item, inner, name):
        yield name, fault
        return
    try:
        data = archive.read(item)
    except Exception as error:  # as above; zlib.error, NotImplementedError, RuntimeError
        yield name, damaged(File(name, b""), error)
        return
    yield from parts(File(name, data, tick))


def _is_outside(inner: str) -> bool:
    path = PurePosixPath(inner)
    return path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1])


def _refused(item: zipfile.ZipInfo, inner: str, name: str) -> Fault | None:
    if _is_outside(inner):
        return Fault(
            name, 0, "文件名指向压缩包之外，未读取", "its name leads out of the zip: not read"
        )
    if PurePosixPath(inner).suffix.lower() == ARCHIVE:
        return Fault(name, 0, "压缩包里的压缩包不读，请先解压", "a zip in a zip: unpack it first")
    if item.flag_bits & _ENCRYPTED:
        return Fault(name, 0, "有密码保护；请去掉密码", "protected by a password: remove it")
    if item.file_size > MAX_FILE:
        return too_large(name)
    return None


def _name(item: zipfile.ZipInfo) -> str:
    """The name of an entry; without the flag of UTF-8, Chinese Windows writes GB18030."""
    name = item.filename
    if not item.flag_bits & _UTF8_NAME:
        for encoding in ("utf-8", "gb18030"):
            try:
                name = item.filename.encode("cp437").decode(encoding)
                break
            except UnicodeError:
                continue
    return name.replace("\\", "/")
