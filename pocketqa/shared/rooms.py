"""Rooms spread over instances: Flask-SocketIO's message queue, without gaps, doubles or detours.

What is for one connection stays on its instance; what is for a named room goes to all of them.
Where something has been missed, or its maker is dead, whoever listens here is sent the rest from
the buffer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import redis
import socketio

from .. import packets
from ..delivery import Delivery
from ..dialogue import Key
from ..replay import Name
from ..running import Running
from .link import Away, Link
from .streams import Streams

AGAIN_S = 0.5
"""Pause before it is tried again to listen to Redis."""
LISTEN_S = 1.0
REPLY_S = 5

log = logging.getLogger(__name__)


class Rooms(socketio.RedisManager):
    """Emits to rooms wherever they are heard, and answers what other instances ask."""

    def __init__(self, url: str, link: Link, streams: Streams, instance: str) -> None:
        # Redis' channels know nothing of its numbered databases.
        super().__init__(url, channel=f"pocketqa:{urlsplit(url).path.strip('/') or 0}")
        self.host_id = instance
        self._link, self._streams = link, streams
        self._heard: dict[Name, int] = {}
        """Answers of others to rooms, with the last `seq` that came."""

    def attach(self, running: Running, delivery: Delivery) -> None:
        """Say whose answers and connections these are."""
        self._running, self._delivery = running, delivery

    def emit(
        self,
        event: str,
        data: Any,
        namespace: str | None = None,
        room: str | None = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: str | None = None,
        **options: Any,
    ) -> None:
        """See `PubSubManager.emit`."""
        room = to or room
        options["ignore_queue"] = options.get("ignore_queue") or not _is_shared(room)
        super().emit(event, data, namespace or "/", room, skip_sid, callback, **options)

    def look(self) -> None:
        """Look whether those live whose answers are heard here; else their answers end here."""
        for name, seq in list(self._heard.items()):
            try:
                if self._streams.is_running(name):
                    continue
            except Away:
                return
            if self._heard.pop(name, None) is not None:
                self._catch_up(name, seq)

    def _publish(self, data: Any) -> None:
        self._link.put("PUBLISH", self.channel, packets.dumps(data))

    def _listen(self) -> Iterator[Any]:
        """Messages for ever; questions of other instances are answered on the way."""
        while True:
            try:
                listening = self._link.client.pubsub(ignore_subscribe_messages=True)
                listening.subscribe(self.channel)
                for name, seq in list(self._heard.items()):
                    self._catch_up(name, seq)
                while True:
                    message = listening.get_message(timeout=LISTEN_S)
                    if message is None:
                        continue
                    said = packets.loads(message["data"])
                    if isinstance(said, dict) and said.get("method") == "ask":
                        if said.get("host_id") != self.host_id:
                            self._answer(said)
                    else:
                        yield said
            except (redis.RedisError, OSError) as error:
                log.warning("not listening to the other instances: %s", error)
                time.sleep(AGAIN_S)
            except ValueError:
                log.exception("not a message of an instance")

    def _answer(self, said: dict[str, Any]) -> None:
        try:
            answer = getattr(self, f"_say_{said['what']}")(*said["of"])
        except Exception:
            log.exception("cannot say %s", said.get("what"))
            answer = None
        self._link.put("RPUSH", said["reply"], packets.dumps(answer))
        self._link.put("EXPIRE", said["reply"], REPLY_S)

    def _say_stop(self, names: list[list[str]]) -> list[str]:
        """Stop answers that are made here; the request ids."""
        found = [answer for each in names if (answer := self._running.find(Name(*each)))]
        for answer in found:
            answer.cancellation.cancel()
        return [answer.request.request_id for answer in found]

    def _say_stop_dialogue(self, owner: str, dialogue: str) -> list[str]:
        found = self._running.in_dialogue(Key(owner, dialogue))
        return self._say_stop([list(answer.name) for answer in found])

    def _say_hears(self, heard_in: str, request_id: str) -> bool:
        return bool(self._delivery.hears(heard_in, request_id))

    def _say_has(self, sid: str) -> bool:
        return bool(self._delivery.is_connected(sid))

    def _handle_emit(self, message: dict[str, Any]) -> None:
        """Emit here what was emitted here or elsewhere."""
        if message["host_id"] != self.host_id:
            data = message["data"][0]
            frame = data.get("data", {}) if isinstance(data, dict) else {}
            if "seq" in frame:
                name = Name(message["room"], frame["request_id"])
                if not self._is_next(name, frame["seq"], frame["finish_reason"] is not None):
                    return
                own = self._delivery.followers(message["room"], frame["request_id"])
                message = {**message, "skip_sid": own}
        super()._handle_emit(message)

    def _is_next(self, name: Name, seq: int, ends: bool) -> bool:
        last = self._heard.get(name, -1) if seq else -1
        if ends:
            self._heard.pop(name, None)
        else:
            self._heard[name] = max(seq, last)
        if seq > last + 1:
            self._catch_up(name, last)
        return seq == last + 1

    def _catch_up(self, name: Name, after: int) -> None:
        """Send those who listen to an answer what comes after a frame, from its buffer.

        Where there is none they are disconnected: they come back, and are told.
        """
        own = self._delivery.followers(name.owner, name.request_id)
        behind = [sid for sid, _ in list(self.get_participants("/", name.owner)) if sid not in own]
        if not behind:
            return
        state = self._streams.state(name)
        log.warning("%s: frames are missing, sent again to %d", name.request_id, len(behind))
        for sid in behind:
            if state is None:
                self._delivery.cut(sid)
            else:
                self._delivery.resume(sid, name, state, after)


def _is_shared(room: str | None) -> bool:
    """Whether a room is a named one. The owner of its dialogues has the same name."""
    return room is None or room.startswith("room:")
