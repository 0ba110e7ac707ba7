"""The configuration: one frozen `Config`, read from the environment (`POCKETQA_<NAME>`)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from .errors import PocketQAError


def data_folder(name: str) -> Path:
    """A folder shipped with PocketQA: `templates`, `static` or `knowledge`.

    In the wheel it lies inside the package, in a checkout beside it.
    """
    package = Path(__file__).resolve().parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


class Config(BaseSettings):
    """Every setting, its default and one line of help. `POCKETQA_PORT=80` sets `port`."""

    model_config = SettingsConfigDict(
        env_prefix="POCKETQA_", env_ignore_empty=True, frozen=True, extra="forbid"
    )

    # The server
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(6006, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="further web origins that may connect and embed; commas between; * for all",
    )
    proxies: int = Field(
        0, ge=0, le=10, description="reverse proxies in front, whose X-Forwarded-* are believed"
    )
    grace_s: float = Field(
        20, ge=0, description="how long running answers may go on after SIGTERM, in seconds"
    )
    max_packet_bytes: int = Field(
        4 << 20, ge=65536, description="largest Socket.IO packet; a larger one ends its connection"
    )
    answers_per_connection: int = Field(
        16, ge=1, description="answers that one connection may have running at once"
    )
    backlog_kb: int = Field(
        1024, ge=16, description="a client that leaves so much unread is dropped, in KiB"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="log level")
    log_format: Literal["text", "json"] = Field("text", description="a line of the log")
    log_text: bool = Field(False, description="whether questions and answers are logged")

    # The page
    title: str = Field("PocketQA", min_length=1, max_length=40, description="the page's name")
    examples: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="questions that the page offers, | between; empty: of the knowledge base",
    )

    # Who may ask
    secret_key: str = Field(
        "",
        repr=False,
        description="signs cookies, tokens and rooms; empty: one that is kept in DATA",
    )
    require_key: bool = Field(False, description="whether whoever connects must show an API key")
    admin_key: str = Field("", repr=False, description="opens /admin; empty: there is no /admin")
    rooms: Literal["open", "signed", "off"] = Field(
        "open", description="who may join a named room: who knows its name, or its signed name"
    )
    rate: str = Field(
        "60/minute", description="questions of one identity: 30/minute;1000/day; off: no limit"
    )
    connections_per_address: int = Field(
        100, ge=0, description="connections from one address at once; 0: no limit"
    )

    # Dialogues
    database_url: str = Field(
        "", repr=False, description="SQLAlchemy address of the database; empty: SQLite in DATA"
    )
    message_queue: str = Field(
        "", repr=False, description="redis:// address that several instances share; empty: alone"
    )
    retention_days: float = Field(
        90, ge=0, description="how long dialogues are kept, in days; 0: for ever"
    )
    keep_answering_s: float = Field(
        15, ge=0, description="how long an answer goes on when nobody listens, in seconds"
    )
    replay_s: float = Field(
        300, ge=0, description="how long an ended answer can be resumed, in seconds"
    )
    replay_mb: int = Field(64, ge=1, description="memory for answers that can be resumed, in MiB")

    # Files
    home: Path = Field(
        default_factory=lambda: Path(platformdirs.user_cache_dir("pocketqa", appauthor=False)),
        description="cache of models, shared by all checkouts",
    )
    data: Path | None = Field(
        None,
        description="what must not be lost: dialogues, index, secret, uploads; default: HOME "
        "where that is set, else the user's data folder",
    )
    index: Path | None = Field(None, description="index to answer from; default: DATA/index")

    # Uploads
    upload_mb: int = Field(20, ge=1, le=256, description="largest upload, in MB")
    upload_pages: int = Field(1_000, ge=1, description="most pages or slides of an upload")
    upload_characters: int = Field(
        1_500_000, ge=1_000, description="most characters of an upload's text"
    )
    upload_seconds: float = Field(60, ge=1, description="most processor time for an upload, s")
    upload_hours: float = Field(24, gt=0, description="how long an upload is kept, in hours")
    uploads: int = Field(100, ge=1, description="uploads kept; the oldest is forgotten first")

    # The model
    model: str = Field(
        "qwen2.5-coder-0.5b", description="catalogue name, local directory, .gguf file or hub id"
    )
    precision: Literal["auto", "float32", "bfloat16", "int8", "int4"] = Field(
        "auto", description="weights; auto: what is fastest of those that lose no quality"
    )
    threads: int = Field(0, ge=0, description="threads that compute; 0: as many as usable cores")
    max_new_tokens: int = Field(320, ge=1, description="longest answer, in tokens")
    max_prompt_tokens: int = Field(6000, ge=256, description="longest prompt, in tokens")
    temperature: float = Field(0.0, ge=0, le=2, description="0: the likeliest token, always")
    max_streams: int = Field(16, ge=1, description="answers that are generated at once")
    cache_mb: int = Field(
        768, ge=16, description="memory for what the model has read, in MiB: answers and prefixes"
    )
    queue_size: int = Field(64, ge=0, description="requests that may wait for the model")
    engine_url: str = Field(
        "", description="OpenAI-compatible server that has the model; empty: the local model"
    )
    engine_model: str = Field(
        "", description="the model's name there; empty: the first that the server lists"
    )
    engine_key: str = Field("", repr=False, description="the server's API key; empty: none")

    # Answers
    prompts: Path | None = Field(
        None,
        description="file of what the model is told (INI); empty: what is built in",
    )
    answer_mode: Literal["generate", "auto", "curated"] = Field(
        "generate", description="who answers a clear hit: the model, or the curated answer"
    )
    on_miss: Literal["refuse", "generate"] = Field(
        "refuse", description="what happens when nothing relevant is found"
    )
    passages: int = Field(2, ge=1, le=10, description="passages handed to the model")
    min_score: float = Field(0.12, ge=0, le=1, description="below this score nothing was found")
    curated_score: float = Field(
        0.9, ge=0, le=1, description="from this score on answer_mode auto gives the curated answer"
    )
    history_turns: int = Field(5, ge=0, le=50, description="earlier turns kept in sight")
    sensitive_words: Path | None = Field(
        None, description="file of words that are not to be said, one a line; default: none"
    )
    sensitive_reply: str = Field(
        "", description="what is said instead; empty: a sentence in the question's language"
    )

    @field_validator("origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())

    @field_validator("examples", mode="before")
    @classmethod
    def _questions(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split("|") if part.strip())

    @field_validator("engine_url")
    @classmethod
    def _server(cls, value: str) -> str:
        """The address without a slash at its end; `/v1` where it has no path."""
        parts = urlsplit(value.strip().rstrip("/"))
        if not value.strip():
            return ""
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an address such as http://127.0.0.1:8000/v1")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("must hold no secret: give the key as POCKETQA_ENGINE_KEY")
        return parts._replace(path=parts.path or "/v1").geturl()

    @field_validator("engine_key")
    @classmethod
    def _header(cls, value: str) -> str:
        if not all("!" <= char <= "~" for char in value.strip()):
            raise ValueError("must be printable ASCII without spaces")
        return value.strip()

    @property
    def language_model(self) -> str:
        """What names the model that answers, for people and for what is kept of its answers."""
        if not self.engine_url:
            return self.model
        return f"{self.engine_model or 'default'} @ {self.engine_url}"

    @property
    def database(self) -> str:
        """The address of the database; where none is configured, a file in DATA."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'pocketqa.db').absolute()}"

    @property
    def data_dir(self) -> Path:
        """The folder of what must not be lost; HOME may be cleared by who clears caches."""
        if self.data or "home" in self.model_fields_set:
            return self.data or self.home
        return Path(platformdirs.user_data_dir("pocketqa", appauthor=False))

    @property
    def index_dir(self) -> Path:
        """The folder of the index that is answered from."""
        return self.index or self.data_dir / "index"


def load(**overrides: object) -> Config:
    """Read the configuration from the environment; `overrides` win over it.

    Raises:
        PocketQAError: `bad_config`, naming each variable that is wrong and the rule it breaks.
    """
    try:
        return Config(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        faults = "; ".join(
            f"POCKETQA_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}"
            for fault in error.errors()
        )
        raise PocketQAError(
            "bad_config", f"配置有误:{faults}", f"bad configuration: {faults}"
        ) from None


def usable_cores() -> int:
    """Cores this process may use: its affinity, cut by the cgroup's CPU quota (cgroup v2)."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores, int(quota) // int(period)))
    except (OSError, ValueError):
        return cores
