"""The model on another server: any that speaks OpenAI's chat completions, behind our interface.

`threading` is used on purpose where the local engine insists on native threads: nothing here
computes. In a process patched by gevent these threads are greenlets, which wait for the server
as all connections do; elsewhere (`pocketqa ask`) they are threads.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import Literal

from . import faults, refusals
from .connection import PROBE_READ_S, Address, Connection
from .generation import EndReason, Generation, Message, Options

log = logging.getLogger(__name__)

RETRY_S = 1.0
"""Pause between two looks at a server that is away."""

MESSAGE_TOKENS = 16
"""What chat templates add to a message, at most: role, marks, and the words before an answer."""


class RemoteEngine:
    """Hands requests on, a bounded number at a time; further ones wait in a bounded line.

    `state` follows the server: `away` while it cannot be reached, `failed` while it refuses us;
    both end by themselves when it answers. All methods may be called from the hub: none blocks it.
    """

    constrains = False
    attends = False
    """Nobody hands our constraints on: what an answer says is checked when it is there."""

    def __init__(
        self,
        address: Address,
        model: str = "",
        *,
        streams: int = 16,
        queue_size: int = 64,
        poll_s: float = 5.0,
        max_prompt_tokens: int = 6000,
    ) -> None:
        """Ask `address` for `model`, by default the first that it lists.

        Args:
            streams: requests that the server has at once.
            queue_size: requests that may wait here.
            poll_s: pause between two looks whether the server is still there.
            max_prompt_tokens: the longest prompt that is made for it; it may have a limit of its
                own, which it does not tell.
        """
        self.state: Literal["loading", "ready", "away", "failed", "closed"] = "loading"
        self.max_prompt_tokens = max_prompt_tokens
        self.failure: BaseException | None = None
        """Why it could not begin; a server that refuses us later may take us again."""
        self._has_been_ready = False
        self._address, self._model = address, model
        self._is_model_given = bool(model)
        self._streams, self._queue_size, self._poll_s = streams, queue_size, poll_s
        # Held for microseconds. Reentrant, because collecting a forgotten request cancels it.
        self._lock = threading.RLock()
        self._waiting: deque[Generation] = deque()
        self._serving: dict[Generation, Connection] = {}
        self._deadlines: dict[Generation, threading.Timer] = {}
        self._threads = 0
        self._served, self._waited_s = 0, 0.0
        self._heard = 0.0  # when the last delta came
        self._look_now = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def stats(self) -> dict[str, float]:
        """What has been done since the start, and what is going on now."""
        return {
            "running": len(self._serving),
            "waiting": len(self._waiting),
            "served": self._served,
            "waited_s": self._waited_s,
        }

    def submit(self, messages: list[Message], options: Options | None = None) -> Generation:
        """Put a request at the end of the line.

        Raises:
            ModelError: `model_unavailable` while the server is away or refuses us.
            RequestError: `queue_full`, with `retry_after_s`.
        """
        self._check_ready()
        generation = Generation(messages, options or Options(), self._withdraw, self._position)
        with self._lock:
            is_free = self._threads < self._streams
            if not is_free and len(self._waiting) >= self._queue_size:
                raise refusals.queue_full(len(self._waiting))
            self._waiting.append(generation)
            self._threads += is_free
        self._set_deadline(generation)
        if is_free:
            threading.Thread(target=self._serve, daemon=True).start()
        return generation

    def count(self, messages: list[Message]) -> int:
        """An upper bound of the tokens of a chat: nobody tells the server's tokenizer.

        A byte of UTF-8 is at most a token for every tokenizer that knows bytes, but that is three
        times too much for Chinese. Those in use take one to 1.5 tokens for a Chinese character or
        two at most for rare ones, at most one for an ASCII character, and four for an emoji.

        Raises:
            ModelError: `model_unavailable`, as `submit` does.
        """
        self._check_ready()
        return sum(MESSAGE_TOKENS + _most_tokens(message["content"]) for message in messages)

    def wait(self) -> None:
        """Wait until the server has answered for the first time, or cannot be reached."""
        while self.state == "loading":
            time.sleep(0.02)

    def close(self, timeout_s: float = 5.0) -> None:
        """Cancel everything and wait for the requests' threads to end."""
        with self._lock:
            self.state = "closed"
        self._look_now.set()
        for generation in [*self._waiting, *self._serving]:
            generation.cancel()
        end = time.monotonic() + timeout_s
        while self._threads and time.monotonic() < end:
            time.sleep(0.01)

    def _check_ready(self) -> None:
        if self.state == "ready":
            return
        raise faults.away() if self.state in ("loading", "away") else refusals.unavailable()

    def _position(self, generation: Generation) -> int:
        with self._lock:
            waits = generation in self._waiting
            return self._waiting.index(generation) + 1 if waits else 0

    def _withdraw(self, generation: Generation) -> None:
        self._end(generation, "abort")

    def _set_deadline(self, generation: Generation) -> None:
        deadline_s = generation.options.deadline_s
        if deadline_s is None:
            return
        late = refusals.deadline_exceeded(deadline_s)
        timer = threading.Timer(deadline_s, self._end, (generation, late))
        timer.daemon = True
        self._deadlines[generation] = timer
        timer.start()

    def _end(self, generation: Generation, reason: EndReason | BaseException) -> None:
        """End a request, once: its thread, its asker and its deadline may all want to."""
        if timer := self._deadlines.pop(generation, None):
            timer.cancel()
        with self._lock:
            if generation in self._waiting:
                self._waiting.remove(generation)
                connection = None
            elif generation in self._serving:
                connection = self._serving.pop(generation)
            else:
                return
            generation.end(reason)
        if connection:
            connection.cut()

    def _serve(self) -> None:
        while (work := self._next()) is not None:
            generation, connection = work
            try:
                end: EndReason | BaseException = self._answer(generation, connection)
            except BaseException as error:  # whatever it is, the request must end
                end = error
            self._end(generation, end)
            connection.close()

    def _next(self) -> tuple[Generation, Connection] | None:
        """The request that has waited longest; None ends the thread."""
        with self._lock:
            if not self._waiting:
                self._threads -= 1
                return None
            generation = self._waiting.popleft()
            self._served += 1
            self._waited_s += time.monotonic() - generation.began
            connection = self._serving[generation] = Connection(self._address)
            return generation, connection

    def _answer(self, generation: Generation, connection: Connection) -> EndReason | BaseException:
        stream = connection.stream(self._model, generation.messages, generation.options)
        has_begun = False
        try:
            while True:
                delta = next(stream)
                self._heard = time.monotonic()
                if delta:
                    has_begun = True
                    self._put(generation, delta)
        except StopIteration as end:
            reason: EndReason = end.value
            return reason
        except Exception as error:
            if generation not in self._serving:  # cut by us
                return "abort"
            return self._explained(error, has_begun)

    def _put(self, generation: Generation, delta: str) -> None:
        with self._lock:
            if generation in self._serving:  # nothing may follow the end
                generation.put(delta)

    def _explained(self, error: Exception, has_begun: bool) -> Exception:
        fault = faults.explain(error, self._address.key, has_begun)
        if fault is None:
            return error
        log.warning("%s: request failed: %s", self._address.url, fault.reason)
        self._look_now.set()
        return fault.error

    def _watch(self) -> None:
        while self.state != "closed":
            self._look()
            self._look_now.wait(self._poll_s if self.state == "ready" else RETRY_S)
            self._look_now.clear()

    def _look(self) -> None:
        """Ask the server for its models, and set the state to what that says."""
        began = time.monotonic()
        connection = Connection(self._address, PROBE_READ_S)
        try:
            names = connection.models()
        except Exception as error:
            fault = faults.explain(error, self._address.key)
            if fault is None:
                self._become("failed", repr(error))
            elif not (fault.is_silence and self._heard > began):  # else it is only busy
                self._become(fault.state, fault.reason)
        else:
            self._choose(names)
        finally:
            connection.close()

    def _choose(self, names: list[str]) -> None:
        if not self._is_model_given:
            self._model = names[0] if names else ""
        if self._model:
            self._become("ready", f"model {self._model}")
        else:
            self._become("away", "it lists no model")

    def _become(self, state: Literal["ready", "away", "failed"], reason: str) -> None:
        with self._lock:
            if self.state == "closed":
                return
            before, self.state = self.state, state
            self._has_been_ready |= state == "ready"
            has_failed = state == "failed" and not self._has_been_ready
            self.failure = faults.refused(self._address.url, reason) if has_failed else None
        if before != state:
            level = logging.INFO if state == "ready" else logging.WARNING
            log.log(level, "the model's server %s: %s, %s", self._address.url, state, reason)


def _most_tokens(text: str) -> int:
    """One for an ASCII character, two for one of the plane that Chinese is in, four for others."""
    wide = sum(char > "\x7f" for char in text)
    return len(text) + wide + 2 * sum(char > "\uffff" for char in text)
