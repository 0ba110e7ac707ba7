"""People who talk to a server, one of whom must get nothing: connections, requests, a victim."""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import socketio
from itsdangerous import URLSafeSerializer
from nginx import Service
from socketio.exceptions import ConnectionError as Refused

from pocketqa.client import upload
from pocketqa.identity import COOKIE

SECRET = "what only the attacked server knows, and signs with"
Reply = dict[str, Any]


def http_request(
    server: Service,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> tuple[int, dict[str, str], str]:
    """Status, headers and body, with the path as it is: nothing is normalised on the way."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        return response.status, dict(response.getheaders()), text
    finally:
        connection.close()


def new_cookie(server: Service) -> str:
    """The cookie that the page gives a new browser."""
    _, headers, _ = http_request(server, "GET", "/")
    value = headers["Set-Cookie"].partition(";")[0]
    assert value.startswith(f"{COOKIE}=")
    return value.removeprefix(f"{COOKIE}=")


class Person:
    """One connection; keeps whatever the server sends."""

    def __init__(
        self,
        server: Service,
        *,
        cookie: str = "",
        auth: Any = None,
        origin: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.came: list[tuple[str, Any]] = []
        self._changed = threading.Condition()
        options = {"origin": origin} if origin else {"suppress_origin": True}
        self.sio = socketio.Client(reconnection=False, websocket_extra_options=options)
        self.sio.on("*", self._keep)
        self.refusal: Any = None
        self.sio.on("connect_error", self._refused)
        sent = {**(headers or {}), **({"Cookie": f"{COOKIE}={cookie}"} if cookie else {})}
        try:
            self.sio.connect(server.url, sent, auth, transports=["websocket"])
        except (Refused, ValueError) as refusal:  # ValueError: an upgrade that is closed at once
            self.refusal = self.refusal or str(refusal)
        self._socket = self.sio.eio.ws.sock if self.sio.eio.ws else None

    @property
    def sid(self) -> str:
        return str(self.sio.get_sid())

    def _keep(self, event: str, *args: Any) -> None:
        with self._changed:
            self.came.append((event, args))
            self._changed.notify_all()

    def _refused(self, reason: Any) -> None:
        self.refusal = reason

    def call(self, event: str, payload: Any) -> Reply:
        """Send, and return the acknowledgement."""
        reply: Reply = self.sio.call(event, payload, timeout=20)
        return reply

    def frames(self, request_id: str) -> list[dict[str, Any]]:
        with self._changed:
            datas = [args[0]["data"] for event, args in self.came if event.endswith("_SS")]
        return [data for data in datas if data["request_id"] == request_id]

    def ended(self, request_id: str, timeout: float = 30) -> dict[str, Any]:
        """The last frame of an answer."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.last(request_id), timeout), self.came
        last = self.last(request_id)
        assert last is not None
        return last

    def last(self, request_id: str) -> dict[str, Any] | None:
        """The last frame of an answer, if it has come."""
        for event, args in self.came:
            if event.endswith("_SS") and "finish_reason" in args[0]["data"]:
                data: dict[str, Any] = args[0]["data"]
                if data["request_id"] == request_id and data["finish_reason"]:
                    return data
        return None

    def ask(self, text: str, **fields: Any) -> Reply:
        """Ask, and wait for the end; the acknowledgement."""
        reply = self.call("CHAT_CS", {"text": text, **fields})
        if reply["ok"]:
            self.ended(reply["request_id"])
        return reply

    def everything(self) -> str:
        """All that the server has sent here, as text."""
        with self._changed:
            return json.dumps([self.came, self.refusal], ensure_ascii=False, default=str)

    def close(self) -> None:
        """Disconnect, and close what the library leaves open."""
        self.sio.disconnect()
        if self._socket is not None:
            self._socket.close()


@dataclass
class Victim:
    """A browser, a program with a token, and a room, each with what nobody else may read.

    `mark` is in every question that was asked; it must never reach an attacker.
    """

    server: Service
    mark: str = field(default_factory=lambda: f"记号{uuid.uuid4().hex}")
    room: str = field(default_factory=lambda: f"大厅-Ä-{uuid.uuid4().hex}")

    def __post_init__(self) -> None:
        self.cookie = new_cookie(self.server)
        self.browser = Person(self.server, cookie=self.cookie)
        self.program = Person(self.server)
        self.gone = Person(self.server)
        self.token = self._asks(self.program)["token"]
        self.dead_sid = self.gone.sid
        self.dead = self._asks(self.gone)
        self.gone.close()
        self.past = self._asks(self.browser, dialogue="办理身份证")
        self.shared = self._asks(self.browser, dialogue="给朋友看的")
        self.in_room = self._asks(self.browser, room=self.room, dialogue="共同的")
        data = f"停车规定\n\n{self.mark}停车每小时五元。".encode()
        self.upload_id = upload(self.server.url, "停车.txt", data)["upload_id"]
        self.running: Reply = {}

    def begin(self) -> None:
        """Ask something that takes long to answer."""
        text = f"居住证怎么办? 请说个不停 {self.mark}"
        self.running = self.browser.call("CHAT_CS", {"text": text, "dialogue": "正在回答"})
        assert self.running["ok"]

    def _asks(self, person: Person, **fields: Any) -> Reply:
        reply = person.ask(self.mark, **fields)
        assert reply["ok"], reply
        return reply

    def turns(self, person: Person | None = None, **named: Any) -> list[dict[str, Any]]:
        """What the victim itself reads of a dialogue."""
        reply = (person or self.browser).call("HISTORY_CS", named)
        assert reply["ok"], reply
        turns: list[dict[str, Any]] = reply["turns"]
        return turns

    def check_unharmed(self) -> None:
        """Everything is as it was, and the running answer goes on until its asker stops it."""
        assert self.mark in json.dumps(self.turns(dialogue="办理身份证"), ensure_ascii=False)
        for dialogue, more in (
            ("办理身份证", {}),
            ("给朋友看的", {}),
            ("共同的", {"room": self.room}),
        ):
            (turn,) = self.turns(dialogue=dialogue, **more)
            assert turn["vote"] in ("", None) and turn["state"] == "stop", turn
        request_id = self.running["request_id"]
        assert self.browser.last(request_id) is None, "somebody stopped it"
        assert self.browser.call("STOP_CS", {"request_id": request_id})["ok"]
        assert self.browser.ended(request_id)["finish_reason"] == "abort"
        frames = self.browser.frames(request_id)
        assert [frame["seq"] for frame in frames] == list(range(len(frames)))
        titles = {each["dialogue"] for each in self.browser.call("DIALOGUES_CS", {})["dialogues"]}
        assert titles == {"办理身份证", "给朋友看的", "正在回答"}
        summary = {"upload_id": self.upload_id, "dialogue": "正在回答"}
        asked = self.browser.call("SUM_CS", summary)
        assert asked["ok"], "the upload is still there"
        self.browser.call("STOP_CS", {"request_id": asked["request_id"]})

    def close(self) -> None:
        for person in (self.browser, self.program):
            person.close()


def forged(owner: str, dialogue: str, secret: str = "guessed", salt: str = "dialogue") -> str:
    """A token as the server would sign it, if this were its secret."""
    return str(URLSafeSerializer(secret, salt=salt).dumps([owner, dialogue]))


def is_refused(reply: object) -> bool:
    """Whether an acknowledgement says no, with a code and a reason in words."""
    if not isinstance(reply, dict) or reply.get("ok") is not False:
        return False
    error = reply["error"]
    return bool(error["code"] and error["message"]) and "Traceback" not in error["message"]


def settle() -> None:
    """Give what must not come the time to come."""
    time.sleep(0.25)
