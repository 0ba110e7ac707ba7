"""Socket.IO packets and their JSON, for `SocketIO(json=packets, serializer=packets.Packet)`.

Chinese goes out as UTF-8, 3 bytes a character instead of the 6 of an escape. A packet whose payload
is broken or nested too deeply keeps its event name and loses its payload, so that the client gets
an error frame instead of silence. What is no packet at all is dropped in silence, too: the library
would write a traceback into the log for each.
"""

from __future__ import annotations

import json
import re
from typing import Any

from socketio import packet

RESERVED = ("connect", "disconnect", "__disconnect_final")
"""What the library calls its own events; a client's of that name would be taken for them."""
_EVENT = re.compile(r'\s*\[\s*"(\w{1,40})"')


def dumps(value: object, **_: object) -> str:
    """`value` as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def loads(text: str | bytes, **_: object) -> Any:
    """The value of `text`, or `[event, None]` when only the event's name can be read.

    Raises:
        ValueError: when not even that can be read.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        name = _EVENT.match(text if isinstance(text, str) else text.decode("utf-8", "replace"))
        if name is None:
            raise ValueError("the packet is not JSON") from None
        return [name[1], None]


class Packet(packet.Packet):
    """A packet that does no harm, whatever came.

    The protocol has no binary payloads. The library would collect as many attachments as a client
    announces, without end; so they are taken for lost at once.
    """

    data: Any
    uses_binary_events = False  # it need not look for bytes in each frame

    def __init__(self, *given: Any, **named: Any) -> None:
        if "encoded_packet" in named:
            # The library decodes nothing where nothing came, and takes it for an event.
            named["encoded_packet"] = named["encoded_packet"] or " "
        super().__init__(*given, **named)

    def decode(self, encoded_packet: Any) -> int:
        """Read what came; the number of attachments to wait for: none, ever."""
        try:
            if isinstance(encoded_packet, str):
                super().decode(encoded_packet)
            else:
                self.packet_type = None
        except ValueError:
            self.packet_type = None
        if self.packet_type == packet.BINARY_EVENT:
            self.packet_type = packet.EVENT
            self.data = [*self.data[:1], None] if isinstance(self.data, list) else None
        if self.packet_type not in (packet.CONNECT, packet.DISCONNECT) and not self._is_event():
            # An answer to nothing: the library has no use for it.
            self.packet_type, self.namespace, self.id, self.data = packet.ACK, None, None, None
        return 0

    def _is_event(self) -> bool:
        if self.packet_type != packet.EVENT or not isinstance(self.data, list) or not self.data:
            return False
        return isinstance(self.data[0], str) and self.data[0] not in RESERVED
