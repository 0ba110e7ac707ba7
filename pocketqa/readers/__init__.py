"""Readers: one file a format, from the bytes of a file to entries, documents and faults.

A reader is a module with `read(file: File) -> Iterator[Part]`. It is imported when a file of its
kind is met, so that the parsers cost nothing before.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..documents import Document, Entry, Fault
from ..errors import KnowledgeError

# Where a file is inside a zip, its name says so: "all.zip/dir/faq.csv".
Part = Entry | Document | Fault
Named = tuple[str, Part]

MAX_FILE = 256 << 20
"""Bytes of one file, also inside a zip: it is held in memory."""

# The place to add a kind of file: its suffix, and the module that reads it.
READERS = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xls": "excel",
    ".jsonl": "jsonl",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".html": "html",
    ".htm": "html",
    ".docx": "word",
    ".pptx": "slides",
    ".pptm": "slides",
    ".pdf": "pdf",
}
ARCHIVE = ".zip"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class File:
    """A file to read: its name as it is shown, its bytes, and whom to tell how far we are.

    A table without questions and answers is a fault, unless `any_table` is wanted.
    """

    name: str
    data: bytes
    tick: Callable[[float], None] = lambda share: None
    any_table: bool = False

    @property
    def suffix(self) -> str:
        """What says the kind of file: ".csv"."""
        return PurePosixPath(self.name).suffix.lower()

    @property
    def stem(self) -> str:
        """The name without folders and suffix: the title of a document that has none."""
        return PurePosixPath(self.name).stem


def is_readable(name: str) -> bool:
    """Whether a folder's or zip's file is to be read: a known kind, not hidden, not README."""
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "~$", "__MACOSX")) for part in path.parts)
    known = path.suffix.lower() in READERS or path.suffix.lower() == ARCHIVE
    return known and not hidden and path.stem.lower().split(".")[0] != "readme"


def parts(file: File) -> Iterator[Named]:
    """Everything in a file, each with the name of the file it is in. Whatever is wrong is a fault.

    Only a zip's parts have other names than the file's own.
    """
    if len(file.data) > MAX_FILE:
        yield file.name, too_large(file.name)
    elif file.suffix == ARCHIVE:
        from . import archive

        yield from archive.read(file)
    else:
        yield from ((file.name, part) for part in _read(file))


def pages(file: File) -> int | None:
    """The number of pages or slides of a file, without reading them; None where it has none.

    Raises:
        Exception: whatever its parser raises, where it is damaged.
    """
    module = importlib.import_module(f".{READERS[file.suffix]}", __package__)
    count: Callable[[bytes], int] | None = getattr(module, "pages", None)
    return count(file.data) if count else None


def _read(file: File) -> Iterator[Part]:
    module = READERS.get(file.suffix)
    if module is None:
        known = " ".join((*READERS, ARCHIVE))
        yield Fault(
            file.name, 0, f"不支持的文件类型，可用:{known}", f"unknown kind, known: {known}"
        )
        return
    try:
        yield from importlib.import_module(f".{module}", __package__).read(file)
    except KnowledgeError as error:
        yield Fault(file.name, 0, error.zh, error.en, code=error.code)
    # A hostile file can bring a parser to raise anything, a Rust library to panic, which is no
    # Exception. One bad file must not stop the others.
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        log.debug("reading %s", file.name, exc_info=True)
        yield damaged(file, error)


def damaged(file: File, error: BaseException) -> Fault:
    """The fault of a file that its parser gives up."""
    kind = file.suffix.lstrip(".").upper()
    return Fault(
        file.name,
        0,
        f"文件已损坏，或不是真正的 {kind} 文件；请用原来的软件打开并另存后再试",
        f"damaged, or not really {kind}: open it in its program and save it again"
        f" ({type(error).__name__})",
        code="bomb" if isinstance(error, MemoryError) else "damaged",
    )


def too_large(name: str) -> Fault:
    """The fault of a file of more than `MAX_FILE`."""
    size = MAX_FILE >> 20
    return Fault(name, 0, f"文件超过 {size} MB，请拆分", f"over {size} MB: split it")
