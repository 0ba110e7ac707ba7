"""JSON of Socket.IO packets, for `SocketIO(json=packets)`.

Chinese goes out as UTF-8, 3 bytes a character instead of the 6 of an escape. A packet whose payload
is broken or nested too deeply keeps its event name and loses its payload, so that the client gets
an error frame instead of silence.
"""

from __future__ import annotations

import json
import re
from typing import Any

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
