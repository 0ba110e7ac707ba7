"""`Replay` over several instances: in memory what is made here, in Redis' streams the others'.

An answer has a stream, whose entry `<seq + 1>-1` is the frame `seq`: so no frame is in it twice,
and a gap is seen. The evidence (`received`) is stored with the first frame that has it. The key
`about` says what the answer is; `running` belongs to the maker and dies with it.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from .. import packets
from ..replay import About, Frame, Memory, Name, State, unknown_answer
from .link import Away, Link, key

RUNNING_S = 3_600
"""How long the stream of a running answer is kept after its last frame so far."""
RENEW = 64
"""… which is renewed every so many frames."""
ALIVE_S = 6.0
"""Who has not shown itself for so long is dead."""
BEAT_S = 1.5
WAIT_MS = 1_000
"""A reader waits so long for a frame before it looks whether the maker lives."""
TOGETHER = 64

FORGET = """
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1], KEYS[2]) end
"""
"""Deletes a stream unless another answer has got its name meanwhile."""

LOST = {
    "code": "model_unavailable",
    "message": "生成这个回答的服务器已经停止，回答没有完成，请重新提问 "
    "The server that made this answer has stopped: please ask again",
}

log = logging.getLogger(__name__)


class Streams:
    """The buffers of all instances' answers.

    Args:
        memory: those that are made here. Redis holds for this instance what this holds.
        keep_s: how long an ended one is kept.
    """

    def __init__(self, link: Link, memory: Memory, instance: str, keep_s: float) -> None:
        self._link, self._memory, self._instance = link, memory, instance
        self._keep_ms = max(1, int(keep_s * 1_000))
        self._about: dict[Name, str] = {}
        self._evidence: dict[Name, tuple[object, int]] = {}
        memory.forgotten = self._forget

    @property
    def nbytes(self) -> int:
        """Memory for the answers of this instance; Redis has about as much."""
        return self._memory.nbytes

    def open(self, name: Name, about: About) -> None:
        """See `Replay.open`."""
        self._memory.open(name, about)
        said = {**asdict(about), "by": self._instance, "run": secrets.token_hex(8)}
        self._about[name] = packets.dumps(said)
        self._begin(name)

    def append(self, name: Name, frame: Frame) -> None:
        """See `Replay.append`."""
        self._memory.append(name, frame)
        self._add(name, frame)

    def state(self, name: Name) -> State | None:
        """See `Replay.state`."""
        here = self._memory.state(name)
        if here is not None and self._is_ours(name, here):
            return here
        try:
            about, last = self._link.call(lambda client: _look(client, name))
        except Away:
            return here
        if about is None:
            return None
        seq, ended = (-1, False) if last is None else (_seq(last), b"end" in last[1])
        return State(_about(about), seq, ended)

    def follow(self, name: Name, after: int) -> Iterator[Frame]:
        """See `Replay.follow`. What a dead instance left ends with an error."""
        here = self._memory.state(name)
        if here is not None and self._is_ours(name, here):
            yield from self._memory.follow(name, after)
            return
        try:
            yield from self._follow(name, after)
        except Away:
            raise unknown_answer() from None

    def restore(self) -> None:
        """Write what Redis has lost of the answers that are being made here."""
        for name in list(self._about):
            state = self._memory.state(name)
            if state is not None and not state.ended:
                self._begin(name)
                for frame in self._memory.held(name):
                    self._add(name, frame)

    def is_running(self, name: Name) -> bool:
        """Whether some instance that lives makes this answer; also where that is not known yet.

        Raises:
            Away: Redis does not say.
        """
        shown = self._link.call(lambda client: client.exists(key("running", name)))
        return bool(shown) or time.monotonic() - self._link.well_since < 2 * BEAT_S

    def _begin(self, name: Name) -> None:
        self._evidence.pop(name, None)
        self._link.put("DEL", key("frames", name))
        self._link.put("SET", key("about", name), self._about[name], "EX", RUNNING_S)

    def _add(self, name: Name, frame: Frame) -> None:
        data = frame["data"]
        seq, received = data["seq"], data["received"]
        rest = packets.dumps({part: data[part] for part in data if part != "received"})
        fields: list[str | int] = ["data", rest]
        known, at = self._evidence.get(name, (None, 0))
        if received and received is not known:
            self._evidence[name] = (received, seq)
            fields += ["received", packets.dumps(received)]
        elif received:
            fields += ["as", at]
        if data["finish_reason"] is not None:
            fields += ["end", 1]
        frames = key("frames", name)
        self._link.put("XADD", frames, f"{seq + 1}-1", *fields)
        if data["finish_reason"] is not None:
            self._evidence.pop(name, None)
            self._link.put("PEXPIRE", frames, self._keep_ms)
            self._link.put("PEXPIRE", key("about", name), self._keep_ms)
        elif seq % RENEW == 0:
            self._link.put("EXPIRE", frames, RUNNING_S)
            self._link.put("EXPIRE", key("about", name), RUNNING_S)

    def _forget(self, name: Name) -> None:
        about = self._about.pop(name, None)
        if about is not None:
            self._link.put("EVAL", FORGET, 2, key("about", name), key("frames", name), about)

    def _is_ours(self, name: Name, here: State) -> bool:
        """Whether the answer of that name is this instance's, and not a later one of another."""
        if not here.ended:
            return True
        try:
            about = self._link.call(lambda client: client.get(key("about", name)))
        except Away:
            return True
        return about is None or about.decode() == self._about.get(name)

    def _follow(self, name: Name, after: int) -> Iterator[Frame]:
        about, last = self._link.call(lambda client: _look(client, name))
        if about is None:
            raise unknown_answer()
        at, evidence = max(0, after + 1), _Evidence(self._link, name)
        while not (last is not None and b"end" in last[1] and _seq(last) < at):
            lives = self.is_running(name)
            entries = self._read(name, at, WAIT_MS if lives else None)
            if not entries and not lives:
                yield _lost(name, _about(about), at, evidence.last)
                return
            for entry in entries:
                if _seq(entry) != at:
                    raise unknown_answer()
                last = entry
                yield evidence.frame(entry)
                at += 1

    def _read(self, name: Name, at: int, wait_ms: int | None) -> list[Any]:
        frames = key("frames", name)
        found = self._link.call(lambda client: client.xread({frames: f"{at}-1"}, TOGETHER, wait_ms))
        if isinstance(found, dict):
            found = list(found.items())
        entries: list[Any] = found[0][1] if found else []
        return entries


