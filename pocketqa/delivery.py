"""Sending frames: to an answer's room, and to those who come back and read from a buffer.

Everybody gets each frame once and in order. Whoever has come back follows the answer's buffer, in a
greenlet of its own; what is sent to the room then passes it by, on the instance that it is
connected to. So nobody is both in the room and behind it.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from flask_socketio import SocketIO

from .backlog import Backlogs
from .errors import PocketQAError
from .protocol import EVENTS
from .replay import About, Frame, Name, Replay, State
from .running import Answer

log = logging.getLogger(__name__)

BEHIND_BYTES = 16_384
"""Who has so much unread reads too slowly for a frame a token: deltas are joined."""
JOIN_S = 0.3
"""… but those who read as well wait for no longer than this."""
FRAMES_A_SECOND = 400
"""Of all answers together: where many are given at once, each comes in larger pieces, and the hub
stays free for those who ask."""
GATHERED_S = 0.03
"""Deltas that come within this time are one in any case."""
AHEAD_BYTES = 262_144
"""Who follows a buffer is sent so much before it has been read."""
LINGER_S = 2.0
"""What another instance sent to the room may arrive so long after the buffer has ended."""
BURST = 8
"""Frames of a buffer that are sent before the other greenlets have their turn."""


class Delivery:
    """Rooms, those who follow, and what they have not read yet.

    Args:
        backlog: bytes that a client may leave unread before it is disconnected.
    """

    def __init__(self, socketio: SocketIO, replay: Replay, backlog: int) -> None:
        self._socketio, self._replay = socketio, replay
        self._backlogs = Backlogs(socketio.server, backlog, socketio.start_background_task)
        self._ahead = min(AHEAD_BYTES, backlog // 2)
        self._following: dict[tuple[str, str], dict[str, object]] = {}
        self._speaking: set[Name] = set()

    def open(self, answer: Answer) -> None:
        """Make the buffer of an accepted answer, and let its asker into the room."""
        request = answer.request
        self._following.pop((answer.heard_in, request.request_id), None)
        about = About(EVENTS[request.event], request.room, request.dialogue, answer.heard_in)
        self._replay.open(answer.name, about)
        if request.named_room:
            self.join(request.sid, answer.heard_in)

    def send(self, answer: Answer, frame: Frame) -> None:
        """Send the next frame of an answer."""
        request = answer.request
        if frame["data"]["finish_reason"] is None:
            self._speaking.add(answer.name)
        else:
            self._speaking.discard(answer.name)
        self._replay.append(answer.name, frame)
        self._socketio.emit(
            EVENTS[request.event],
            frame,
            to=answer.heard_in,
            skip_sid=self.followers(answer.heard_in, request.request_id),
        )

    def refuse(self, sid: str, event: str, frame: Frame) -> None:
        """Send the only frame of a request that was not accepted."""
        self._to(sid, EVENTS[event], frame)

    def let_read(self, answer: Answer) -> None:
        """Wait a little where many answers are given, or a reader is behind: meanwhile deltas
        become one."""
        if (pause := len(self._speaking) / FRAMES_A_SECOND) > GATHERED_S:
            self._socketio.sleep(pause)
        end = time.monotonic() + JOIN_S
        while self._is_behind(answer.heard_in) and time.monotonic() < end:
            self._socketio.sleep(0.02)

    def place(self, answer: Answer) -> None:
        """Tell those who wait for an answer how many come before it."""
        request = answer.request
        data = {
            "request_id": request.request_id,
            "room": request.room,
            "position": answer.position,
        }
        self._socketio.emit("QUEUE_SS", {"data": data}, to=answer.heard_in)
        for sid in self.followers(answer.heard_in, request.request_id):
            if not self.is_in(sid, answer.heard_in):
                self._to(sid, "QUEUE_SS", {"data": data})

    def resume(self, sid: str, name: Name, state: State, after: int) -> None:
        """Send connection `sid` what comes after frame `after`, to the end of the answer.

        If it does so already, from now on it is sent from there.
        """
        mark, place = object(), (state.about.heard_in, name.request_id)
        self._following.setdefault(place, {})[sid] = mark
        self._socketio.start_background_task(
            self._follow, sid, name, state.about.event, after, place, mark
        )

    def followers(self, heard_in: str, request_id: str) -> list[str]:
        """Who reads an answer from its buffer: what is sent to its room is not for them."""
        return list(self._following.get((heard_in, request_id), ()))

    def is_heard(self, answer: Answer) -> bool:
        """Whether anybody who is connected here gets an answer's frames."""
        return self.hears(answer.heard_in, answer.request.request_id)

    def hears(self, heard_in: str, request_id: str) -> bool:
        """The same of an answer that may be made by another instance."""
        there = [sid for sid, _ in self._participants(heard_in)]
        return any(map(self.is_connected, [*there, *self.followers(heard_in, request_id)]))

    def is_connected(self, sid: str) -> bool:
        """Whether there is a connection `sid`, and it is not just ending."""
        return bool(self._manager.is_connected(sid, "/"))

    def is_in(self, sid: str, heard_in: str) -> bool:
        """Whether connection `sid` is in a room."""
        return any(other == sid for other, _ in self._participants(heard_in))

    def rooms_of(self, sid: str) -> list[str]:
        """The named rooms that connection `sid` is in, as the server names them."""
        return [room for room in self._manager.get_rooms(sid, "/") if room != sid]

    def join(self, sid: str, heard_in: str) -> None:
        """Let connection `sid` into a named room."""
        if self.is_connected(sid):
            self._manager.enter_room(sid, "/", heard_in)

    def leave(self, sid: str, *, vanished: bool) -> None:
        """Connection `sid` is ending; one that has vanished would block its writer for ever."""
        for followers in self._following.values():
            followers.pop(sid, None)
        if vanished:
            self.cut(sid)

    def cut(self, sid: str) -> None:
        """End a connection at once, whatever it has not read."""
        self._backlogs.drop(self._manager.eio_sid_from_sid(sid, "/"))

    def has_unread(self) -> bool:
        """Whether there is anything that a client has not taken yet."""
        sockets = list(self._socketio.server.eio.sockets)
        return any(self._backlogs.unread_of(engine_sid) for engine_sid in sockets)

    def hang_up(self) -> None:
        """End all connections, so that their clients look for a server again."""
        for engine_sid in list(self._socketio.server.eio.sockets):
            self._backlogs.drop(engine_sid)  # after a goodbye, some would not come back

    def _follow(
        self,
        sid: str,
        name: Name,
        event: str,
        after: int,
        place: tuple[str, str],
        mark: object,
    ) -> None:
        def is_wanted() -> bool:
            return self._following.get(place, {}).get(sid) is mark and self.is_connected(sid)

        try:
            for number, frame in enumerate(self._replay.follow(name, after), 1):
                while is_wanted() and self._backlogs.unread(sid) > self._ahead:
                    self._socketio.sleep(0.02)
                if not is_wanted():
                    return
                self._to(sid, event, frame)
                if number % BURST == 0:
                    self._socketio.sleep(0)
            self._socketio.sleep(LINGER_S)
        except PocketQAError as error:  # it comes back, and is told what it can't have
            log.warning("%s cannot be followed any more: %s", name.request_id, error.code)
            self.cut(sid)
        finally:
            followers = self._following.get(place, {})
            if followers.get(sid) is mark:
                del followers[sid]
            if not followers:
                self._following.pop(place, None)

    def _to(self, sid: str, event: str, data: dict[str, Any]) -> None:
        self._socketio.emit(event, data, to=sid, ignore_queue=True)

    def _is_behind(self, heard_in: str) -> bool:
        return any(
            self._backlogs.unread_of(engine_sid) > BEHIND_BYTES
            for _, engine_sid in self._participants(heard_in)
        )

    def _participants(self, heard_in: str) -> list[tuple[str, str]]:
        return list(self._manager.get_participants("/", heard_in))

    @property
    def _manager(self) -> Any:
        return self._socketio.server.manager
