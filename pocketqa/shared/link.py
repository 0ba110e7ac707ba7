"""The connection to Redis, which may be away: nothing waits long for it, nothing fails with it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .. import packets
from ..errors import PocketQAError
from ..replay import Name

T = TypeVar("T")

OPTIONS: dict[str, Any] = {
    "socket_connect_timeout": 1.0,
    "socket_timeout": 3.0,
    "retry": Retry(NoBackoff(), 0),  # its own would make a question wait for seconds
}
"""Of every connection to Redis."""
AWAY_S = 1.0
"""After a failure nobody tries again for so long."""
CLOSE_S = 2.0
MOST_WAITING = 20_000
"""Commands that may wait to be written; beyond, the oldest go."""

Value = str | bytes | int | float

log = logging.getLogger(__name__)


class Away(Exception):
    """Redis cannot be reached, or refuses."""


class Link:
    """Commands to Redis: `call` waits for a result, `put` writes in the background, in order.

    Attributes:
        well_since: since when it has been reachable without a break, in monotonic seconds.
        has_lost: commands of `put` got lost, and nobody has made up for it yet.
    """

    def __init__(self, url: str) -> None:
        try:
            self._client: Any = redis.Redis.from_url(url, **OPTIONS)
        except ValueError:
            raise PocketQAError(
                "bad_config",
                "配置有误:POCKETQA_MESSAGE_QUEUE 应形如 redis://127.0.0.1:6379/0",
                "bad configuration: POCKETQA_MESSAGE_QUEUE must be like redis://127.0.0.1:6379/0",
            ) from None
        self.well_since = time.monotonic()
        self.has_lost = False
        self._away_until: float | None = None
        self._waiting: deque[tuple[Value, ...]] = deque()
        self._wake, self._is_written = threading.Event(), threading.Event()
        self._is_closing = False

    @property
    def is_away(self) -> bool:
        """Whether the last try has failed."""
        return self._away_until is not None

    @property
    def client(self) -> Any:
        """The client itself, for who waits for messages."""
        return self._client

    def call(self, function: Callable[[Any], T]) -> T:
        """What `function` makes of the client.

        Raises:
            Away: at once where the last try failed a moment ago.
        """
        if self._away_until is not None and time.monotonic() < self._away_until:
            raise Away
        try:
            result = function(self._client)
        except (redis.RedisError, OSError) as error:
            if self._away_until is None:
                log.error("the message queue is away, going on alone: %s", error)
            self._away_until = time.monotonic() + AWAY_S
            # What waits in the pool has lost its server as well.
            self._client.connection_pool.disconnect(inuse_connections=False)
            raise Away from error
        if self._away_until is not None:
            log.warning("the message queue is back")
            self._away_until, self.well_since = None, time.monotonic()
        return result

    def put(self, *command: Value) -> None:
        """Write a command after those before it; where Redis is away, it is lost."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self.has_lost = True
        self._waiting.append(command)
        self._wake.set()

    def write(self) -> None:
        """Write what is put, until closed: a greenlet of its own."""
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._waiting:
                commands = [self._waiting.popleft() for _ in range(min(len(self._waiting), 500))]
                try:
                    self.call(lambda client, commands=commands: _run(client, commands))  # type: ignore[misc]
                except Away:
                    self.has_lost = True
                except Exception:
                    log.exception("cannot write to the message queue")
                    self.has_lost = True
            if self._is_closing:
                self._is_written.set()
                return

    def close(self) -> None:
        """Write what waits, but don't wait for ever."""
        self._is_closing = True
        self._wake.set()
        self._is_written.wait(CLOSE_S)


def key(kind: str, name: Name) -> str:
    """Redis' key for something of an answer; no two names have the same."""
    return f"pocketqa:{kind}:{packets.dumps(list(name))}"


def _run(client: Any, commands: list[tuple[Value, ...]]) -> None:
    pipe = client.pipeline(transaction=False)
    for command in commands:
        pipe.execute_command(*command)
    for result in pipe.execute(raise_on_error=False):
        if isinstance(result, redis.ResponseError):
            log.error("the message queue refuses a command: %s", result)
            return
        if isinstance(result, Exception):
            raise result
