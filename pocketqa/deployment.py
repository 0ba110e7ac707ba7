"""Refuses the ways of running under gunicorn that would half work; warns of open doors."""

from __future__ import annotations

import ipaddress
import sys
from typing import Any

from .config import Config

WORKER = "geventwebsocket.gunicorn.workers.GeventWebSocketWorker"
COMMAND = "gunicorn -c deploy/gunicorn.conf.py wsgi:app"


def faults(settings: Any) -> list[str]:
    """What is wrong with gunicorn's `settings` (its `Config`), in Chinese and English."""
    found = []
    if settings.worker_class_str != WORKER:
        found.append(
            f"worker_class 应为 {WORKER}，否则 WebSocket 无法建立。"
            f"worker_class must be {WORKER}: no other carries WebSocket, and clients would "
            "silently stay on polling."
        )
    if settings.workers != 1:
        found.append(
            "workers 应为 1:多个进程之间不共享连接与对话。"
            "workers must be 1: connections and dialogues are not shared between processes."
        )
    if settings.preload_app:
        found.append(
            "preload_app 应为 False:模型线程不能跨 fork。"
            "preload_app must be False: the model's thread does not survive the fork."
        )
    return found


def exposure(config: Config) -> str:
    """What is to be said, loudly, where others than this machine can ask without a key."""
    settings = _gunicorn_settings()
    bound = [config.host] if settings is None else [_host(one) for one in settings.address]
    open_to = [host for host in bound if not is_loopback(host)]
    if config.require_key or not open_to:
        return ""
    line, shown = "*" * 78, ", ".join(host or "0.0.0.0" for host in open_to)
    return (
        f"{line}\n"
        f"警告:正在监听 {shown}，网络中的任何人都可以提问、上传文件，"
        "无需密钥，也没有加密。\n"
        "      请在前面放置带 TLS 的反向代理，或设置 POCKETQA_REQUIRE_KEY=true，"
        "并用 pocketqa keys add 发放密钥。\n"
        f"WARNING: listening on {shown}: whoever is on the network may ask and upload, "
        "without a key\n"
        "      and in the clear. Put a reverse proxy with TLS in front, or set "
        "POCKETQA_REQUIRE_KEY=true and\n"
        "      hand out keys with `pocketqa keys add`.\n"
        f"{line}"
    )


def _host(address: Any) -> str:
    """The host of one of gunicorn's addresses; a socket in the file system is this machine's."""
    return str(address[0]) if isinstance(address, tuple) else "localhost"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach, or be, `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def check_gunicorn() -> None:
    """Called when `wsgi` is imported: end gunicorn with the reason if it is set up wrongly."""
    settings = _gunicorn_settings()
    wrong = faults(settings) if settings is not None else []
    if wrong:
        from gunicorn.errors import AppImportError

        lines = "\n".join(f"  - {fault}" for fault in wrong)
        message = f"PocketQA 拒绝启动 / refuses to start:\n{lines}\n  {COMMAND}"
        # In the master, gunicorn shows an import error with a traceback, in a worker without.
        raise SystemExit(message) if settings.preload_app else AppImportError(message)


def _gunicorn_settings() -> Any:
    """The settings of the gunicorn that is importing us; gunicorn hands them to no application."""
    if "gunicorn.app.base" not in sys.modules:
        return None
    base: Any = sys.modules["gunicorn.app.base"].BaseApplication
    frame = sys._getframe()
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, base):
            return caller.cfg
        frame = frame.f_back  # type: ignore[assignment]
    return None
