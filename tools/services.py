"""See to it that the tests find Redis, PostgreSQL and nginx: Debian's, installed where we may.

The tests start servers of their own in temporary folders; no service is left running. Without them
the tests of several instances are skipped; under CI=true that is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")
"""Debian's packages ask it whether their service may be started."""


def missing() -> list[str]:
    """The Debian packages that are not there."""
    packages = [] if shutil.which("redis-server") else ["redis-server"]
    if not shutil.which("initdb") and not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        packages.append("postgresql")
    if not shutil.which("nginx") and not Path("/usr/sbin/nginx").exists():
        packages.append("nginx-light")
    return packages


def install(packages: list[str]) -> None:
    """Install Debian packages without starting their services."""
    print(f"installing {' and '.join(packages)}, for the tests of several instances", flush=True)
    forbids = not POLICY.exists()
    if forbids:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        for command in (["update", "-qq"], ["install", "-qq", "-y", *packages]):
            subprocess.run(
                ["apt-get", *command],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                check=False,
            )
    finally:
        if forbids:
            POLICY.unlink()


def main() -> int:
    """Install what is missing if this user may; the exit status."""
    packages = missing()
    if packages and shutil.which("apt-get") and os.geteuid() == 0:
        install(packages)
        packages = missing()
    if not packages:
        return 0
    print(f"{' and '.join(packages)} cannot be installed here: what needs them is not tested.")
    print(f"On Debian and Ubuntu: sudo apt-get install {' '.join(packages)}")
    return 1 if os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
