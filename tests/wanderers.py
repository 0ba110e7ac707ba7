"""Clients that drop, reload, stop and resume at random, and check every frame that comes."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import socketio

PATIENCE_S = 90.0
"""How long the last frame of an answer may take."""
WAYS = ("listen", "listen", "listen", "drop", "reload", "stop", "poll")
"""What a client does with an answer; `reload` forgets all but what a page keeps."""


@dataclass
class Tally:
    """What was seen by all clients together."""

    answers: int = 0
    resumed: int = 0
    stopped: int = 0
    dropped: int = 0
    """Connections that ended without the client's doing."""
    acks: list[float] = field(default_factory=list)
    """Seconds until each acknowledgement."""
    faults: list[str] = field(default_factory=list)
    """What must not happen: lost, doubled, disordered, foreign or incomplete."""


class Wanderer:
    """One person with a browser that is not to be relied upon."""

    def __init__(self, url: str, number: int, tally: Tally, room: str = "") -> None:
        self._url, self._number, self._tally, self._room = url, number, tally, room
        self._random = random.Random(number)
        self._frames: dict[str, list[dict[str, Any]]] = {}
        self._own: set[str] = set()
        self._wake = asyncio.Event()
        self._sio = socketio.AsyncClient()

    async def wander(self, until: float, expected: str | None) -> None:
        """Ask, and be unreliable, until then.

        Args:
            expected: the answer, with `{}` for the question's mark; None where it isn't known.
        """
        await self._connect()
        while time.monotonic() < until:
            await self._ask(expected)
            await asyncio.sleep(self._random.uniform(0.2, 2.0))
        await self._leave()

    async def _ask(self, expected: str | None) -> None:
        mark = uuid.uuid4().hex[:12]
        request: dict[str, Any] = {
            "text": f"标记{mark}，请写", "request_id": mark, "received": "ends",
        }  # fmt: skip
        if self._room:
            request["room"] = self._room
        self._frames = {mark: []}
        self._own.add(mark)
        if not self._sio.connected:
            self._tally.dropped += 1
            await self._connect()
        way = self._way = self._random.choice(WAYS)
        ack = await self._call("GEN_CS", request)
        if not ack.get("ok"):
            self._fault(mark, f"refused: {ack}")
            return
        token, stopped = ack["token"], False
        if way == "stop":
            await self._some(mark)
            stopped = bool((await self._call("STOP_CS", {"request_id": mark})).get("ok"))
            self._tally.stopped += stopped
        elif way in ("drop", "reload", "poll"):
            await self._some(mark)
            seen = len(self._frames[mark])
            await self._vanish()
            if way == "reload":  # the page begins anew, and asks for all of it
                self._frames[mark] = []
            await asyncio.sleep(self._random.uniform(0, 3))
            await self._connect("polling" if way == "poll" else "websocket")
            await self._resume(mark, token, len(self._frames[mark]) - 1)
            self._tally.resumed += seen > 0
        await self._end(mark, token)
        self._check(mark, expected and expected.format(mark), stopped)

    async def _resume(self, mark: str, token: str, after: int) -> None:
        wanted: dict[str, Any] = {"request_id": mark, "after": after, "token": token}
        if self._room:
            wanted["room"] = self._room
        ack = await self._call("RESUME_CS", wanted)
        if not ack.get("ok"):
            self._fault(mark, f"not resumed: {ack}")

    async def _call(self, event: str, payload: dict[str, Any]) -> dict[str, Any]:
        began = time.monotonic()
        ack: dict[str, Any] = await self._sio.call(event, payload, timeout=PATIENCE_S)
        self._tally.acks.append(time.monotonic() - began)
        return ack

    async def _connect(self, transport: str = "websocket") -> None:
        self._sio = socketio.AsyncClient(reconnection=False)
        self._sio.on("GEN_SS", self._keep)
        self._sio.on("disconnect", lambda *_: self._wake.set())
        await self._sio.connect(self._url, transports=[transport], wait_timeout=PATIENCE_S)

    async def _vanish(self) -> None:
        """Lose the connection; every other time without a word to the server."""
        websocket = self._sio.eio.ws
        if websocket is not None and self._random.random() < 0.5:
            await websocket.close()
        await self._leave()

    async def _leave(self) -> None:
        """Disconnect, and close what the library leaves open."""
        await self._sio.disconnect()
        session = self._sio.eio.http
        if session is not None and not session.closed:
            await session.close()

    async def _keep(self, frame: dict[str, Any]) -> None:
        data = frame["data"]
        mark = data["request_id"]
        if mark in self._frames:
            self._frames[mark].append(data)
        elif mark not in self._own and not self._room:
            self._fault(mark, f"foreign frame at client {self._number}: {data['delta']!r}")
        self._wake.set()

    async def _some(self, mark: str) -> None:
        """Wait for a few frames."""
        wanted = self._random.randrange(6)
        await self._until(lambda: len(self._frames[mark]) >= wanted or self._is_over(mark))

    async def _end(self, mark: str, token: str) -> None:
        await self._until(lambda: self._is_over(mark) or not self._sio.connected)
        if not self._is_over(mark) and not self._sio.connected:
            self._tally.dropped += 1
            await self._connect()
            await self._resume(mark, token, len(self._frames[mark]) - 1)
        if not await self._until(lambda: self._is_over(mark)):
            self._fault(mark, f"{self._way}: no last frame, {len(self._frames[mark])} came")

    def _is_over(self, mark: str) -> bool:
        return any(data["finish_reason"] for data in self._frames[mark])

    async def _until(self, condition: Any) -> bool:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), max(0.01, end - time.monotonic()))
            except asyncio.TimeoutError:
                return False
        return True

    def _check(self, mark: str, expected: str | None, stopped: bool) -> None:
        frames = self._frames[mark]
        self._tally.answers += 1
        places = [data["seq"] for data in frames]
        if places != list(range(len(places))):
            self._fault(mark, f"frames {places}")
        said = "".join(data["delta"] for data in frames)
        reason = frames[-1]["finish_reason"] if frames else None
        known = expected if expected is not None else said
        is_right = said == known if reason == "stop" else known.startswith(said)
        reasons = ["stop", *["abort"] * stopped, *["length"] * (expected is None)]
        if not is_right or reason not in reasons:
            self._fault(mark, f"{reason}: {said!r}")

    def _fault(self, mark: str, what: str) -> None:
        self._tally.faults.append(f"client {self._number}, {mark}: {what}")


async def wander(
    url: str, clients: int, seconds: float, expected: str | None, rooms: int = 0
) -> Tally:
    """So many clients for so long; the last `2 * rooms` of them share a room two by two."""
    tally, until = Tally(), time.monotonic() + seconds
    people = [
        Wanderer(url, n, tally, f"hall-{n // 2}" if n >= clients - 2 * rooms else "")
        for n in range(clients)
    ]

    async def come(person: Wanderer, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        await person.wander(until, expected)

    await asyncio.gather(*(come(person, n * 0.02) for n, person in enumerate(people)))
    return tally
