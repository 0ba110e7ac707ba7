"""Refuses the ways of running under gunicorn that would half work."""

from __future__ import annotations

import sys
from typing import Any

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
