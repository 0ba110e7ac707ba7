"""What has been sent of each answer, so that it can be sent again: to a reader who comes back.

Each answer has a buffer, named by its owner and its request id: nobody finds it without both. It is
kept a while after the answer's end, and all of them together take a bounded amount of memory.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from . import packets
from .errors import RequestError

Frame = dict[str, Any]

FRAME_BYTES = 100
"""What a frame takes in memory beside its text."""


class Name(NamedTuple):
    """Names an answer: `Key.owner` of its dialogue, and its request id."""

    owner: str
    request_id: str


@dataclass(frozen=True)
class About:
    """What somebody who comes back must know of an answer.

    Attributes:
        event: of its frames, such as `CHAT_SS`.
        room: as its frames say it.
        dialogue: likewise.
        heard_in: the room that they are sent to, as the server names it.
    """

    event: str
    room: str
    dialogue: str
    heard_in: str


@dataclass(frozen=True)
class State:
    """How far an answer has come: `seq` of its last frame so far, -1 before the first."""

    about: About
    seq: int
    ended: bool


class Replay(Protocol):
    """The buffers of all answers. Frames are those of `protocol.frames`, numbered from 0.

    The `received` of an answer's frames is one and the same object as long as nothing in it
    changes: whoever stores frames stores it once.
    """

    def open(self, name: Name, about: About) -> None:
        """Begin the buffer of an answer that has been accepted; an ended one of its name goes."""
        ...

    def append(self, name: Name, frame: Frame) -> None:
        """Add a frame, before it is sent; one with a `finish_reason` is the last."""
        ...

    def state(self, name: Name) -> State | None:
        """How far it has come; None where there is none, or none any more."""
        ...

    def follow(self, name: Name, after: int) -> Iterator[Frame]:
        """The frames with `seq > after`, in order and as they come; ends after the last one.

        Raises:
            RequestError: `unknown_answer` where there is none, and where frames that were asked
                for are gone.
        """
        ...


def unknown_answer() -> RequestError:
    """The error for an answer that can't be sent again."""
    return RequestError(
        "unknown_answer",
        "没有这个可以继续接收的回答；请从对话记录中读取",
        "no such answer can be resumed: read it in the dialogue's history",
    )


@dataclass
class _Buffer:
    """The frames of an answer, each a JSON text without its `received`.

    As texts they cost the garbage collector nothing, which would look through hundreds of thousands
    of dictionaries otherwise, while everything else waits.
    """

    about: About
    frames: deque[str] = field(default_factory=deque)
    first: int = 0
    """`seq` of `frames[0]`: those before have been dropped."""
    received: list[tuple[int, Any]] = field(default_factory=list)
    """What frames from a `seq` on say they have received."""
    sizes: deque[int] = field(default_factory=deque)
    size: int = 0
    ended: float | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def next(self) -> int:
        return self.first + len(self.frames)

    def add(self, frame: Frame) -> None:
        data = frame["data"]
        received, size = data["received"], FRAME_BYTES
        before = self.received[-1][1] if self.received else None
        if before is None or received is not before and (received or before):
            self.received.append((self.next, received))
            size += len(packets.dumps(received).encode("utf-8", "surrogatepass"))
        text = packets.dumps({**data, "received": None})
        self.frames.append(text)
        self.sizes.append(size + sys.getsizeof(text))
        self.size += self.sizes[-1]
        if data["finish_reason"] is not None:
            self.ended = time.monotonic()

    def drop_first(self) -> None:
        self.frames.popleft()
        self.size -= self.sizes.popleft()
        self.first += 1

    def get(self, seq: int) -> Frame:
        if seq < self.first:
            raise unknown_answer()
        data = packets.loads(self.frames[seq - self.first])
        data["received"] = next(each for since, each in reversed(self.received) if since <= seq)
        return {"data": data}


class Memory:
    """`Replay` in this process.

    Args:
        limit: bytes of all buffers together; the one that ended first is forgotten first. Where
            only running ones are left, the largest of them loses its first frames.
        keep_s: how long an ended one is kept.

    Attributes:
        forgotten: called with the name of each ended one that is forgotten for these.
    """

    def __init__(self, limit: int, keep_s: float) -> None:
        self._limit, self._keep_s = limit, keep_s
        self.forgotten: Callable[[Name], None] | None = None
        self._size = 0
        self._running: dict[Name, _Buffer] = {}
        self._ended: OrderedDict[Name, _Buffer] = OrderedDict()
        self._lock = threading.RLock()

    @property
    def nbytes(self) -> int:
        """What the buffers take of its memory."""
        return self._size

    def open(self, name: Name, about: About) -> None:
        """See `Replay.open`."""
        with self._lock:
            self._forget(self._ended.pop(name, None))
            self._running[name] = _Buffer(about)
            self._forget_old()

    def append(self, name: Name, frame: Frame) -> None:
        """See `Replay.append`."""
        with self._lock:
            buffer = self._running[name]
            before = buffer.size
            with buffer.changed:
                buffer.add(frame)
                buffer.changed.notify_all()
            self._size += buffer.size - before
            self._forget_old()
            if buffer.ended is not None:
                self._ended[name] = self._running.pop(name)

    def state(self, name: Name) -> State | None:
        """See `Replay.state`."""
        with self._lock:
            self._forget_old()
            buffer = self._running.get(name) or self._ended.get(name)
        return State(buffer.about, buffer.next - 1, buffer.ended is not None) if buffer else None

    def follow(self, name: Name, after: int) -> Iterator[Frame]:
        """See `Replay.follow`."""
        with self._lock:
            self._forget_old()
            buffer = self._running.get(name) or self._ended.get(name)
        if buffer is None:
            raise unknown_answer()
        at = max(0, after + 1)
        while True:
            with buffer.changed:
                while at >= buffer.next and buffer.ended is None:
                    buffer.changed.wait()
                if at >= buffer.next:
                    return
                frame = buffer.get(at)
            yield frame
            at += 1

    def held(self, name: Name) -> list[Frame]:
        """The frames of a running answer that are there."""
        with self._lock:
            buffer = self._running.get(name)
            return [buffer.get(seq) for seq in range(buffer.first, buffer.next)] if buffer else []

    def _forget_old(self) -> None:
        """Keep to the limits of time and memory."""
        late = time.monotonic() - self._keep_s
        while self._ended:
            oldest = next(iter(self._ended.values()))
            assert oldest.ended is not None
            if oldest.ended > late and self._size <= self._limit:
                return
            name, oldest = self._ended.popitem(last=False)
            self._forget(oldest)
            if self.forgotten:
                self.forgotten(name)
        while self._size > self._limit:
            largest = max(self._running.values(), key=lambda each: each.size)
            if len(largest.frames) <= 1:
                return
            self._size -= largest.sizes[0]
            largest.drop_first()

    def _forget(self, buffer: _Buffer | None) -> None:
        """Its frames go also for those who are still reading them: the limit holds for all."""
        if buffer is not None:
            self._size -= buffer.size
            while buffer.frames:
                buffer.drop_first()
