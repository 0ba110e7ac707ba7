"""A process short of time, memory, disk and secrets, for reading what comes from strangers.

`run` starts it, `confine` is the first thing that it does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

MEMORY = 2 << 30
"""Bytes of address space; the libraries alone take 700 MB of it, with OCR 1.3 GB."""

FILE = 1 << 30
"""Bytes of a file that it writes."""

GRACE_S = 2
"""What the process has beyond its time, before its own alarm and the CPU limit end it."""

PACKAGE = Path(__file__).resolve().parent

_PASSED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "SYSTEMROOT", "LD_LIBRARY_PATH")


def run(module: str, arguments: Sequence[str], folder: Path, seconds: float) -> int | None:
    """Run `python -m module`; its exit status, or None where its time ran out.

    What it prints goes to `folder/log`, and its temporary files are there. Under gevent the calling
    greenlet waits and the hub goes on; call it in the hub's thread.
    """
    command = [sys.executable, "-m", module, *arguments]
    with (folder / "log").open("wb") as said:
        process = subprocess.Popen(
            command, cwd=PACKAGE.parent, env=_environment(folder), stdin=subprocess.DEVNULL,
            stdout=said, stderr=said, start_new_session=os.name != "nt",
        )  # fmt: skip
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _environment(folder: Path) -> dict[str, str]:
    """What a program needs to run: no keys, no proxies, no configuration."""
    paths = [str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")]
    return {
        **{name: os.environ[name] for name in _PASSED if name in os.environ},
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONUTF8": "1",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        # Each library's own threads would take address space and the model's cores.
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    }


def confine(seconds: float) -> None:
    """Set this process's limits, as far as the system knows them; they cannot be raised again."""
    if os.name == "nt":
        return
    import resource

    limits = {
        resource.RLIMIT_AS: MEMORY,
        resource.RLIMIT_CPU: int(seconds) + GRACE_S,
        resource.RLIMIT_FSIZE: FILE,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))
    os.nice(10)
    # Where the server is killed meanwhile, nobody else ends this one.
    signal.setitimer(signal.ITIMER_REAL, seconds + GRACE_S)
