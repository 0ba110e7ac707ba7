"""`pocketqa client`: asks a running server over Socket.IO, of a file too, hands over its frames."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import socketio
from socketio.exceptions import ConnectionError as CannotConnect

from .errors import PocketQAError
from .protocol import EVENTS

UPLOAD_S = 300.0


def ask(
    host: str,
    port: int,
    text: str,
    event: str,
    show: Callable[[dict[str, Any]], None],
    upload_id: str = "",
) -> str:
    """Send `text` as `event` and call `show` with each frame; returns the last `finish_reason`.

    Raises:
        PocketQAError: `cannot_connect`, or `disconnected` when the server went in mid-answer.
    """
    request = {"text": text, "upload_id": upload_id} if upload_id else {"text": text}
    return asyncio.run(_ask(f"http://{host}:{port}", request, event, show))


def upload(url: str, filename: str, data: bytes, timeout: float = UPLOAD_S) -> dict[str, Any]:
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
        error = json.loads(body)["error"]
        return PocketQAError(error["code"], error["message"], error["message"], status=status)
    except (ValueError, KeyError, TypeError):
        return PocketQAError("internal", f"HTTP {status}", f"HTTP {status}", status=status)


def _cannot_connect(url: str, error: object) -> PocketQAError:
    return PocketQAError(
        "cannot_connect",
        f"无法连接 {url}:{error}；服务是否已启动?",
        f"cannot connect to {url}: {error}; is the server running?",
    )


async def _ask(
    url: str, request: dict[str, Any], event: str, show: Callable[[dict[str, Any]], None]
) -> str:
    client = socketio.AsyncClient(reconnection=False)
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def on_frame(frame: dict[str, Any]) -> None:
        if ended.done():
            return
        try:
            show(frame)
        except Exception as error:  # socketio would swallow it, and nothing would end
            ended.set_exception(error)
            return
        reason = frame["data"]["finish_reason"]
        if reason is not None:
            ended.set_result(reason)

    def on_disconnect(*_: object) -> None:
        if not ended.done():
            ended.set_exception(
                PocketQAError("disconnected", "连接中断", "the server closed the connection")
            )

    client.on(EVENTS[event], on_frame)
    client.on("disconnect", on_disconnect)
    try:
        await client.connect(url, transports=["websocket"])
    except CannotConnect as error:
        raise _cannot_connect(url, error) from error
    try:
        await client.emit(event, request)
        return await ended
    finally:
        await client.disconnect()
