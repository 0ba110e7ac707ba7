"""The log: one line an event, for people or for programs, with the request that it belongs to.

The rest logs with `logging` as ever; further fields go into `extra`. Whatever is logged while an
answer is made has the answer's `request_id`, as long as it is logged in its greenlet, or in a
`threads.Worker` that works for it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import unquote, urlsplit

from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.processors import TimeStamper, format_exc_info
from structlog.stdlib import ExtraAdder, ProcessorFormatter

from .config import Config
from .threads import native_rlock

Fields = MutableMapping[str, Any]

HIDDEN = "***"
SHORTEST = 6
"""A secret of fewer characters than this is no secret, and may be part of any word."""
FIRST = ("timestamp", "level", "logger", "message")
CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F, 0x85)} | {
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


class Handler(logging.StreamHandler):
    """Writes to standard error, from greenlets and from native threads."""

    def createLock(self) -> None:  # noqa: N802 (a name of logging's)
        """A lock that both may wait for; it is held while a line is written."""
        self.lock = native_rlock()


def configure(config: Config) -> None:
    """Let everything that is logged in this process go to standard error, in the form configured.

    Of other packages only warnings are logged: a line for every HTTP request of a client library
    would hide the lines that matter.
    """
    handler = Handler()
    handler.setFormatter(formatter(config))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("pocketqa").setLevel(config.log_level)
    # gunicorn's own lines, in the same form.
    gunicorn = logging.getLogger("gunicorn.error")
    gunicorn.handlers.clear()
    gunicorn.propagate = True
    logging.getLogger("geventwebsocket.handler").setLevel(logging.WARNING)


def bound(**fields: object) -> AbstractContextManager[None]:
    """Within it, all that this greenlet logs has these fields."""
    return bound_contextvars(**fields)


def formatter(config: Config) -> logging.Formatter:
    """Makes lines of records: JSON objects, or text."""
    as_json = config.log_format == "json"
    stamp = (
        TimeStamper(fmt="iso", utc=True)
        if as_json
        else TimeStamper(fmt="%Y-%m-%d %H:%M:%S.%f", utc=False)
    )
    secrets = secrets_of(config)

    def line(logger: object, name: str, fields: Fields) -> str:
        ordered = {**{key: fields.pop(key) for key in FIRST}, **fields}
        text = _json(ordered) if as_json else _text(ordered)
        for secret in secrets:
            text = text.replace(secret, HIDDEN)
        return text

    return ProcessorFormatter(
        processors=[
            _named,
            merge_contextvars,
            ExtraAdder(),
            stamp,
            format_exc_info,
            ProcessorFormatter.remove_processors_meta,
            line,
        ]
    )


def secrets_of(config: Config) -> list[str]:
    """What must never be in the log, also as Python and JSON write it; the longest first."""
    found = {config.secret_key, config.engine_key, config.admin_key}
    for address in (config.database_url, config.message_queue):
        found |= {password := urlsplit(address).password or "", unquote(password)}
    found |= {repr(secret)[1:-1] for secret in found}
    shown = found | {json.dumps(form, ensure_ascii=False)[1:-1] for form in found}
    return sorted((each for each in shown if len(each) >= SHORTEST), key=len, reverse=True)


def _named(logger: object, name: str, fields: Fields) -> Fields:
    """The record's own fields. `event` is free for what clients emit."""
    record: logging.LogRecord = fields["_record"]
    fields["message"] = fields.pop("event")
    fields["level"], fields["logger"] = record.levelname.lower(), record.name
    return fields


def _json(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False, default=str)


def _text(fields: Fields) -> str:
    exception = fields.pop("exception", "")
    stamp, level, logger, message = (fields.pop(key) for key in FIRST)
    pairs = "".join(f" {key}={_shown(value)}" for key, value in fields.items())
    line = f"{stamp[:-3]} {level.upper()} {logger}: {str(message).translate(CONTROL)}{pairs}"
    return f"{line}\n{exception}" if exception else line


def _shown(value: object) -> str:
    text = str(value)
    is_plain = text and not any(char.isspace() or char in '"=' for char in text)
    return (text if is_plain else json.dumps(text, ensure_ascii=False)).translate(CONTROL)
