"""kill -9 at any moment of an indexing run or an update: the old content or the new, never less."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from servers import ROOT

from pocketqa import generations, indexing
from pocketqa.indexing import build_index
from pocketqa.passages import Passage
from pocketqa.retriever import Retriever

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")

KILLS = 10

# Forks a writer for each line "kind step": the loading of modules is done once. The writer kills
# itself at that step in the file system, or is killed from here.
PARENT = """
import os, signal, sys
from pathlib import Path
from pocketqa import generations, indexing
from test_crash import NEW

def write(kind, at):
    events = 0

    def count(event, arguments):
        nonlocal events
        if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.link", "shutil.rmtree"):
            events += 1
            if events == at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    if kind == "build":
        indexing.build_index(NEW, directory)
    else:
        with generations.lock(directory):
            indexing.change(directory, NEW[::2])
    print("events", events, flush=True)

directory = Path(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    kind, at = line.split()
    if not (child := os.fork()):
        write(kind, int(at))
        os._exit(0)
    print(child, flush=True)
    print("ended", os.waitpid(child, 0)[1], flush=True)
"""

TEXT = "应当带上证件到窗口办理，工作人员会告诉您还缺什么材料，办好以后用短信通知。" * 4
OLD = [Passage(f"id{n}", f"旧问题{n}号怎么办", f"旧答案{n}。{TEXT}") for n in range(120)]
NEW = [Passage(f"id{n}", f"新问题{n}号怎么办", f"新答案{n}。{TEXT}") for n in range(120)]
AFTER = {"build": NEW, "update": [NEW[n] if n % 2 == 0 else OLD[n] for n in range(120)]}


class Writers:
    """Processes that write into a directory, one after the other."""

    def __init__(self, directory: Path) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(directory)],
            cwd=ROOT / "tests", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert self._line() == "ready"

    def run(self, kind: str, at: int = 0, kill_after_s: float | None = None) -> tuple[str, str]:
        """Write, to the end or a kill; how it ended and, before that, what it said."""
        assert self._parent.stdin
        self._parent.stdin.write(f"{kind} {at}\n")
        self._parent.stdin.flush()
        pid = int(self._line())
        if kill_after_s is not None:
            time.sleep(kill_after_s)
            with suppress(ProcessLookupError):  # it has ended
                os.kill(pid, signal.SIGKILL)
        line, said = self._line(), ""
        if not line.startswith("ended"):
            said, line = line, self._line()
        return line, said

    def close(self) -> None:
        """End the parent."""
        self._parent.communicate()

    def _line(self) -> str:
        assert self._parent.stdout
        return self._parent.stdout.readline().strip()


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[Writers]:
    build_index(OLD, tmp_path)
    found = Writers(tmp_path)
    yield found
    found.close()


def check(directory: Path, kind: str) -> bool:
    """A search finds the old or the new, whole; then the next build works. Whether it was new."""
    held = indexing.read_all(directory)
    assert held in (OLD, AFTER[kind])
    word = "旧" if held == OLD else "新"
    retriever = Retriever.open(directory)
    best = retriever.retrieve(f"{word}问题42号怎么办")[0].passage
    assert best.title == f"{word}问题42号怎么办" and best.text.startswith(f"{word}答案42")
    retriever.close()
    build_index(OLD, directory)
    assert indexing.read_all(directory) == OLD
    assert not list(directory.glob(".building-*"))
    assert len(list(directory.glob("gen-*"))) <= generations.KEPT
    return held != OLD


@pytest.mark.parametrize("kind", ["build", "update"])
def test_kill_9_at_ten_random_moments(tmp_path: Path, writers: Writers, kind: str) -> None:
    began = time.monotonic()
    assert writers.run(kind)[0] == "ended 0"
    took_s = time.monotonic() - began
    assert check(tmp_path, kind)
    chance = random.Random(9)
    killed = 0
    for number in range(KILLS):
        moment = took_s * (number + chance.random()) / KILLS
        killed += writers.run(kind, kill_after_s=moment)[0] == "ended 9"
        check(tmp_path, kind)
    assert killed >= KILLS / 2


@pytest.mark.parametrize("kind", ["build", "update"])
def test_kill_9_at_steps_in_the_file_system(tmp_path: Path, writers: Writers, kind: str) -> None:
    _, said = writers.run(kind)
    events = int(said.split()[1])
    assert check(tmp_path, kind) and events > 20
    # Each of the last steps, among which is the one that makes the new index the index.
    new = []
    for at in [*range(5, events - 8, events // 8), *range(events - 8, events + 1)]:
        assert writers.run(kind, at)[0] == "ended 9"
        new.append(check(tmp_path, kind))
    assert new == sorted(new) and set(new) == {False, True}
