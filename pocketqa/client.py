"""Asks a running server over Socket.IO, of a file too, and hands over its frames."""

from __future__ import annotations

import asyncio
import json
import secrets
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import socketio
from aiohttp import ClientSession
from socketio.exceptions import ConnectionError as CannotConnect

from .errors import PocketQAError
from .protocol import EVENTS

UPLOAD_S = 300.0
ACK_S = 30.0
"""How long a server may take for an acknowledgement."""
AGAIN_S = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Pauses before a connection that broke is tried again."""


def ask(
    url: str,
    request: dict[str, Any],
    event: str,
    show: Callable[[dict[str, Any]], None],
    tell: Callable[[str, dict[str, Any]], None] = lambda what, data: None,
    key: str = "",
) -> str:
    """Send `request` as `event` and call `show` with each frame; returns the last `finish_reason`.

    When the connection breaks, another one is made and the answer goes on from there.

    Args:
        tell: called with `acknowledged` and the acknowledgement, with `waiting` and the answer's
            place in the line, and with `resumed` and that acknowledgement.
        key: an API key; empty for none.

    Raises:
        PocketQAError: `cannot_connect`; `disconnected` where the answer can't be had any more.
    """
    request = {"request_id": uuid.uuid4().hex, **request}
    answer = _Answer(request["request_id"], show, tell)
    return asyncio.run(_ask(url, key, event, request, answer))


def resume(
    url: str,
    named: dict[str, Any],
    show: Callable[[dict[str, Any]], None],
    tell: Callable[[str, dict[str, Any]], None] = lambda what, data: None,
    key: str = "",
) -> str:
    """Go on with an answer that somebody asked for: `named` is what `RESUME_CS` takes.

    Raises:
        PocketQAError: as for `ask`; the server's own, such as `unknown_answer`.
    """
    answer = _Answer(named["request_id"], show, tell, seen=named.get("after", -1))
    return asyncio.run(_read_on(url, key, named, answer))


def call(url: str, event: str, payload: dict[str, Any], key: str = "") -> dict[str, Any]:
    """Send a control event; its acknowledgement.

    Raises:
        PocketQAError: `cannot_connect`, or the server's own error.
    """
    return asyncio.run(_call(url, key, event, payload))


def upload(
    url: str, filename: str, data: bytes, timeout: float = UPLOAD_S, key: str = ""
) -> dict[str, Any]:
    """Send a file to the server at `url`; what it says of the upload, `upload_id` and so on.

    Raises:
        PocketQAError: `cannot_connect`, or the server's own error.
    """
    boundary = secrets.token_hex(16)
    name = filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    try:
        with urlopen(Request(f"{url}/upload", body, headers), timeout=timeout) as answer:
            said: dict[str, Any] = json.load(answer)
            return said
    except HTTPError as refused:
        with refused:
            raise _refused(refused.status or 0, refused.read()) from None
    except URLError as error:
        raise _cannot_connect(url, error.reason) from error


def _refused(status: int, body: bytes) -> PocketQAError:
    try:
        return _said(json.loads(body)["error"], status=status)
    except (ValueError, KeyError, TypeError):
        return PocketQAError("internal", f"HTTP {status}", f"HTTP {status}", status=status)


def _said(error: dict[str, Any], **details: object) -> PocketQAError:
    """The server's own error, which it has said in one language."""
    return PocketQAError(error["code"], error["message"], error["message"], **details)


def _cannot_connect(url: str, error: object) -> PocketQAError:
    return PocketQAError(
        "cannot_connect",
        f"无法连接 {url}:{error}；服务是否已启动?",
        f"cannot connect to {url}: {error}; is the server running?",
    )


