"""Several requests to the model for one answer: one deadline, and stopped together."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from ..engine import Constraint, Generation, Message, Options
from ..engine.refusals import deadline_exceeded
from ..errors import PocketQAError


class Reader(Protocol):
    """What an answer of many requests, or of bounded ones, needs of an engine."""

    @property
    def max_prompt_tokens(self) -> int: ...
    def count(self, messages: list[Message]) -> int: ...
    def submit(self, messages: list[Message], options: Options | None = None) -> Generation: ...


class Stoppable(Protocol):
    """What may be told how to stop an answer; `services.Cancellation` is."""

    def attach(self, stop: Callable[[], None]) -> None: ...


class Stopped(Exception):
    """The asker wants no more, or the engine has closed."""


class Requests:
    """The requests of one answer.

    Args:
        options: how to decode; `deadline_s` holds for all of them together.
        cancellation: is told how to stop them.
    """

    def __init__(self, reader: Reader, options: Options, cancellation: Stoppable) -> None:
        self.reader, self._options = reader, options
        self._began = time.monotonic()
        self._running: list[Generation] = []
        self._is_stopped = False
        cancellation.attach(self.stop)

    def stop(self) -> None:
        """Cancel all; none begins any more."""
        self._is_stopped = True
        for generation in [*self._running]:
            generation.cancel()

    def close(self) -> None:
        """Cancel all and give them back; for the one that asked."""
        self.stop()
        for generation in self._running:
            with suppress(Exception):
                for _ in generation:
                    pass

    def ask(self, messages: list[Message], most_tokens: int, constraint: Constraint) -> Generation:
        """Put a request into the line."""
        if self._is_stopped:
            raise Stopped
        most = min(most_tokens, self._options.max_new_tokens)
        options = replace(
            self._options,
            max_new_tokens=most,
            deadline_s=self._left_s(),
            constraint=constraint,
        )
        generation = self.reader.submit(messages, options)
        self._running.append(generation)
        return generation

    def deltas(self, generation: Generation) -> Generator[str, None, None]:
        """What comes of a request. Left early, it is cancelled."""
        try:
            yield from generation
        except PocketQAError as error:
            if error.code == "deadline_exceeded":
                raise deadline_exceeded(self._options.deadline_s) from None
            raise
        finally:
            generation.cancel()
            self._running.remove(generation)
        if self._is_stopped or generation.finish_reason == "abort":
            raise Stopped

    def _left_s(self) -> float | None:
        deadline_s = self._options.deadline_s
        if deadline_s is None:
            return None
        return max(0.0, self._began + deadline_s - time.monotonic())
