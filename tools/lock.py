"""Write requirements.txt and those of tests and benchmarks from setup.py: `make lock`.

uv resolves for every Python from 3.10 on at once, with markers where versions differ.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# torch pins the CUDA packages that its own build wants; a CPU build wants none.
LEFT_TO_TORCH = ("nvidia-", "cuda-", "triton")
HEAD = "# Made by `make lock` from setup.py; do not edit.\n"


def resolve(uv: Path, *options: str) -> list[str]:
    """The pins of setup.py's dependencies, a line each."""
    command = [uv, "pip", "compile", "setup.py", "--universal", "--python-version", "3.10"]
    command += ["--no-header", "--no-annotate", "--quiet", *options]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return [line for line in done.stdout.splitlines() if not line.startswith(LEFT_TO_TORCH)]


def main() -> None:
    """Install uv into a throw-away folder, resolve, write."""
    with tempfile.TemporaryDirectory() as folder:
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, "uv"]
        subprocess.run(install, check=True)
        uv = Path(folder) / "bin" / "uv"
        pins = resolve(uv)
        (ROOT / "requirements.txt").write_text(HEAD + "\n".join(pins) + "\n")
        for name in ("test", "bench"):
            all_pins = resolve(uv, "--extra", name, "--constraint", "requirements.txt")
            extra = [line for line in all_pins if line not in pins]
            text = HEAD + "-r requirements.txt\n" + "\n".join(extra) + "\n"
            (ROOT / f"requirements-{name}.txt").write_text(text)


if __name__ == "__main__":
    main()
