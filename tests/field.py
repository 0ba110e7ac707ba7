"""A client as they exist in the field, and what its answers must be."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import socketio

QUESTION = "身份证丢了应该怎么办?"
Check = Callable[[dict[str, Any]], None]
"""The fixture `check_frame`: validates a frame's `data`."""


def check_answer(frames: list[dict[str, Any]], sid: str, check_frame: Check) -> None:
    """What every streamed, grounded answer in a private room must be."""
    for seq, frame in enumerate(frames):
        check_frame(frame)
        assert frame["seq"] == seq and frame["room"] == sid
        received = frame["received"]
        assert received["sid"] == received["room"] == received["dialogue"] == sid
        assert received["clue"]["type"] == "知识库依据:"
        passage, score, note = received["clue"]["data"]
        assert "公安机关" in passage and 0 <= float(score) <= 1 and note.startswith("<small>")
        assert received["prompt"].startswith("材料:") and passage in received["prompt"]
        assert len(set(received["alter"])) == 3 and QUESTION not in received["alter"]
        assert received["text"] == QUESTION
    reasons = [frame["finish_reason"] for frame in frames]
    assert reasons[-1] == "stop" and set(reasons[:-1]) == {None} and len(reasons) > 2


async def ask_as_clients_in_the_field_do(
    url: str, stream: bool
) -> tuple[str, list[tuple[float, dict[str, Any]]], str]:
    """AsyncClient, a JSON string right after connecting, a sid of its own invention."""
    client = socketio.AsyncClient()
    frames: list[tuple[float, dict[str, Any]]] = []
    done = asyncio.Event()

    @client.on("CHAT_SS")
    def keep(frame: dict[str, Any]) -> None:
        frames.append((time.monotonic(), frame["data"]))
        if frame["data"]["finish_reason"] is not None:
            done.set()

    await client.connect(url)
    payload = {"text": QUESTION, "sid": "1234567", "upload_id": ""}
    if not stream:
        payload["stream"] = False  # type: ignore[assignment]
    await client.emit("CHAT_CS", json.dumps(payload))
    await asyncio.wait_for(done.wait(), 120)
    await asyncio.sleep(0.2)
    sid, transport = client.get_sid(), client.transport()
    await client.disconnect()
    return sid, frames, transport


def check_spread(frames: list[tuple[float, dict[str, Any]]], least_s: float) -> None:
    """The deltas come over the time of generation, not all at the end."""
    times = [at for at, data in frames if data["delta"]]
    assert times[-1] - times[0] > least_s
    middle = statistics.median(times)
    assert times[0] + 0.2 * least_s < middle < times[-1] - 0.2 * least_s
