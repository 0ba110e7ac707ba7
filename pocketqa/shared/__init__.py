"""Several instances of one service: what they share goes through Redis.

Answers are made, kept and sent by the instance that accepted them, with Redis or without. What
others need of them is copied to Redis behind their back; so an instance that has lost Redis goes on
alone, and one that has lost its clients' connections finds their answers there.
"""

from __future__ import annotations

import secrets

from flask_socketio import SocketIO

from ..delivery import Delivery
from ..replay import Memory
from ..running import Running
from .link import OPTIONS, Link
from .others import Others
from .rooms import Rooms
from .streams import Streams

__all__ = ["OPTIONS", "Shared"]


class Shared:
    """This instance's part in what several share.

    Attributes:
        replay: buffers of answers, of all instances.
        elsewhere: the other instances, for `Running`.
        rooms: the Socket.IO server's `client_manager`: frames reach a room wherever it is.

    Args:
        url: of Redis.
        memory: the buffers of answers that are made here.
        keep_s: how long the buffer of an ended answer is kept.
    """

    def __init__(self, url: str, memory: Memory, keep_s: float) -> None:
        instance = secrets.token_hex(8)
        self._link = Link(url)
        self.replay = Streams(self._link, memory, instance, keep_s)
        self.rooms = Rooms(url, self._link, self.replay, instance)
        self.elsewhere = Others(self._link, self.rooms.channel, instance)

    @property
    def state(self) -> str:
        """`open`, or `away` while Redis can't be reached."""
        return "away" if self._link.is_away else "open"

    def start(self, socketio: SocketIO, running: Running, delivery: Delivery) -> None:
        """Take part, from now on."""
        self.rooms.attach(running, delivery)
        socketio.start_background_task(self._link.write)
        socketio.start_background_task(self.elsewhere.beat, self.replay.restore, self.rooms.look)

    def close(self) -> None:
        """Write what still waits: the last frames for those who read elsewhere."""
        self._link.close()
