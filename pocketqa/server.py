"""`pocketqa serve`: gevent's WSGI server with WebSocket, around the application.

Importing this module patches the process for gevent; it is the only place that does.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import atexit
import gc
import logging
import os
import signal
import sys
import time
from types import FrameType
from typing import TYPE_CHECKING, Any

import gevent
from flask import Flask
from gevent import pywsgi

from . import config as configuration
from . import handshake, logs
from .app import create_app
from .config import Config
from .deployment import exposure
from .ending import Ending
from .engine import Engine
from .errors import PocketQAError

if TYPE_CHECKING:
    from .engine.remote import RemoteEngine

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.0005
"""How long the model's thread may keep Python's lock from the hub; Python's default is 5 ms."""
SAME_SIGNAL_S = 0.2
"""A second signal so soon is the first one: of a service manager and of gunicorn's master."""


def build_app(config: Config | None = None, engine: Engine | None = None) -> Flask:
    """The application, in a process made ready for it. `engine` replaces the configured one."""
    config = config or configuration.load()
    logs.configure(config)
    gevent.get_hub().print_exception = _log_failure
    gevent.config.track_greenlet_tree = False  # who started whom: nobody asks, and each pays for it
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    if warning := exposure(config):
        print(warning, file=sys.stderr, flush=True)
    app = create_app(config, engine=engine)
    gevent.spawn(app.extensions["metrics"].watch_hub, gevent.sleep)
    gevent.spawn(_settle, app.extensions["engine"])
    return app


def serve(config: Config) -> None:
    """`pocketqa serve`: prepare the model and the index if need be, then serve.

    Raises:
        PocketQAError: `model_unavailable`, `bad_knowledge`; `port_taken` for an address in use.
    """
    run(build_app(config), config)


def run(app: Flask, config: Config) -> None:
    """Serve `app` until SIGTERM or SIGINT, while its engine loads the model and after.

    Then nobody is let in any more, and running answers have a while to end; a second signal ends
    the process at once.
    """
    engine: Engine | RemoteEngine = app.extensions["engine"]
    server = pywsgi.WSGIServer(
        (config.host, config.port), app, handler_class=handshake.Handler, log=None, error_log=log
    )
    try:
        server.start()
    except OSError as error:
        engine.close()
        raise _port_taken(config, error) from error
    ending: Ending = app.extensions["ending"]

    def end(number: int) -> None:
        if ending.has_begun:
            os._exit(128 + number)
        ending.begin()
        server.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, end, number)
    address = f"http://{config.host}:{server.server_port}"
    announcer = gevent.spawn(_announce, engine, address, server)
    server.serve_forever()
    announcer.kill()
    _finish(app, at_once=engine.failure is not None)
    if engine.failure is not None:
        raise engine.failure


def end_with_gunicorn(app: Flask) -> None:
    """In gunicorn's worker: let SIGTERM end `app` as `run` does, and the worker wait for that."""
    handshake.use_in_gunicorn()
    ending: Ending = app.extensions["ending"]
    before: Any = signal.getsignal(signal.SIGTERM)
    finishing: list[gevent.Greenlet] = []
    began = 0.0

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal began
        if not ending.has_begun:
            began = time.monotonic()
            ending.begin()
            finishing.append(gevent.spawn(_finish, app))
            before(number, frame)
        elif time.monotonic() - began > SAME_SIGNAL_S:
            os._exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    # gunicorn's worker ends when its connections have: answers may go on without any.
    atexit.register(lambda: gevent.joinall(finishing))


def _finish(app: Flask, *, at_once: bool = False) -> None:
    ending: Ending = app.extensions["ending"]
    ending.finish(at_once=at_once)
    app.extensions["engine"].close()
    app.extensions["housekeeping"].close()
    app.extensions["database"].close()
    if shared := app.extensions["shared"]:
        shared.close()
    ending.hang_up()


def _settle(engine: Engine | RemoteEngine) -> None:
    """Once all is loaded: the garbage collector need not look through it again and again."""
    while engine.state == "loading":
        gevent.sleep(0.1)
    gc.freeze()


def _log_failure(context: object, kind: type, error: BaseException, trace: Any) -> None:
    """What gevent would print of a greenlet that failed."""
    log.error("a greenlet failed: %s", context, exc_info=(kind, error, trace))


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
