"""The engine: a bounded line of requests before one native thread that owns the model."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from queue import Empty
from typing import Literal

from ..errors import ModelError, PocketQAError, RequestError
from ..threads import NativeQueue, native_lock, start_native_thread
from .generation import EndReason, Generation, Message, Model, Options

log = logging.getLogger(__name__)

RETRY_AFTER_S = 15
"""What a client is told when the line is full."""


class Engine:
    """Answers requests in turn, in a thread of its own, which also loads the model.

    `load` is called once, in that thread; until it returns, requests get `model_unavailable`.
    At most `queue_size` requests wait. All methods may be called from the hub: none blocks.
    """

    def __init__(self, load: Callable[[], Model], queue_size: int = 64) -> None:
        self.state: Literal["loading", "ready", "failed", "closed"] = "loading"
        self.failure: BaseException | None = None
        self._load = load
        self._queue_size = queue_size
        self._inbox = NativeQueue()
        self._lock = native_lock()
        self._line: list[Generation] = []  # accepted and not ended; the first is being served
        self._serving: Generation | None = None
        self._ended = NativeQueue()
        start_native_thread(self._run)

    def submit(self, messages: list[Message], options: Options | None = None) -> Generation:
        """Put a request at the end of the line.

        Raises:
            ModelError: `model_unavailable` while the model loads, or when it cannot be loaded.
            RequestError: `queue_full`, with `retry_after_s`.
        """
        self._check_ready()
        generation = Generation(messages, options or Options(), self._withdraw, self._position)
        with self._lock:
            if len(self._line) > self._queue_size:
                raise _queue_full(len(self._line))
            self._line.append(generation)
        self._inbox.put(generation)
        return generation

    def wait(self) -> None:
        """Wait until the model is loaded, or has failed to."""
        while self.state == "loading":
            time.sleep(0.02)

    def close(self, timeout_s: float = 5.0) -> None:
        """Cancel everything and wait for the thread to end after its current token."""
        self.state = "closed"
        for generation in list(self._line):
            generation.cancel()
        self._inbox.put(None)
        try:
            self._ended.get(timeout=timeout_s)
        except Empty:
            log.warning("the model's thread did not end within %.0f s", timeout_s)

    def _check_ready(self) -> None:
        if self.state == "loading":
            raise ModelError(
                "model_unavailable",
                "模型正在加载，请稍候再问",
                "the model is loading, ask again soon",
            )
        if self.state != "ready":
            raise ModelError(
                "model_unavailable",
                "模型不可用，请联系管理员查看服务器日志",
                "the model is not available: the operator finds the reason in the server's log",
            )

    def _position(self, generation: Generation) -> int:
        with self._lock:
            return self._line.index(generation) if generation in self._line else 0

    def _withdraw(self, generation: Generation) -> None:
        """End a request that still waits; one that is being served ends itself."""
        with self._lock:
            waits = generation in self._line and generation is not self._serving
            if waits:
                self._line.remove(generation)
        if waits:
            generation.end("abort")

    def _run(self) -> None:
        try:
            self._answer_in_turn()
        finally:
            self._ended.put(None)

    def _answer_in_turn(self) -> None:
        try:
            model = self._load()
        except BaseException as error:
            self.failure, self.state = error, "failed"
            log.error("the model cannot be loaded: %s", error, exc_info=not _expected(error))
            return
        if self.state == "loading":
            self.state = "ready"
        while (generation := self._inbox.get()) is not None:
            with self._lock:
                if generation not in self._line:  # withdrawn while it waited
                    continue
                self._serving = generation
            end = self._serve(model, generation)
            with self._lock:
                self._line.remove(generation)
                self._serving = None
            generation.end(end)

    def _serve(self, model: Model, generation: Generation) -> EndReason | BaseException:
        stream = model.stream(generation.messages, generation.options, lambda: generation.cancelled)
        try:
            while True:
                generation.put(next(stream))
        except StopIteration as end:
            reason: EndReason = end.value
            return reason
        except BaseException as error:  # whatever it is, the request must end and the thread go on
            return error


def _queue_full(waiting: int) -> RequestError:
    return RequestError(
        "queue_full",
        f"排队人数已满({waiting} 人),请 {RETRY_AFTER_S} 秒后再试",
        f"the queue is full ({waiting} waiting): try again in {RETRY_AFTER_S} s",
        retry_after_s=RETRY_AFTER_S,
    )


def _expected(error: BaseException) -> bool:
    return isinstance(error, PocketQAError)
