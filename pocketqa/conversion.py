"""The one conversion of a model file to what the engine loads, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from .cache import Say, locked, require_space, sha256
from .errors import ModelError

# Raise it when the engine needs something else from the conversion: it is then made anew.
FORMAT = 2
# 16-bit weights from a 4-bit file and its integers once more, with room for the tokenizer.
TIMES = 5


def is_converted(target: Path, digest: str, verify: bool = False) -> bool:
    """Is `target` a whole conversion of the file with this digest, in today's format?

    Its files' sizes are compared always, their sha256 with `verify`.
    """
    try:
        made = json.loads((target / "converted.json").read_text("utf-8"))
        if made["format"] != FORMAT or made["source_sha256"] != digest:
            return False
        return all(
            (target / name).stat().st_size == file["bytes"]
            and (not verify or sha256(target / name) == file["sha256"])
            for name, file in made["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def convert_once(gguf: Path, target: Path, digest: str, *, verify: bool, say: Say) -> None:
    """Convert `gguf`, whose sha256 is `digest`, to the directory `target` unless that is done.

    Raises:
        ModelError: `disk_full`, or `model_unavailable` with what the conversion died of.
    """
    with locked(target.parent, say):
        # Another process may have made it while this one waited for the lock.
        if is_converted(target, digest, verify):
            return
        require_space(target.parent, TIMES * gguf.stat().st_size)
        status, said = _run_conversion(gguf, target)
    if status or not is_converted(target, digest):
        reason = said.strip().splitlines()[-1:] or [f"exit status {status}"]
        raise ModelError(
            "model_unavailable",
            f"转换模型 {gguf} 失败:{reason[0]}",
            f"converting the model {gguf} failed: {reason[0]}",
        )
    if why := json.loads((target / "converted.json").read_text("utf-8")).get("not_packed"):
        say(
            f"模型 {gguf} 的权重没有打包，计算会慢一些:{why['zh']}",
            f"the weights of {gguf} are not packed, it will compute slower: {why['en']}",
        )


def _run_conversion(gguf: Path, target: Path) -> tuple[int, str]:
    """Convert in a process of its own, whose memory goes back; its status and last words."""
    package = Path(__file__).resolve().parent
    paths = [str(package.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-m", "pocketqa.engine.convert", str(gguf), str(target)]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        with (
            _elapsed() as bar,
            subprocess.Popen(command, stdout=said, stderr=said, env=environment) as process,
        ):
            try:
                while process.poll() is None:
                    time.sleep(0.1)
                    bar.update()
            except BaseException:
                process.kill()
                raise
        said.seek(0)
        return process.returncode, said.read()


def _elapsed() -> tqdm:
    """A clock on stderr; every 10 s when that is a log file."""
    return tqdm(
        desc="convert (once)",
        bar_format="{desc}: {elapsed}",
        file=sys.stderr,
        mininterval=0.5 if sys.stderr.isatty() else 10,
    )
