"""What `pip install .` gives, away from the checkout: page, scripts, demo knowledge."""

from __future__ import annotations

import shutil
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import READY, ROOT, Server


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy without anything that was made here."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    made = (".*cache", ".git", ".venv", "*.egg-info", "build", "node_modules", "vendor")
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*made, "__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with nothing but the installed wheel; dependencies come from this environment."""
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(target)]
    subprocess.run([*command, str(wheel)], check=True, capture_output=True)
    yield target


def test_the_wheel_carries_everything(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "pocketqa/catalogue.json",
        "pocketqa/engine/model.py",
        "pocketqa/knowledge/id-card.csv",
        "pocketqa/knowledge/procedures/id-card-replacement.md",
        "pocketqa/storage/migrations/env.py",
        "pocketqa/storage/migrations/versions/0001_dialogues.py",
        "pocketqa/static/vendor/socket.io.esm.min.js",
        "pocketqa/templates/index.html",
    ):
        assert name in names
    assert not [name for name in names if name.startswith("tests") or "node_modules" in name]


@pytest.mark.model
def test_serve_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    env = {"PYTHONPATH": str(installed), "POCKETQA_INDEX": str(tmp_path / "index")}
    where = [sys.executable, "-c", "import pocketqa; print(pocketqa.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=env, capture_output=True, text=True).stdout
    assert found.startswith(str(installed)), "the checkout must not stand in for the wheel"
    command = [sys.executable, "-m", "pocketqa", "serve", "--port", "0"]
    server = Server(command, env, READY, cwd=tmp_path)
    try:
        page = urllib.request.urlopen(server.url + "/").read().decode()
        assert "PocketQA" in page
        script = urllib.request.urlopen(server.url + "/static/vendor/socket.io.esm.min.js").read()
        assert len(script) > 10_000
        asked = subprocess.run(
            [*command[:3], "client", "127.0.0.1", str(server.port), "你好", "CHAT_CS"],
            cwd=tmp_path, env=env, capture_output=True, text=True,
        )  # fmt: skip
        assert "您好,欢迎您直接问我业务问题。" in asked.stdout
    finally:
        assert server.stop() == 0
