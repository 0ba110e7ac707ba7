"""See to it that the page's tests find a browser: Debian's chromium, installed where we may.

Without one the tests of the page are skipped; under CI=true that is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find() -> str | None:
    """The browser's executable, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def main() -> int:
    """Install chromium if it is missing and this user may; the exit status."""
    if find():
        return 0
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("installing chromium, for the tests of the page", flush=True)
        for command in (["update", "-qq"], ["install", "-qq", "-y", "chromium"]):
            subprocess.run(["apt-get", *command], stdin=subprocess.DEVNULL, check=False)
    if find():
        return 0
    print("chromium was not found and cannot be installed here: the page is not tested.")
    print("On Debian and Ubuntu: sudo apt-get install chromium")
    return 1 if os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
