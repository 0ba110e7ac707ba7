"""The only wiring: configuration, index, engine, handlers and routes become one application."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from flask import Flask
from flask_socketio import SocketIO

from . import (
    admin_views,
    identity,
    indexing,
    models,
    packets,
    rates,
    shared,
    upload_views,
    views,
)
from . import config as configuration
from .changes import Changes
from .compression import Compressed
from .config import Config
from .control import Control
from .delivery import Delivery
from .ending import Ending
from .engine import Engine, Model
from .events import Events
from .gate import Gate, behind
from .headers import Secured
from .identity import Cookies, Ownership
from .live import Live
from .metrics import Metrics
from .observing import Observer
from .origins import Origins
from .passages import Hit, Passage
from .rates import Rates
from .replay import Memory, Replay
from .running import Running
from .services import LanguageModel, Retrieval, assemble
from .storage import ApiKeys, Database, Housekeeping, Statistics, Turns, UploadRecords
from .threads import Worker
from .uploads import Uploads
from .visitors import Visitors

if TYPE_CHECKING:
    from .engine.remote import RemoteEngine


FIRST_SHEETS = ("colours", "base", "chat", "composer", "turn", "kiosk")
"""The style sheets without which the page does not look as it should."""


class OffHub:
    """A retriever whose work is done in a native thread, so that the hub stays free; measured."""

    def __init__(self, retriever: Retrieval, metrics: Metrics) -> None:
        self._retriever, self._worker, self._metrics = retriever, Worker(), metrics

    def retrieve(self, text: str, k: int = 10) -> list[Hit]:
        """See `Retrieval.retrieve`."""
        with self._metrics.retrieving("retrieve"):
            return self._worker.run(self._retriever.retrieve, text, k)

    def smalltalk(self, text: str) -> Passage | None:
        """See `Retrieval.smalltalk`."""
        with self._metrics.retrieving("smalltalk"):
            return self._worker.run(self._retriever.smalltalk, text)

    def related(
        self, text: str, hits: Sequence[Hit], k: int = 3, exclude: Sequence[str] = ()
    ) -> list[str]:
        """See `Retrieval.related`."""
        with self._metrics.retrieving("related"):
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
    metrics = Metrics()
    database = Database(config.database)
    database.measured = metrics.wrote
    dialogues = Turns(database)
    housekeeping = Housekeeping(dialogues, config.retention_days)
    knowledge: Retrieval = retriever or follow_index(config)
    model: LanguageModel = engine or start_engine(config)

    app = Flask(
        "pocketqa",
        template_folder=str(configuration.data_folder("templates")),
        static_folder=str(configuration.data_folder("static")),
    )
    origins = Origins(config.origins)
    memory = Memory(config.replay_mb << 20, config.replay_s)
    queue = config.message_queue
    instances = shared.Shared(queue, memory, config.replay_s) if queue else None
    socketio = SocketIO(
        app,
        async_mode="gevent",
        json=packets,
        serializer=packets.Packet,
        manage_session=False,
        max_http_buffer_size=config.max_packet_bytes,
        cors_allowed_origins=origins.allow,
        client_manager=instances.rooms if instances else None,
    )
    app.wsgi_app = behind(config.proxies, app.wsgi_app)  # type: ignore[method-assign]
    uploads = Uploads(config)
    services = assemble(config, OffHub(knowledge, metrics), model, uploads, dialogues)
    elsewhere = instances.elsewhere if instances else None
    running = Running(config.answers_per_connection, config.max_streams, elsewhere)
    secret = identity.secret(config)
    cookies = Cookies(secret)
    visitors = Visitors(
        cookies,
        Rates(config.rate, rates.storage_of(queue), shared.OPTIONS if queue else None),
        ApiKeys(database),
        require_key=config.require_key,
        per_address=config.connections_per_address,
    )
    ownership = Ownership(secret, config.rooms)
    replay: Replay = instances.replay if instances else memory
    delivery = Delivery(socketio, replay, config.backlog_kb << 10)
    observer = Observer(metrics, log_text=config.log_text)
    Events(socketio, services, ownership, running, delivery, visitors, origins, observer)
    Control(socketio, visitors, ownership, running, replay, delivery, dialogues)
    Gate(socketio.server, config.connections_per_address)
    if instances:
        instances.start(socketio, running, delivery)

    def state() -> dict[str, Any]:
        parts = {"message_queue": instances.state} if instances else {}
        return {**readiness(model, knowledge, housekeeping, running), **parts}

    show(metrics, model, visitors, running, replay, state)
    page = _page(config, knowledge)
    app.register_blueprint(views.blueprint(page, state, cookies, metrics, config.admin_key))
    app.register_blueprint(
        upload_views.blueprint(uploads, UploadRecords(database), visitors, origins)
    )
    app.wsgi_app = Compressed(app.wsgi_app)  # type: ignore[method-assign]
    if config.admin_key:
        live = knowledge if isinstance(knowledge, Live) else Live(config.index_dir)
        desk = admin_views.Desk(
            config,
            live,
            Statistics(database),
            admin_views.Sessions(config.admin_key, secret),
            Changes(config.data_dir / "changes.jsonl"),
            state,
            metrics.figures,
        )
        counted = rates.storage_of(config.message_queue)
        app.register_blueprint(admin_views.blueprint(desk, counted))
    # Outside of all else, so that Socket.IO's answers and errors have the headers too.
    app.wsgi_app = Secured(  # type: ignore[method-assign]
        app.wsgi_app, config.origins, page.styles
    )
    app.extensions["engine"] = model
    app.extensions["shared"] = instances
    app.extensions["metrics"] = metrics
    app.extensions["ending"] = Ending(socketio, running, delivery, config.grace_s)
    app.extensions["uploads"] = uploads
    app.extensions["database"] = database
    app.extensions["dialogues"] = dialogues
    app.extensions["statistics"] = Statistics(database)
    app.extensions["housekeeping"] = housekeeping
    return app


def _page(config: Config, knowledge: Retrieval) -> views.Page:
    offered = knowledge.examples if isinstance(knowledge, Live) else tuple
    folder = configuration.data_folder("static")
    styles = "".join((folder / f"{sheet}.css").read_text("utf-8") for sheet in FIRST_SHEETS)
    return views.Page(config.title, styles, lambda: config.examples or offered())


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

    known = models.catalogue().get(config.model)
    heads = known.reading_heads if known else ()

    def load() -> Model:
        return model.load(
            source,
            precision=config.precision,
            threads=config.threads or configuration.usable_cores(),
            max_prompt_tokens=config.max_prompt_tokens,
            reading_heads=heads,
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


def readiness(
    engine: LanguageModel, knowledge: Retrieval, database: Housekeeping, running: Running
) -> dict[str, Any]:
    """The state that `/ready` reports: of the model, of the index, and of the database."""
    state = getattr(engine, "state", "ready")
    index = knowledge.state() if isinstance(knowledge, Live) else {"index": "open"}
    parts = {"model": state, **index, "database": database.state}
    ready = (state, index["index"], database.state) == ("ready", "open", "open")
    if running.is_closed:
        return {"ready": False, "stopping": True, **parts}
    return {"ready": ready, **parts}


def show(
    metrics: Metrics,
    engine: LanguageModel,
    visitors: Visitors,
    running: Running,
    replay: Replay,
    state: Callable[[], dict[str, Any]],
) -> None:
    """Let the figures tell of these as well."""
    if stats := getattr(engine, "stats", None):
        metrics.engine(stats)
    metrics.gauge("clients", "Connections that have been let in.", lambda: len(visitors))
    metrics.gauge("answers", "Answers that are being made or wait.", lambda: len(running))
    metrics.gauge("ready", "1 when /ready says so.", lambda: float(state()["ready"]))
    if hasattr(replay, "nbytes"):
        metrics.gauge("replay_bytes", "Memory for answers to resume.", lambda: replay.nbytes)
