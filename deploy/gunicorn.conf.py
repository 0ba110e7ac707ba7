"""gunicorn -c deploy/gunicorn.conf.py wsgi:app

One process with gevent and WebSocket; another worker class or more workers refuse to start.
"""

import os
import signal
from types import FrameType
from typing import Any


def seconds(name: str, default: float) -> float:
    """A setting in seconds; what is wrong with it `on_starting` says."""
    try:
        return float(os.environ.get(name) or default)
    except ValueError:
        return default


bind = f"{os.environ.get('POCKETQA_HOST', '127.0.0.1')}:{os.environ.get('POCKETQA_PORT', '6006')}"
worker_class = "geventwebsocket.gunicorn.workers.GeventWebSocketWorker"
workers = 1
preload_app = False
worker_connections = 1000
timeout = 120
control_socket_disable = True  # it lies in a home folder, one for all instances
# What the worker itself takes after SIGTERM, and the time until its answers have been read.
graceful_timeout = int(seconds("POCKETQA_GRACE_S", 20) + 15)


def on_starting(server: Any) -> None:
    """Fetch and convert the model before the worker starts: its time to start is limited."""
    from pocketqa import config, logs, models
    from pocketqa.errors import PocketQAError

    try:
        settings = config.load()
        logs.configure(settings)
        if not settings.engine_url:
            models.resolve(settings.model, settings.home)
    except PocketQAError as error:
        raise SystemExit(f"{error.zh}\n{error.en}") from None


def when_ready(server: Any) -> None:
    """Hand a second SIGTERM on to the worker, which it ends at once; gunicorn would ignore it."""
    asked = []

    def end(number: int, frame: FrameType | None) -> None:
        if asked:
            server.kill_workers(signal.SIGTERM)
        asked.append(number)
        server.signal(number, frame)

    signal.signal(signal.SIGTERM, end)
