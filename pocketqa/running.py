"""The answers that are being made, and who waits for them."""

from __future__ import annotations

from dataclasses import dataclass, field

from .errors import RequestError
from .protocol import Request
from .services import Cancellation


@dataclass
class Answer:
    """An accepted request whose last frame has not been sent."""

    request: Request
    lang: str
    cancellation: Cancellation = field(default_factory=Cancellation)


class Running:
    """All running answers in the order in which they were accepted; `at_once` are made at once."""

    def __init__(self, per_connection: int, at_once: int = 1) -> None:
        self._per_connection, self._at_once = per_connection, at_once
        self._answers: dict[tuple[str, str], Answer] = {}

    def add(self, answer: Answer) -> int:
        """Accept a request; returns how many answers must end before it is its turn.

        Raises:
            RequestError: `busy` when its connection has its allowed number of answers running,
                `bad_field` when its `request_id` is taken by one of them.
        """
        request = answer.request
        if (request.sid, request.request_id) in self._answers:
            raise RequestError(
                "bad_field",
                "字段 request_id:已有同名的回答正在进行，请换一个",
                "field request_id: an answer of this name is running, choose another",
            )
        if len(self.of(request.sid)) >= self._per_connection:
            raise RequestError(
                "busy",
                f"您已有 {self._per_connection} 个回答正在进行，请等待其完成",
                f"{self._per_connection} of your answers are running: wait for one to end",
            )
        self._answers[request.sid, request.request_id] = answer
        return max(0, len(self._answers) - self._at_once)

    def remove(self, answer: Answer) -> None:
        """Forget an answer whose last frame has been sent."""
        self._answers.pop((answer.request.sid, answer.request.request_id), None)

    def of(self, sid: str) -> list[Answer]:
        """The running answers that connection `sid` asked for."""
        return [answer for answer in self._answers.values() if answer.request.sid == sid]

    def named(self, request_id: str) -> list[Answer]:
        """The running answers of that name; each connection may have one."""
        return [
            answer for answer in self._answers.values() if answer.request.request_id == request_id
        ]
