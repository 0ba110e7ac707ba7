"""A process short of time, memory, disk and secrets, for reading what comes from strangers.

`run` starts it, `confine` is the first thing that it does.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

MEMORY = 2 << 30
"""Bytes of address space; the libraries take 220 MB of it, with OCR 1.3 GB."""

NICE = 3
"""Lower priority, by a little: about half of what the model gets where they compete."""

FILE = 1 << 30
"""Bytes of a file that it writes."""

WALL = 3
"""Times its processor time a process may take by the clock: the model may be at work beside it."""

PACKAGE = Path(__file__).resolve().parent

_OUT_OF_TIME = {-getattr(signal, name, 0) for name in ("SIGXCPU", "SIGALRM")} - {0}
_PASSED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "SYSTEMROOT", "LD_LIBRARY_PATH")


def run(module: str, arguments: Sequence[str], folder: Path, seconds: float) -> int | None:
    """Run `python -m module`; its exit status, or None where its time ran out, see `confine`.

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
            status = process.wait(WALL * seconds)
        except subprocess.TimeoutExpired:
            return None
        else:
            return None if status in _OUT_OF_TIME else status
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
    """Set this process's limits, as far as the system knows them; they cannot be raised again.

    `seconds` are of processor time; of the clock's there are `WALL` times as many.
    """
    if os.name == "nt":
        return
    import resource

    limits = {
        resource.RLIMIT_AS: MEMORY,
        resource.RLIMIT_CPU: math.ceil(seconds),
        resource.RLIMIT_FSIZE: FILE,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # At a hard limit of processor time the kernel kills; at a soft one it says why.
        grace = 1 if limit == resource.RLIMIT_CPU and hard == resource.RLIM_INFINITY else 0
        resource.setrlimit(limit, (value, value + grace))
    os.nice(NICE)
    # Where the server is killed meanwhile, nobody else ends this one.
    signal.setitimer(signal.ITIMER_REAL, WALL * seconds + 1)
