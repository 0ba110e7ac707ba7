"""The only wiring: configuration, index, engine, handlers and routes become one application."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flask import Flask
from flask_socketio import SocketIO

from . import config as configuration
from . import identity, indexing, models, packets, upload_views, views
from .config import Config
from .engine import Engine, Model
from .events import Events
from .headers import Secured
from .identity import Ownership
from .live import Live
from .passages import Hit, Passage
from .running import Running
from .services import LanguageModel, Retrieval, assemble
from .storage import Database, Housekeeping, Turns
from .threads import Worker
from .uploads import Uploads

if TYPE_CHECKING:
    from .engine.remote import RemoteEngine


class OffHub:
    """A retriever whose work is done in a native thread, so that the hub stays free."""

    def __init__(self, retriever: Retrieval) -> None:
        self._retriever, self._worker = retriever, Worker()

    def retrieve(self, text: str, k: int = 10) -> list[Hit]:
        """See `Retrieval.retrieve`."""
        return self._worker.run(self._retriever.retrieve, text, k)

    def smalltalk(self, text: str) -> Passage | None:
        """See `Retrieval.smalltalk`."""
        return self._worker.run(self._retriever.smalltalk, text)

    def related(
        self, text: str, hits: Sequence[Hit], k: int = 3, exclude: Sequence[str] = ()
    ) -> list[str]:
        """See `Retrieval.related`."""
        return self._worker.run(self._retriever.related, text, hits, k, exclude)


def create_app(
    config: Config | None = None,
    retriever: Retrieval | None = None,
    engine: LanguageModel | None = None,
) -> Flask:
    """Build the application; `app.extensions["socketio"]` is its Socket.IO server.

    Args:
        config: default: read from the environment.
        retriever: default: the configured index, followed as it changes, and built from the demo
            knowledge if there is none.
        engine: default: the configured model, loaded in the background.
    """
    config = config or configuration.load()
    database = Database(config.database)
    dialogues = Turns(database)
    housekeeping = Housekeeping(dialogues, config.retention_days)
    knowledge: Retrieval = retriever or follow_index(config)
    model: LanguageModel = engine or start_engine(config)

    app = Flask(
        "pocketqa",
        template_folder=str(configuration.data_folder("templates")),
        static_folder=str(configuration.data_folder("static")),
    )
    socketio = SocketIO(
        app,
        async_mode="gevent",
        json=packets,
        manage_session=False,
        max_http_buffer_size=config.max_packet_bytes,
        cors_allowed_origins=_origins(config),
    )
    uploads = Uploads(config)
    services = assemble(config, OffHub(knowledge), model, uploads, dialogues)
    running = Running(config.answers_per_connection, config.max_streams)
    ownership = Ownership(identity.secret(config), config.rooms)
    Events(socketio, services, ownership, running)
    app.register_blueprint(views.blueprint(lambda: readiness(model, knowledge)))
    app.register_blueprint(upload_views.blueprint(uploads, lambda env: _is_welcome(config, env)))
    # Outside of all else, so that Socket.IO's answers and errors have the headers too.
    app.wsgi_app = Secured(app.wsgi_app, config.origins)  # type: ignore[method-assign]
    app.extensions["engine"] = model
    app.extensions["uploads"] = uploads
    app.extensions["database"] = database
    app.extensions["dialogues"] = dialogues
    app.extensions["housekeeping"] = housekeeping
    return app


def follow_index(config: Config) -> Live:
    """The configured index, now and as it changes; built from the demo knowledge if need be."""
    indexing.prepare_demo(config)
    live = Live(config.index_dir)
    live.watch()
    return live


def start_engine(config: Config) -> Engine | RemoteEngine:
    """Start the engine: that of a configured server, else the local one, which loads the model.

    The local model is fetched and converted first, if need be. The caller's thread does what starts
    processes: fetching, converting, and importing torch, whose CUDA build runs ldconfig. Under
    gevent that works in the hub's thread only.

    Raises:
        ModelError: when the model cannot be had, see `models.resolve`.
    """
    if config.engine_url:
        return _remote_engine(config)
    source = models.resolve(config.model, config.home)
    from .engine import model

    def load() -> Model:
        return model.load(
            source,
            precision=config.precision,
            threads=config.threads or configuration.usable_cores(),
            max_prompt_tokens=config.max_prompt_tokens,
        )

    return Engine(
        load,
        config.queue_size,
        max_streams=config.max_streams,
        cache_bytes=config.cache_mb << 20,
    )


def _remote_engine(config: Config) -> RemoteEngine:
    from .engine.connection import Address
    from .engine.remote import RemoteEngine

    return RemoteEngine(
        Address(config.engine_url, config.engine_key),
        config.engine_model,
        streams=config.max_streams,
        queue_size=config.queue_size,
        max_prompt_tokens=config.max_prompt_tokens,
    )


def readiness(engine: LanguageModel, knowledge: Retrieval) -> dict[str, Any]:
    """The state that `/ready` reports: of the model, and of the index."""
    state = getattr(engine, "state", "ready")
    index = knowledge.state() if isinstance(knowledge, Live) else {"index": "open"}
    ready = state == "ready" and index["index"] == "open"
    return {"ready": ready, "model": state, **index}


def _origins(config: Config) -> Any:
    """What Engine.IO may accept as `Origin`: the server's own, and those configured."""
    if "*" in config.origins:
        return "*"
    if not config.origins:
        return None  # the server's own only

    def allowed(origin: str | None, environ: dict[str, str]) -> bool:
        return origin in config.origins or origin in _own_origins(environ)

    return allowed


def _is_welcome(config: Config, environ: dict[str, Any]) -> bool:
    """Whether a request comes from no web page, from the server's own, or from a configured one."""
    origin = environ.get("HTTP_ORIGIN")
    own = {*config.origins, *_own_origins(environ)}
    return origin is None or "*" in config.origins or origin in own


def _own_origins(environ: dict[str, str]) -> set[str]:
    """The server's own origin as the client reached it, and as a proxy before it did."""
    scheme, host = environ["wsgi.url_scheme"], environ.get("HTTP_HOST", "")
    first = [
        environ.get(name, default).split(",")[0].strip()
        for name, default in (("HTTP_X_FORWARDED_PROTO", scheme), ("HTTP_X_FORWARDED_HOST", host))
    ]
    return {f"{scheme}://{host}", "://".join(first)}
