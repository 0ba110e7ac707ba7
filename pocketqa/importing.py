"""Reading a file for the knowledge base, in a process of its own: `python -m pocketqa.importing`.

The folder holds the file, alone in `file/`, and gets `result.json`: the passages and the faults, or
why nothing was read. The operator means well; who made the file may not.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from . import confinement
from .errors import KnowledgeError, PocketQAError
from .ingest import BOMB
from .passages import Fault, Passage
from .threads import Worker

FILE, RESULT = "file", "result.json"
LONGEST_NAME = 100


@dataclass(frozen=True)
class Read:
    """What a file holds, and what of it could not be read."""

    passages: list[Passage]
    faults: list[Fault]


def read(name: str, stream: IO[bytes], seconds: float, worker: Worker) -> Read:
    """Read a file in a process that may do little, for at most `seconds` of processor time.

    Call it in the hub's thread: the calling greenlet waits. What was read is taken up by `worker`.

    Raises:
        KnowledgeError: `bad_knowledge` where the process came to no result, `timeout`, and those
            of `kinds`.
    """
    with tempfile.TemporaryDirectory(prefix="pocketqa-import-") as temporary:
        folder = Path(temporary)
        (folder / FILE).mkdir()
        with (folder / FILE / safe_name(name)).open("wb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)
        status = confinement.run("pocketqa.importing", [str(folder), str(seconds)], folder, seconds)
        return worker.run(_result, folder, status)


def safe_name(name: str) -> str:
    """The last part of a name, fit for a file; documents are known by it."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(char for char in last if char.isprintable() and char not in '<>:"|?*')
    stem, dot, suffix = kept.strip(". ").rpartition(".")
    return (
        (stem[:LONGEST_NAME] or "file") + dot + suffix[:10]
        if dot
        else kept[:LONGEST_NAME] or "file"
    )


def _result(folder: Path, status: int | None) -> Read:
    try:
        found = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        if status is None:
            raise KnowledgeError(
                "timeout",
                "读取超时，请拆分文件，或在服务器上使用 pocketqa kb add",
                "reading took too long: split the file, or use pocketqa kb add on the server",
            ) from None
        raise KnowledgeError(*BOMB) from None
    if "error" in found:
        raise KnowledgeError(*found["error"])
    passages = [
        Passage(**{**each, "similar": tuple(each["similar"]), "expansion": ()})
        for each in found["passages"]
    ]
    return Read(passages, [Fault(**each) for each in found["faults"]])


def main(folder: Path, seconds: float) -> None:
    """Read the file in `folder`; expected errors are a result too."""
    confinement.confine(seconds)
    try:
        found: dict[str, Any] = _read(next((folder / FILE).iterdir()))
    except PocketQAError as error:
        found = {"error": [error.code, error.zh, error.en]}
    except (MemoryError, RecursionError):
        found = {"error": BOMB}
    (folder / RESULT).write_text(json.dumps(found), encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    from . import kinds, passages, readers

    file = readers.File(path.name, path.read_bytes())
    if file.suffix != ".zip":
        kinds.require_known(path.name)
        kinds.check(file)
    read, faults = passages.read([path])
    return {
        "passages": [asdict(each) for each in read],
        "faults": [asdict(each) for each in faults],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
