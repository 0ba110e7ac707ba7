"""The other instances: who makes what, what they are asked, and that this one lives."""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from .. import packets
from ..dialogue import Key
from ..replay import Name
from .link import Away, Link, key
from .streams import ALIVE_S, BEAT_S

ASK_S = 0.5
"""Who has not answered by then has nothing to say."""
ALIVE_MS = int(ALIVE_S * 1_000)
SID = re.compile(r"[\w-]{20}")
"""What Socket.IO calls a connection."""

RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"

log = logging.getLogger(__name__)


class Others:
    """`Elsewhere`. Without Redis this instance is alone."""

    def __init__(self, link: Link, channel: str, instance: str) -> None:
        self._link, self._channel, self._instance = link, channel, instance
        self._claims: set[Name] = set()

    def claim(self, name: Name) -> bool:
        """See `Elsewhere.claim`."""

        def take(client: Any) -> bool:
            running = key("running", name)
            if client.set(running, self._instance, nx=True, px=ALIVE_MS):
                return True
            return bool(client.get(running) == self._instance.encode())

        try:
            if not self._link.call(take):
                return False
        except Away:
            pass
        self._claims.add(name)
        return True

    def release(self, name: Name) -> None:
        """See `Elsewhere.release`."""
        self._claims.discard(name)
        self._link.put("EVAL", RELEASE, 1, key("running", name), self._instance)

    def stop(self, names: Sequence[Name]) -> bool:
        """See `Elsewhere.stop`."""
        return any(self._ask("stop", [list(name) for name in names]))

    def stop_dialogue(self, key: Key) -> list[str]:
        """See `Elsewhere.stop_dialogue`."""
        answers = self._ask("stop_dialogue", key.owner, key.dialogue, everybody=True)
        return [request_id for answer in answers for request_id in answer or ()]

    def hears(self, heard_in: str, request_id: str) -> bool:
        """See `Elsewhere.hears`."""
        return any(self._ask("hears", heard_in, request_id))

    def has(self, sid: str) -> bool:
        """See `Elsewhere.has`."""
        return bool(SID.fullmatch(sid)) and any(self._ask("has", sid))

    def beat(self, restore: Callable[[], None], look: Callable[[], None]) -> None:
        """Show that this instance lives, for ever: a greenlet of its own.

        Args:
            restore: called when Redis is back and lacks what was written meanwhile.
            look: called after each time.
        """
        while True:
            try:
                self._link.call(self._show)
                if self._link.has_lost:
                    self._link.has_lost = False
                    restore()
                look()
            except Away:
                pass
            except Exception:
                log.exception("cannot look after the message queue")
            time.sleep(BEAT_S)

    def _show(self, client: Any) -> None:
        pipe = client.pipeline(transaction=False)
        pipe.ping()
        for name in self._claims:
            pipe.set(key("running", name), self._instance, px=ALIVE_MS)
        pipe.execute()

    def _ask(self, what: str, *of: object, everybody: bool = False) -> list[Any]:
        """What the others say; up to the first that says yes, unless `everybody` is to."""
        reply = f"pocketqa:reply:{uuid.uuid4().hex}"
        said = {"method": "ask", "host_id": self._instance, "what": what, "of": of, "reply": reply}
        answers: list[Any] = []
        end = time.monotonic() + ASK_S
        try:
            receivers = self._link.call(
                lambda client: client.publish(self._channel, packets.dumps(said))
            )
            while len(answers) < receivers - 1 and (left := end - time.monotonic()) > 0:
                came = self._link.call(lambda client, left=left: client.blpop([reply], left))  # type: ignore[misc]
                if came is None:
                    break
                answers.append(json.loads(came[1]))
                if answers[-1] and not everybody:
                    break
        except Away:
            pass
        return answers