class _Answer:
    """The frames of one answer, over as many connections as it takes."""

    def __init__(
        self,
        request_id: str,
        show: Callable[[dict[str, Any]], None],
        tell: Callable[[str, dict[str, Any]], None],
        seen: int = -1,
    ) -> None:
        self.request_id, self.tell, self.seen = request_id, tell, seen
        self.ended: asyncio.Future[str] | None = None
        self._show = show

    def frame(self, frame: dict[str, Any]) -> None:
        """A frame has come; a room's others are not looked at."""
        data, ended = frame["data"], self.ended
        if ended is None or ended.done() or data["request_id"] != self.request_id:
            return
        self.seen = data["seq"]
        try:
            self._show(frame)
        except Exception as error:  # socketio would swallow it, and nothing would end
            ended.set_exception(error)
            return
        if data["finish_reason"] is not None:
            ended.set_result(data["finish_reason"])

    def place(self, frame: dict[str, Any]) -> None:
        """It has moved up in the line."""
        if frame["data"]["request_id"] == self.request_id:
            self.tell("waiting", frame["data"])


class _Line:
    """A connection, and its end."""

    def __init__(self, client: socketio.AsyncClient) -> None:
        self._client = client
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        client.on("disconnect", self._end)

    async def call(self, event: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        """Send; the acknowledgement, None where the connection ended first."""
        acked: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        def acknowledge(ack: dict[str, Any]) -> None:
            if not acked.done():
                acked.set_result(ack)

        await self._client.emit(event, payload, callback=acknowledge)
        await asyncio.wait((acked, self.gone), timeout=ACK_S, return_when=asyncio.FIRST_COMPLETED)
        return acked.result() if acked.done() else None

    def _end(self, *_: object) -> None:
        if not self.gone.done():
            self.gone.set_result(None)


@asynccontextmanager
async def _connected(url: str, key: str, answer: _Answer | None = None) -> AsyncIterator[_Line]:
    # The library leaves a session of its own open where the connection fails.
    async with ClientSession() as session:
        client = socketio.AsyncClient(reconnection=False, http_session=session)
        line = _Line(client)
        refused: list[dict[str, Any]] = []
        client.on("connect_error", refused.append)
        if answer is not None:
            for event in EVENTS.values():
                client.on(event, answer.frame)
            client.on("QUEUE_SS", answer.place)
        try:
            await client.connect(url, auth={"key": key} if key else None, transports=["websocket"])
        except CannotConnect as error:
            for said in refused:
                if isinstance(said, dict) and isinstance(said.get("data"), dict):
                    raise _said(said["data"]) from error
            raise _cannot_connect(url, error) from error
        try:
            yield line
        finally:
            await client.disconnect()


async def _ask(url: str, key: str, event: str, request: dict[str, Any], answer: _Answer) -> str:
    answer.ended = ended = asyncio.get_running_loop().create_future()
    named = {"request_id": answer.request_id, "room": request.get("room", "")}
    async with _connected(url, key, answer) as line:
        ack = await line.call(event, request)
        if ack is not None:
            answer.tell("acknowledged", ack)
            if not ack["ok"] and not ended.done():
                raise _said(ack["error"])
            named["token"] = ack.get("token", "")
            await asyncio.wait((ended, line.gone), return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            return await ended
    return await _read_on(url, key, named, answer)


async def _read_on(url: str, key: str, named: dict[str, Any], answer: _Answer) -> str:
    if answer.ended is None:
        answer.ended = asyncio.get_running_loop().create_future()
    ended, lost = answer.ended, _disconnected()
    for pause in (0.0, *AGAIN_S):
        await asyncio.sleep(pause)
        try:
            async with _connected(url, key, answer) as line:
                ack = await line.call("RESUME_CS", {**named, "after": answer.seen})
                if ack is None:
                    continue
                if not ack["ok"]:
                    raise _said(ack["error"])
                answer.tell("resumed", ack)
                if not ack["ended"] or ack["seq"] > answer.seen:
                    await asyncio.wait((ended, line.gone), return_when=asyncio.FIRST_COMPLETED)
                if ended.done():
                    return await ended
                if ack["ended"] and ack["seq"] <= answer.seen:
                    return "stop"
        except PocketQAError as error:
            if error.code != "cannot_connect":
                raise
            lost = error
    raise lost


async def _call(url: str, key: str, event: str, payload: dict[str, Any]) -> dict[str, Any]:
    async with _connected(url, key) as line:
        ack = await line.call(event, payload)
    if ack is None:
        raise _disconnected()
    if not ack["ok"]:
        raise _said(ack["error"])
    return ack


def _disconnected() -> PocketQAError:
    return PocketQAError("disconnected", "连接中断", "the connection broke")
