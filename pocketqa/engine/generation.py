"""What a request to the engine consists of, and what its asker holds in hand."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypedDict

import numpy as np

from ..threads import Channel
from .network import Network

GATHER_S = 0.03
"""Tokens that come within this time are handed over as one delta."""

EndReason = Literal["stop", "length", "abort"]

_numbers = itertools.count(1)


class Message(TypedDict):
    """A message of a chat, as chat templates take it."""

    role: Literal["system", "user", "assistant"]
    content: str


class Constraint(Protocol):
    """What an answer may say, decided while it is said, token by token.

    Called in the engine's thread, for each token some microseconds long. The same arguments must
    give the same result: the engine asks in what order it likes, and of tokens that it drops.
    """

    def allows(self, said: str, addition: str) -> bool:
        """Whether an answer that began with `said` may go on with `addition`, which may be `''`.

        A character that a token only begins is not in `addition` yet.
        """
        ...

    def may_end(self, said: str) -> bool:
        """Whether an answer may end here."""
        ...


@dataclass(frozen=True)
class Options:
    """How to decode one answer.

    At `temperature` 0 the likeliest token is taken, always; above it, `seed` decides. The answer
    ends before the first of the `stop` texts, and `deadline_s` seconds after it was asked for.
    Tokens that a `constraint` forbids are passed over; where it forbids the `sampling.MOST`
    likeliest, the answer ends with `stop`. It can't help that `length` may cut a number, and a
    remote engine can't apply it: whoever needs what it promises checks the answer afterwards.
    """

    max_new_tokens: int = 320
    temperature: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    deadline_s: float | None = None
    constraint: Constraint | None = None
    attention: bool = False
    """Whether `Generation.attention` is wanted."""


class Model(Protocol):
    """What the engine needs of a language model; `model.LoadedModel` is the real one."""

    network: Network
    end_ids: frozenset[int]
    """Tokens that end an answer."""
    speculative: bool
    """Whether drafts may be verified: several tokens a step must give what one a step gives."""

    max_prompt_tokens: int
    """What `prompt_ids` takes at most."""

    def prompt_ids(self, messages: list[Message]) -> list[int]:
        """Token ids of a chat, ready to be answered. Raises RequestError: `text_too_long`."""
        ...

    def count(self, messages: list[Message]) -> int:
        """How many token ids a chat has, however many; callable from any thread."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, without special tokens."""
        ...

    def spread(self, messages: list[Message], weights: np.ndarray) -> np.ndarray | None:
        """The weights of a prompt's tokens, put on the characters of the last message."""
        ...

    def close(self) -> None:
        """Give back threads and memory."""
        ...


@dataclass(frozen=True)
class _End:
    reason: EndReason | BaseException


class Generation:
    """One request in the engine. Iterate over it once, in one greenlet or thread, for its deltas.

    After the iteration `finish_reason` is `stop`, `length` or `abort`. A fault of the model is
    raised by the iteration, and so is `deadline_exceeded`. Leaving the iteration early cancels the
    request.
    """

    def __init__(
        self,
        messages: list[Message],
        options: Options,
        withdraw: Callable[[Generation], None],
        position: Callable[[Generation], int],
    ) -> None:
        self.messages, self.options = messages, options
        self.cancelled = False
        self.finish_reason: EndReason | None = None
        self.steered = 0
        """How many tokens its constraint has passed over: 0 where it changed nothing."""
        self.attention: np.ndarray | None = None
        """Where it was wanted and the engine can: float32 (characters of the last message,), what
        the first token of the answer was read from."""
        self.number = next(_numbers)
        """Names it in the log."""
        self.began = time.monotonic()
        self._withdraw, self._position = withdraw, position
        self._channel: Channel[str | _End] = Channel(GATHER_S)

    @property
    def position(self) -> int:
        """How many requests come before this one; 0 when it is being served, or has ended."""
        return self._position(self)

    @property
    def is_late(self) -> bool:
        """Whether its deadline has passed."""
        deadline_s = self.options.deadline_s
        return deadline_s is not None and time.monotonic() - self.began >= deadline_s

    def cancel(self) -> None:
        """Stop within one step; at once if the request still waits. Harmless after the end."""
        self.cancelled = True
        self._withdraw(self)

    def __iter__(self) -> Iterator[str]:
        try:
            for batch in self._channel:
                delta = "".join(item for item in batch if isinstance(item, str))
                if delta:
                    yield delta
                if isinstance(batch[-1], _End):
                    self._finish(batch[-1].reason)
                    return
        finally:
            self.cancel()
            self._channel.close()

    def put(self, delta: str) -> None:
        """Hand over a delta; for the model's thread."""
        self._channel.put(delta)

    def end(self, reason: EndReason | BaseException) -> None:
        """Hand over the last thing of this request; for the engine, once."""
        self._channel.put(_End(reason))

    def _finish(self, reason: EndReason | BaseException) -> None:
        if isinstance(reason, BaseException):
            raise reason
        self.finish_reason = reason
