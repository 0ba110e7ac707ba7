"""Reading an upload and indexing it: `python -m pocketqa.ingest FOLDER`, in a process of its own.

The folder holds the file and `order.json`. There it leaves the index, the text, and
`result.json`: what was read, or why not. A hostile file can at worst end this process.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .confinement import confine
from .errors import KnowledgeError, PocketQAError

FILE, ORDER, RESULT, INDEX, TEXT = "file", "order.json", "result.json", "index", "text.jsonl"

MAX_WARNINGS = 20

BOMB = (
    "bomb",
    "文件展开后过大或嵌套过深，无法读取",
    "unpacked it is too large, or nested too deep, to be read",
)
"""The error of what would fill the memory."""


@dataclass(frozen=True)
class Order:
    """What is to be read: the file's name as it is shown, and the limits that it must keep to."""

    filename: str
    pages: int
    characters: int
    seconds: float


@dataclass(frozen=True)
class Result:
    """What was read. `pages` is None where the kind of file has none.

    `warnings` are what of the file could not be read, as pairs of Chinese and English.
    """

    pages: int | None = None
    characters: int = 0
    passages: int = 0
    warnings: list[tuple[str, str]] = field(default_factory=list)


def main(folder: Path) -> None:
    """Carry out the order in `folder`; expected errors are a result too."""
    order = Order(**json.loads((folder / ORDER).read_text(encoding="utf-8")))
    confine(order.seconds)
    try:
        found: dict[str, Any] = asdict(ingest(folder, order))
    except PocketQAError as error:
        found = {"error": [error.code, error.zh, error.en]}
    except (MemoryError, RecursionError):
        found = {"error": BOMB}
    (folder / RESULT).write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


def ingest(folder: Path, order: Order) -> Result:
    """Read the file, write its text and build its index.

    Raises:
        KnowledgeError: with a code of `upload_views.STATUS`.
    """
    from . import kinds, readers

    kinds.require_known(order.filename)
    data = (folder / FILE).read_bytes()
    file = readers.File(order.filename, data, any_table=True)
    kinds.check(file)
    count = _count_pages(file, order)
    parts, warnings, characters = _read(file, order)
    _write_text(folder, parts)
    passages = _index(folder, order.filename, parts)
    return Result(count, characters, passages, warnings)


def _count_pages(file: Any, order: Order) -> int | None:
    from . import readers

    try:
        count = readers.pages(file)
    except KnowledgeError:
        raise
    except Exception as error:
        raise _as_error(readers.damaged(file, error)) from None
    if count is not None and count > order.pages:
        raise KnowledgeError(
            "too_many_pages",
            f"文件有 {count} 页，最多 {order.pages} 页；请拆分后上传",
            f"{count} pages, at most {order.pages} are read: split it",
        )
    return count


def _read(file: Any, order: Order) -> tuple[list[Any], list[tuple[str, str]], int]:
    """The parts of a file, what could not be read of it, and its characters."""
    from . import readers
    from .documents import Fault

    parts: list[Any] = []
    faults: list[Fault] = []
    characters = 0
    for _, part in readers.parts(file):
        if isinstance(part, Fault):
            faults.append(part)
            continue
        parts.append(part)
        characters += sum(len(text) for text, _ in _texts(part))
        if characters > order.characters:
            raise KnowledgeError(
                "too_much_text",
                f"文字超过 {order.characters:,} 字；请拆分后上传",
                f"over {order.characters:,} characters of text: split it",
            )
    if not characters:
        raise _as_error(next((f for f in faults if f.code), next(iter(faults), None)))
    return parts, [_warning(fault) for fault in faults[:MAX_WARNINGS]], characters


def _texts(part: Any) -> Iterator[tuple[str, str]]:
    """The text of a document's blocks, or of an entry, and where each is."""
    from .documents import Document

    if isinstance(part, Document):
        yield from ((block.text, block.spot) for block in part.blocks if block.text.strip())
    else:
        yield f"{part.question}\n{part.answer}", part.spot


def _write_text(folder: Path, parts: list[Any]) -> None:
    """The document in its order, a block a line: `{"text": …, "page": 3 or null}`."""
    from .documents import page_number

    with (folder / TEXT).open("w", encoding="utf-8") as file:
        for part in parts:
            for text, spot in _texts(part):
                line = {"text": text, "page": page_number(spot)}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _index(folder: Path, name: str, parts: list[Any]) -> int:
    from . import indexing, passages
    from .passages import Passage

    # Small talk is never searched; who uploads some asks about it.
    read = [
        replace(found, kind="curated") if found.kind == "smalltalk" else found
        for found in passages.of_parts((name, part) for part in parts)
        if isinstance(found, Passage)
    ]
    if not read:
        raise _as_error(None)
    return indexing.build_index(read, folder / INDEX).count


def _warning(fault: Any) -> tuple[str, str]:
    at = f"{fault.spot or fault.line}: " if fault.spot or fault.line else ""
    return at + fault.reason_zh, at + fault.reason_en


def _as_error(fault: Any) -> KnowledgeError:
    if fault is None:
        return KnowledgeError("empty", "文件里没有文字", "there is no text in the file")
    return KnowledgeError(fault.code or "damaged", fault.reason_zh, fault.reason_en)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
