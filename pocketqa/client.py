"""`pocketqa client`: asks a running server over Socket.IO and hands over its frames."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import socketio
from socketio.exceptions import ConnectionError as CannotConnect

from .errors import PocketQAError
from .protocol import EVENTS


def ask(host: str, port: int, text: str, event: str, show: Callable[[dict[str, Any]], None]) -> str:
    """Send `text` as `event` and call `show` with each frame; returns the last `finish_reason`.

    Raises:
        PocketQAError: `cannot_connect`, or `disconnected` when the server went in mid-answer.
    """
    return asyncio.run(_ask(f"http://{host}:{port}", text, event, show))


async def _ask(url: str, text: str, event: str, show: Callable[[dict[str, Any]], None]) -> str:
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
        raise PocketQAError(
            "cannot_connect",
            f"无法连接 {url}:{error}；服务是否已启动?",
            f"cannot connect to {url}: {error}; is the server running?",
        ) from error
    try:
        await client.emit(event, {"text": text})
        return await ended
    finally:
        await client.disconnect()
