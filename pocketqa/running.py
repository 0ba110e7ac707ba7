"""The answers that are being made, and who waits for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .dialogue import Key
from .errors import ModelError, RequestError
from .protocol import Request
from .replay import Name
from .services import Cancellation

RETRY_AFTER_S = 15
"""What a client is told that asks while the server ends."""


@dataclass
class Answer:
    """An accepted request whose last frame has not been sent.

    Attributes:
        position: what its asker was last told: how many answers must end before its turn.
        unheard_since: since when nobody has listened; None while somebody does.
    """

    request: Request
    key: Key
    lang: str
    cancellation: Cancellation = field(default_factory=Cancellation)
    position: int = 0
    unheard_since: float | None = None

    @property
    def name(self) -> Name:
        """What names its buffer."""
        return Name(self.key.owner, self.request.request_id)

    @property
    def heard_in(self) -> str:
        """The room that its frames go to. A named room's can't be the sid of any connection."""
        return f"room:{self.request.room}" if self.request.named_room else self.request.sid


class Elsewhere(Protocol):
    """The other instances of this service."""

    def claim(self, name: Name) -> bool:
        """Take a name for an answer here; false while another instance makes one of that name."""
        ...

    def release(self, name: Name) -> None:
        """The answer of that name has ended here."""
        ...

    def stop(self, names: Sequence[Name]) -> bool:
        """Ask the others to stop an answer of one of these names; whether one of them makes it."""
        ...

    def stop_dialogue(self, key: Key) -> list[str]:
        """Ask the others to stop what runs in a dialogue; the request ids."""
        ...

    def hears(self, heard_in: str, request_id: str) -> bool:
        """Whether anybody at another instance listens to an answer."""
        ...

    def has(self, sid: str) -> bool:
        """Whether a connection of another instance is called so."""
        ...


class Alone:
    """`Elsewhere` where there is no other instance."""

    def claim(self, name: Name) -> bool:
        """See `Elsewhere.claim`."""
        return True

    def release(self, name: Name) -> None:
        """See `Elsewhere.release`."""

    def stop(self, names: Sequence[Name]) -> bool:
        """See `Elsewhere.stop`."""
        return False

    def stop_dialogue(self, key: Key) -> list[str]:
        """See `Elsewhere.stop_dialogue`."""
        return []

    def hears(self, heard_in: str, request_id: str) -> bool:
        """See `Elsewhere.hears`."""
        return False

    def has(self, sid: str) -> bool:
        """See `Elsewhere.has`."""
        return False


class Running:
    """All running answers in the order in which they were accepted; `at_once` are made at once."""

    def __init__(
        self, per_connection: int, at_once: int = 1, elsewhere: Elsewhere | None = None
    ) -> None:
        self._per_connection, self._at_once = per_connection, at_once
        self._answers: dict[Name, Answer] = {}
        self._is_closed = False
        self.elsewhere: Elsewhere = elsewhere or Alone()

    def __len__(self) -> int:
        return len(self._answers)

    def __iter__(self) -> Iterator[Answer]:
        return iter(list(self._answers.values()))

    def close(self) -> None:
        """Accept no request any more: the server is about to end."""
        self._is_closed = True

    @property
    def is_closed(self) -> bool:
        """Whether no request is accepted any more."""
        return self._is_closed

    def add(self, answer: Answer) -> int:
        """Accept a request; returns how many answers must end before it is its turn.

        Raises:
            ModelError: `model_unavailable` once this is closed.
            RequestError: `busy` when its connection has its allowed number of answers running,
                `bad_field` when its `request_id` is taken by one of them, or of its owner.
        """
        if self._is_closed:
            raise ModelError(
                "model_unavailable",
                f"服务正在重新启动，请 {RETRY_AFTER_S} 秒后再试",
                f"the server is shutting down: try again in {RETRY_AFTER_S} s",
                retry_after_s=RETRY_AFTER_S,
            )
        request, own = answer.request, self.of(answer.request.sid)
        taken = any(other.request.request_id == request.request_id for other in own)
        if taken or answer.name in self._answers:
            raise _taken()
        if len(own) >= self._per_connection:
            raise RequestError(
                "busy",
                f"您已有 {self._per_connection} 个回答正在进行，请等待其完成",
                f"{self._per_connection} of your answers are running: wait for one to end",
            )
        self._answers[answer.name] = answer
        if not self.elsewhere.claim(answer.name):
            del self._answers[answer.name]
            raise _taken()
        answer.position = self._positions()[answer.name]
        return answer.position

    def remove(self, answer: Answer) -> None:
        """Forget an answer whose last frame has been sent."""
        if self._answers.pop(answer.name, None):
            self.elsewhere.release(answer.name)

    def find(self, name: Name) -> Answer | None:
        """The running answer of that name."""
        return self._answers.get(name)

    def of(self, sid: str) -> list[Answer]:
        """The running answers that connection `sid` asked for."""
        return [answer for answer in self if answer.request.sid == sid]

    def named(self, request_id: str) -> list[Answer]:
        """The running answers of that request id; each owner may have one."""
        return [answer for answer in self if answer.request.request_id == request_id]

    def in_dialogue(self, key: Key) -> list[Answer]:
        """What runs in a dialogue."""
        return [answer for answer in self if answer.key == key]

    def moved_up(self, near: int | None = None) -> list[Answer]:
        """Those whose turn is nearer than they were told; from now on they have been told.

        With `near` only those that have no more answers than so many before them.
        """
        moved = []
        for name, position in self._positions().items():
            answer = self._answers[name]
            if position < answer.position and (near is None or position <= near):
                answer.position = position
                moved.append(answer)
        return moved

    def _positions(self) -> dict[Name, int]:
        return {name: max(0, at + 1 - self._at_once) for at, name in enumerate(self._answers)}


def _taken() -> RequestError:
    return RequestError(
        "bad_field",
        "字段 request_id:已有同名的回答正在进行，请换一个",
        "field request_id: an answer of this name is running, choose another",
    )
