"""An upload that can be asked about: what it is, its text, its index, opened when it is needed."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from . import background, ingest
from .errors import KnowledgeError, RequestError
from .passages import Hit, Passage
from .retriever import Retriever
from .threads import Worker, native_lock

T = TypeVar("T")

SHORT = 3
"""Passages of a file that is quoted however unlikely it answers."""
OPEN = 8
"""Indexes that stay open."""

MANIFEST = "manifest.json"

_ID = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Upload:
    """A file that can be asked about.

    Attributes:
        size: bytes of the file.
        pages: pages or slides; None where its kind has none.
        characters, passages: of its text.
        expires: when it is forgotten, in seconds since 1970.
        warnings: what of it could not be read, in Chinese and English.
        retriever: searches it; work is done off the hub.
    """

    id: str
    filename: str
    size: int
    pages: int | None
    characters: int
    passages: int
    expires: float
    warnings: tuple[tuple[str, str], ...]
    retriever: UploadRetriever = field(repr=False, compare=False)

    def blocks(self) -> list[tuple[str, int | None]]:
        """The text in its order: paragraphs, lines or rows, each with its page.

        Raises:
            RequestError: `unknown_upload`, when it was deleted meanwhile.
        """
        return self.retriever.blocks()

    def names(self, question: str) -> bool:
        """Whether it is short, and has a word of the question: worth quoting, however unlikely.

        Raises:
            RequestError: `unknown_upload`, when it was deleted meanwhile.
        """
        return self.passages <= SHORT and self.retriever.names(question)


class UploadRetriever:
    """Searches one upload, off the hub; its index is opened when it is first needed.

    Each call raises `RequestError` `unknown_upload` when the upload was deleted meanwhile.
    """

    def __init__(self, folder: Path, shelf: Shelf) -> None:
        self._folder, self._shelf = folder, shelf

    def retrieve(self, text: str, k: int = 10) -> list[Hit]:
        """See `Retriever.retrieve`."""
        with _unknown_where_gone():
            return self._shelf.use(self._folder / ingest.INDEX, lambda it: it.retrieve(text, k))

    def smalltalk(self, text: str) -> Passage | None:
        """None: an upload has no small talk."""
        return None

    def related(
        self, text: str, hits: Sequence[Hit], k: int = 3, exclude: Sequence[str] = ()
    ) -> list[str]:
        """See `Retriever.related`."""
        with _unknown_where_gone():
            return self._shelf.use(
                self._folder / ingest.INDEX, lambda it: it.related(text, hits, k, exclude)
            )

    def names(self, text: str) -> bool:
        """See `Retriever.names`."""
        with _unknown_where_gone():
            return self._shelf.use(self._folder / ingest.INDEX, lambda it: it.names(text))

    def blocks(self) -> list[tuple[str, int | None]]:
        """See `Upload.blocks`."""
        with _unknown_where_gone():
            return self._shelf.run(_read_blocks, self._folder / ingest.TEXT)


def is_id(text: str) -> bool:
    """Whether `text` has the form of an id; nothing else is ever looked for on the disk."""
    return bool(_ID.fullmatch(text))


def read(folder: Path, shelf: Shelf) -> Upload | None:
    """The upload that lies in `folder`, expired or not; None where there is none."""
    try:
        about = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        about["warnings"] = tuple((zh, en) for zh, en in about["warnings"])
        found = Upload(**about, retriever=UploadRetriever(folder, shelf))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return found if found.id == folder.name else None


class Shelf:
    """Opens the index of a directory when it is first used; greenlets wait for one thread."""

    def __init__(self, size: int = OPEN) -> None:
        self._size = size
        self._worker = Worker()
        self._open: OrderedDict[Path, Retriever] = OrderedDict()
        self._gone: set[Path] = set()
        self._lock = native_lock()

    def use(self, directory: Path, function: Callable[[Retriever], T]) -> T:
        """What `function` makes of the retriever of `directory`.

        Raises:
            KnowledgeError: `no_index`, `old_index`.
        """
        return self._worker.run(lambda: function(self._opened(directory)))

    def run(self, function: Callable[..., T], *args: object) -> T:
        """Call any function in the thread."""
        return self._worker.run(function, *args)

    def forget(self, directory: Path) -> None:
        """Close the index of a directory that is gone, at the next use of any. For any thread."""
        with self._lock:
            self._gone.add(directory)

    def _opened(self, directory: Path) -> Retriever:
        with self._lock:
            gone, self._gone = self._gone, set()
        for each in gone & self._open.keys():
            self._open.pop(each).close()
        if directory not in self._open:
            self._open[directory] = Retriever.open(directory, background.general())
        self._open.move_to_end(directory)
        while len(self._open) > self._size:
            self._open.popitem(last=False)[1].close()
        return self._open[directory]


@contextmanager
def _unknown_where_gone() -> Iterator[None]:
    try:
        yield
    except (KnowledgeError, FileNotFoundError):
        raise unknown() from None


def unknown() -> RequestError:
    """The error of an upload that is not, or no longer, here."""
    return RequestError(
        "unknown_upload",
        "找不到上传的文件，可能已过期，请重新上传",
        "no such upload, it has expired perhaps: please upload it again",
    )


def _read_blocks(path: Path) -> list[tuple[str, int | None]]:
    with path.open(encoding="utf-8") as lines:
        return [(block["text"], block["page"]) for block in map(json.loads, lines)]