class _Evidence:
    """Puts frames together again; those with the same `received` share it, as before."""

    def __init__(self, link: Link, name: Name) -> None:
        self._link, self._name = link, name
        self._known: tuple[int, dict[str, Any]] = (-1, {})

    @property
    def last(self) -> dict[str, Any]:
        return self._known[1]

    def frame(self, entry: tuple[bytes, dict[bytes, bytes]]) -> Frame:
        fields = entry[1]
        data = json.loads(fields[b"data"])
        if b"received" in fields:
            self._known = (_seq(entry), json.loads(fields[b"received"]))
        elif b"as" in fields and int(fields[b"as"]) != self._known[0]:
            self._find(int(fields[b"as"]))
        has_some = b"received" in fields or b"as" in fields
        return {"data": {**data, "received": self._known[1] if has_some else {}}}

    def _find(self, seq: int) -> None:
        id, frames = f"{seq + 1}-1", key("frames", self._name)
        entries = self._link.call(lambda client: client.xrange(frames, id, id))
        if not entries:
            raise unknown_answer()
        self._known = (seq, json.loads(entries[0][1][b"received"]))


def _look(client: Any, name: Name) -> tuple[bytes | None, Any]:
    pipe = client.pipeline(transaction=False)
    pipe.get(key("about", name))
    pipe.xrevrange(key("frames", name), count=1)
    about, last = pipe.execute()
    return about, last[0] if last else None


def _seq(entry: tuple[bytes, Any]) -> int:
    return int(entry[0].split(b"-")[0]) - 1


def _about(said: bytes) -> About:
    fields = json.loads(said)
    return About(fields["event"], fields["room"], fields["dialogue"], fields["heard_in"])


def _lost(name: Name, about: About, seq: int, received: dict[str, Any]) -> Frame:
    """The last frame of an answer whose maker is dead."""
    data = {
        "room": about.room,
        "delta": "",
        "finish_reason": "error",
        "received": received,
        "request_id": name.request_id,
        "seq": seq,
        "error": LOST,
    }
    return {"data": data}
