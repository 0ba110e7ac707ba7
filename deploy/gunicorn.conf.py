"""gunicorn -c deploy/gunicorn.conf.py wsgi:app

One process with gevent and WebSocket; another worker class or more workers refuse to start.
"""

import os

bind = f"{os.environ.get('POCKETQA_HOST', '127.0.0.1')}:{os.environ.get('POCKETQA_PORT', '6006')}"
worker_class = "geventwebsocket.gunicorn.workers.GeventWebSocketWorker"
workers = 1
preload_app = False
worker_connections = 1000
timeout = 120
graceful_timeout = 10


def on_starting(server: object) -> None:
    """Fetch and convert the model before the worker starts: its time to start is limited."""
    from pocketqa import config, models
    from pocketqa.errors import PocketQAError

    try:
        settings = config.load()
        if not settings.engine_url:
            models.resolve(settings.model, settings.home)
    except PocketQAError as error:
        raise SystemExit(f"{error.zh}\n{error.en}") from None
