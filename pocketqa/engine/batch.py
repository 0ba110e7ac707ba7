"""Continuous batching: sequences join and leave between steps; a step is one forward."""

from __future__ import annotations

import logging
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import PocketQAError
from . import refusals
from .generation import EndReason, Generation, Model
from .network import Part
from .prefixes import Prefixes, common_length
from .schedule import Schedule
from .sequence import Sequence
from .speculation import Speculation
from .watchdog import Watchdog

log = logging.getLogger(__name__)

End = Callable[[Generation, "EndReason | BaseException"], None]


@dataclass(frozen=True)
class Work:
    """What a step does for one sequence."""

    sequence: Sequence
    part: Part


class Batch:
    """The sequences that are served. For the engine's thread only.

    Args:
        cache_bytes: what the caches may take, those of ended sequences included.
        end: called once for each request, when it leaves.
    """

    def __init__(self, model: Model, cache_bytes: int, end: End, watchdog: Watchdog) -> None:
        self.running: list[Sequence] = []
        self.counts: Counter[str] = Counter()
        self._model, self._network = model, model.network
        self._cache_bytes, self._end_request, self._watchdog = cache_bytes, end, watchdog
        self._prefixes = Prefixes()
        self._schedule = Schedule(model.network.max_rows)
        self._speculation = Speculation(model.network.max_rows)

    @property
    def nbytes(self) -> int:
        """What the caches take, or are to take."""
        return self._reserved + self._prefixes.nbytes

    @property
    def _reserved(self) -> int:
        return sum(sequence.nbytes for sequence in self.running)

    def has_room(self, sequence: Sequence) -> bool:
        """Whether its cache fits beside those of the running ones; makes room for it."""
        spare = self._cache_bytes - self._reserved - sequence.nbytes
        if spare < 0:
            return False
        self._prefixes.find(sequence.prompt)  # what it begins with is forgotten last
        self._prefixes.shrink(spare)
        return True

    def add(self, sequence: Sequence) -> None:
        """Serve it from the next step on."""
        self.running.append(sequence)

    def clear(self, reason: EndReason | BaseException) -> None:
        """End everything and forget every cache."""
        while self.running:
            self._end_request(self.running.pop().generation, reason)
        self._prefixes.shrink(0)

    def step(self) -> None:
        """One forward for all, and what follows from it for each."""
        self._end_unwanted()
        works = self._plan()
        if not works:
            return
        for work, result in zip(works, self._compute(works), strict=True):
            self._take(work, result)
        self.counts["steps"] += 1

    def _end_unwanted(self) -> None:
        for sequence in list(self.running):
            if sequence.generation.cancelled:
                self._end(sequence, "abort")
            elif sequence.generation.is_late:
                deadline_s = sequence.generation.options.deadline_s
                self._end(sequence, refusals.deadline_exceeded(deadline_s))

    def _plan(self) -> list[Work]:
        reading = [sequence for sequence in self.running if sequence.is_reading]
        saying = [sequence for sequence in self.running if not sequence.is_reading]
        begun = [sequence for sequence in reading if self._begin(sequence)]
        prompts = self._schedule.prompts(begun, len(saying))
        rows = len(saying) + sum(count for _, count in prompts)
        self._speculation.draft(saying, rows, self._network.max_rows - rows)
        works = [Work(sequence, sequence.part(1)) for sequence in saying]
        return works + [Work(sequence, sequence.part(count)) for sequence, count in prompts]

    def _begin(self, sequence: Sequence) -> bool:
        """Give it its cache, with as much of the prompt as another cache holds already."""
        if sequence.cache is not None:
            return True
        try:
            self._allocate(sequence)
        except BaseException as error:
            self._end(sequence, error)
            return False
        return True

    def _allocate(self, sequence: Sequence) -> None:
        source, common = self._prefixes.find(sequence.prompt)
        for other in self.running:
            if other.cache is not None:
                shared = min(common_length(other.prompt, sequence.prompt), other.cache.length)
                source, common = (other.cache, shared) if shared > common else (source, common)
        # The last token is computed in any case: its logits are wanted.
        common = min(common, len(sequence.prompt) - 1)
        try:
            if source is not None and common > 0:
                sequence.cache = source.copy(common, sequence.capacity)
                self.counts["reused_tokens"] += sequence.cache.length
            else:
                sequence.cache = self._network.new_cache(sequence.capacity)
        except BaseException as error:
            if not refusals.is_out_of_memory(error):
                raise
            del source
            self._prefixes.shrink(0)
            sequence.cache = self._network.new_cache(sequence.capacity)

    def _compute(self, works: list[Work]) -> list[np.ndarray | BaseException]:
        """The logits of each; after a fault each is computed by itself, to find whose it is."""
        lengths = [work.part.cache.length for work in works]
        self._watchdog.begin(lambda: _describe(works, lengths))
        began = time.perf_counter()
        try:
            results: list[np.ndarray | BaseException] = [
                *self._network.forward([work.part for work in works])
            ]
        except BaseException as error:
            log.warning("a step failed, %r: %s", error, _describe(works, lengths))
            _forget_frames(error)
            results = [error]
            if refusals.is_out_of_memory(error):
                self._prefixes.shrink(0)
            elif len(works) == 1:
                return results
        else:
            rows = sum(len(work.part.ids) for work in works)
            self._speculation.costs.learn(rows, time.perf_counter() - began)
            return results
        finally:
            self._watchdog.end()
        return [self._retry(work, length) for work, length in zip(works, lengths, strict=True)]

    def _retry(self, work: Work, length: int) -> np.ndarray | BaseException:
        work.part.cache.length = length
        self._watchdog.begin(lambda: _describe([work], [length]))
        try:
            return self._network.forward([work.part])[0]
        except BaseException as error:
            return error
        finally:
            self._watchdog.end()

    def _take(self, work: Work, result: np.ndarray | BaseException) -> None:
        sequence = work.sequence
        if sequence.generation.cancelled:
            self._end(sequence, "abort")
            return
        if isinstance(result, BaseException):
            self._end(sequence, result)
            return
        before = len(sequence.ids)
        if before == len(sequence.prompt):
            self.counts["prefill_tokens"] += len(work.part.ids)
        if not work.part.wanted:
            return
        try:
            right, reason = sequence.accept(result)
        except BaseException as error:
            self._end(sequence, error)
            return
        self.counts["tokens"] += len(sequence.ids) - before
        self.counts["drafted"] += len(sequence.draft)
        self.counts["accepted"] += right
        if reason:
            self._end(sequence, reason)

    def _end(self, sequence: Sequence, reason: EndReason | BaseException) -> None:
        self.running.remove(sequence)
        cache, sequence.cache = sequence.cache, None
        if isinstance(reason, BaseException):
            if not isinstance(reason, PocketQAError):
                trace = "".join(traceback.format_exception(reason))
                log.warning("request %d fails: %s", sequence.generation.number, trace)
            _forget_frames(reason)
            reason = refusals.out_of_memory() if refusals.is_out_of_memory(reason) else reason
        elif cache is not None and cache.length:
            cache.length = min(cache.length, len(sequence.ids))  # a draft may not be decided yet
            self._prefixes.add(sequence.ids[: cache.length], cache)
        self._end_request(sequence.generation, reason)


def _forget_frames(error: BaseException) -> None:
    """Drop what led to an error, which the log has: its frames would keep a step's caches."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__


def _describe(works: list[Work], lengths: list[int]) -> str:
    """Whose tokens a step computes, for the log."""
    return ", ".join(
        f"request {work.sequence.generation.number}: {len(work.part.ids)} tokens after {length}"
        for work, length in zip(works, lengths, strict=True)
    )
