"""`pocketqa serve`: gevent's WSGI server with WebSocket, around the application.

Importing this module patches the process for gevent; it is the only place that does.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import logging
import signal
import sys
from typing import TYPE_CHECKING

import gevent
from flask import Flask
from gevent import pywsgi
from geventwebsocket.handler import WebSocketHandler

from . import config as configuration
from .app import create_app
from .config import Config
from .deployment import exposure
from .engine import Engine
from .errors import PocketQAError

if TYPE_CHECKING:
    from .engine.remote import RemoteEngine

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.0005
"""How long the model's thread may keep Python's lock from the hub; Python's default is 5 ms."""


def build_app(config: Config | None = None, engine: Engine | None = None) -> Flask:
    """The application, in a process made ready for it. `engine` replaces the configured one."""
    config = config or configuration.load()
    logging.basicConfig(
        level=config.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # A line for every HTTP request of the client libraries hides the lines that matter.
    for noisy in (
        *("httpx", "httpx2", "httpcore2", "openai", "urllib3", "filelock"),
        "geventwebsocket.handler",
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    if warning := exposure(config):
        print(warning, file=sys.stderr, flush=True)
    return create_app(config, engine=engine)


def serve(config: Config) -> None:
    """`pocketqa serve`: prepare the model and the index if need be, then serve.

    Raises:
        PocketQAError: `model_unavailable`, `bad_knowledge`; `port_taken` for an address in use.
    """
    run(build_app(config), config)


def run(app: Flask, config: Config) -> None:
    """Serve `app` until SIGTERM or SIGINT, while its engine loads the model and after."""
    engine: Engine | RemoteEngine = app.extensions["engine"]
    server = pywsgi.WSGIServer(
        (config.host, config.port), app, handler_class=WebSocketHandler, log=None, error_log=log
    )
    try:
        server.start()
    except OSError as error:
        engine.close()
        raise _port_taken(config, error) from error
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, server.stop)
    address = f"http://{config.host}:{server.server_port}"
    announcer = gevent.spawn(_announce, engine, address, server)
    server.serve_forever()
    announcer.kill()
    engine.close()
    app.extensions["housekeeping"].close()
    app.extensions["database"].close()
    if engine.failure is not None:
        raise engine.failure


def _announce(engine: Engine | RemoteEngine, address: str, server: pywsgi.WSGIServer) -> None:
    print(f"PocketQA: {address} 正在加载模型… loading the model…", flush=True)
    while engine.state in ("loading", "away"):  # a server that is away may come
        gevent.sleep(0.05)
    if engine.state == "ready":
        print(f"PocketQA: {address} 已就绪,Ctrl-C 停止。Ready, Ctrl-C stops it.", flush=True)
    else:
        server.stop()


def _port_taken(config: Config, error: OSError) -> PocketQAError:
    return PocketQAError(
        "port_taken",
        f"无法监听 {config.host}:{config.port}({error.strerror});请用 --port 换一个端口",
        f"cannot listen on {config.host}:{config.port} ({error.strerror}); "
        "choose another with --port",
    )
