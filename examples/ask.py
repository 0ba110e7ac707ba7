"""Ask a PocketQA server: python examples/ask.py 身份证丢了应该怎么办?"""

import asyncio
import json
import sys

import socketio

SERVER = "http://127.0.0.1:6006"


async def ask(text: str) -> None:
    client = socketio.AsyncClient()
    done = asyncio.Event()

    @client.on("CHAT_SS")
    def answer(frame: dict) -> None:
        data = frame["data"]
        print(data["delta"], end="", flush=True)
        if data["finish_reason"] is not None:
            clue = data["received"]["clue"]
            print("\n", clue["type"], *clue["data"], *data["received"]["alter"], sep="\n")
            done.set()

    await client.connect(SERVER, transports=["websocket"])
    await client.emit("CHAT_CS", json.dumps({"text": text}))
    await done.wait()
    await client.disconnect()


asyncio.run(ask(" ".join(sys.argv[1:]) or "身份证丢了应该怎么办?"))
