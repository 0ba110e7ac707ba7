"""A visit to the chat page in a browser: what it shows, sends and complains of."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Locator, Page, WebSocket, expect

QUESTION = "身份证丢了应该怎么办?"
ANSWER = "身份证丢失的,应当向常住户口所在地的公安机关申请补领,并交验居民户口簿。"


@dataclass
class Visit:
    """An open page, and what it asked of the network and said on the console."""

    page: Page
    origin: str
    urls: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    @property
    def composer(self) -> Locator:
        return self.page.locator("#question")

    @property
    def answers(self) -> Locator:
        return self.page.locator("#turns .answer")

    def open(self, path: str = "/") -> Visit:
        self.page.on("request", lambda request: self.urls.append(request.url))
        self.page.on("websocket", self._watch)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda m: m.type != "log" and self.complaints.append(m.text))
        self.page.goto(self.origin + path)
        self.ready()
        return self

    def ready(self) -> None:
        """Wait until a question may be sent."""
        expect(self.page.locator("html")).to_have_attribute("data-asking", "yes", timeout=30_000)

    def ask(self, question: str, state: str = "done") -> Locator:
        """Send a question; its answer, once it is in `state`."""
        n = self.answers.count()
        self.composer.fill(question)
        self.composer.press("Enter")
        answer = self.answers.nth(n)
        expect(answer).to_have_attribute("data-state", state, timeout=15_000)
        return answer

    def _watch(self, socket: WebSocket) -> None:
        self.urls.append(socket.url.replace("ws", "http", 1))
        socket.on("framesent", self._keep)

    def _keep(self, packet: str | bytes) -> None:
        found = re.match(r'42\d*\["((?:CHAT|QA|SUM|GEN)_CS)",(.*)\]$', str(packet), re.DOTALL)
        if found:
            self.events.append(found[1])
            self.sent.append(json.loads(found[2]))
