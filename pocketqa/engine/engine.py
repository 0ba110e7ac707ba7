"""The engine: a bounded line of requests before one native thread that owns the model."""

from __future__ import annotations

import atexit
import logging
import time
from collections.abc import Callable
from queue import Empty
from typing import Literal

from ..errors import PocketQAError
from ..threads import NativeQueue, start_native_thread
from . import refusals
from .admission import Admission
from .batch import Batch
from .generation import Generation, Message, Model, Options
from .line import Line
from .watchdog import Watchdog

log = logging.getLogger(__name__)

State = Literal["loading", "ready", "stuck", "failed", "closed"]


class Engine:
    """Answers several requests at once, in a thread of its own, which also loads the model.

    All methods may be called from the hub: none blocks, but for `wait` and `close`.

    Attributes:
        constrains: it decodes under `Options.constraint`.

    Args:
        load: called once, in that thread; until it returns, requests get `model_unavailable`.
        queue_size: requests that may wait.
        max_streams: requests that are served at once.
        cache_bytes: memory for the keys and values of sequences, running and ended.
        watchdog_s: a step that takes longer is reported, and the state is `stuck` until it ends.
    """

    constrains = True

    def __init__(
        self,
        load: Callable[[], Model],
        queue_size: int = 64,
        *,
        max_streams: int = 16,
        cache_bytes: int = 768 << 20,
        watchdog_s: float = 60.0,
    ) -> None:
        self.failure: BaseException | None = None
        self._state: State = "loading"
        self._load, self._max_streams, self._cache_bytes = load, max_streams, cache_bytes
        self._line = Line(max_streams, queue_size)
        self._watchdog = Watchdog(watchdog_s)
        self._batch: Batch | None = None
        self._model: Model | None = None
        self._requests = 0
        self._wake, self._ended = NativeQueue(), NativeQueue()
        atexit.register(self.close)
        start_native_thread(self._run)

    @property
    def state(self) -> State:
        """`stuck` is a ready engine whose present step does not end."""
        return "stuck" if self._state == "ready" and self.stuck_s else self._state

    @property
    def attends(self) -> bool:
        """Whether it tells `Generation.attention`; False until the model is loaded."""
        return self._model is not None and self._model.network.attends

    @property
    def stuck_s(self) -> float:
        """Seconds that the present step has taken, if that is too long; else 0."""
        return self._watchdog.stuck_s

    def stats(self) -> dict[str, float]:
        """What has been done since the start, and what is going on now."""
        batch, (running, waiting) = self._batch, self._line.counts()
        counts = batch.counts if batch else {}
        names = ("steps", "tokens", "drafted", "accepted", "prefill_tokens")
        return {
            "requests": self._requests,
            "running": running,
            "waiting": waiting,
            "served": self._line.served_ever,
            "waited_s": self._line.waited_s,
            **{name: counts.get(name, 0) for name in names},
            "reused_tokens": batch.caches.reused_tokens if batch else 0,
            "cache_bytes": batch.caches.nbytes if batch else 0,
        }

    def submit(self, messages: list[Message], options: Options | None = None) -> Generation:
        """Put a request at the end of the line.

        Raises:
            ModelError: `model_unavailable` while the model loads or is stuck, or when it cannot be
                loaded.
            RequestError: `queue_full`, with `retry_after_s`.
        """
        self._check_ready()
        generation = Generation(
            messages, options or Options(), self._line.withdraw, self._line.position
        )
        self._line.join(generation)
        self._requests += 1
        self._wake.put(None)
        return generation

    def count(self, messages: list[Message]) -> int:
        """How many tokens the model reads of a chat: what `max_prompt_tokens` bounds.

        Raises:
            ModelError: `model_unavailable`, as `submit` does.
        """
        return self._loaded().count(messages)

    @property
    def max_prompt_tokens(self) -> int:
        """The longest prompt that `submit` takes, with room for a token of answer.

        Raises:
            ModelError: `model_unavailable`, as `submit` does.
        """
        model = self._loaded()
        return min(model.max_prompt_tokens, model.network.context - 1)

    def wait(self) -> None:
        """Wait until the model is loaded, or has failed to."""
        while self._state == "loading":
            time.sleep(0.02)

    def close(self, timeout_s: float = 5.0) -> None:
        """End everything with `abort`; the thread ends after its present step."""
        atexit.unregister(self.close)
        self._state = "closed"
        self._line.close()
        self._wake.put(None)
        try:
            self._ended.get(timeout=timeout_s)
            self._ended.put(None)  # for whoever closes it again
        except Empty:
            log.warning("the model's thread did not end within %.0f s", timeout_s)
            self._line.end_all("abort")

    def _loaded(self) -> Model:
        self._check_ready()
        assert self._model is not None
        return self._model

    def _check_ready(self) -> None:
        state = self.state
        if state == "loading":
            raise refusals.loading()
        if state == "stuck":
            raise refusals.stuck()
        if state != "ready":
            raise refusals.unavailable()

    def _run(self) -> None:
        try:
            model = self._load()
        except BaseException as error:
            self.failure, self._state = error, "failed"
            expected = isinstance(error, PocketQAError)
            log.error("the model cannot be loaded: %s", error, exc_info=not expected)
        else:
            self._model = model
            if self._state == "loading":
                self._state = "ready"
            self._serve(model)
            model.close()
        finally:
            self._line.close()
            self._line.end_all("abort")
            self._watchdog.close()
            self._ended.put(None)

    def _serve(self, model: Model) -> None:
        batch = Batch(model, self._cache_bytes, self._line.end, self._watchdog)
        admission = Admission(model, self._line, batch, self._max_streams, self._cache_bytes)
        self._batch = batch
        while self._state != "closed":
            try:
                admission.admit()
                if batch.running:
                    batch.step()
                elif not self._line.counts()[1]:
                    self._wake.get()
            except (
                BaseException
            ) as error:  # a fault of ours: whom it met must end, the engine goes on
                log.exception("the batch failed, its %d requests end", len(batch.running))
                batch.clear(error)
                self._line.end_all(error)
        batch.clear("abort")
