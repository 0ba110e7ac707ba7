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
from .caches import Caches
from .generation import EndReason, Generation, Model
from .network import Part
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
        self.caches = Caches(model.network, self.running, cache_bytes)
        self._network, self._end_request, self._watchdog = model.network, end, watchdog
        self._schedule = Schedule(model.network.max_rows)
        self._speculation = Speculation(model.network.max_rows)

    def add(self, sequence: Sequence) -> None:
        """Serve it from the next step on."""
        self.running.append(sequence)

    def clear(self, reason: EndReason | BaseException) -> None:
        """End everything and forget every cache."""
        while self.running:
            self._end_request(self.running.pop().generation, reason)
        self.caches.forget()

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
        saying = [sequence for sequence in self.running if not sequence.is_reading]
        prompts = self._prompts(self._schedule.room(len(saying)))
        rows = len(saying) + sum(count for _, count in prompts)
        self._speculation.draft(saying, rows, self._network.max_rows - rows)
        works = [Work(sequence, sequence.part(1)) for sequence in saying]
        return works + [Work(sequence, sequence.part(count)) for sequence, count in prompts]

    def _prompts(self, room: int) -> list[tuple[Sequence, int]]:
        """Whose prompts are read in this step, and how many tokens of each."""
        chosen = []
        reading = [sequence for sequence in self.running if sequence.is_reading]
        for sequence in self._schedule.order(reading):
            if self._schedule.rows(sequence, room) and self._begin(sequence):
                rows = self._schedule.rows(sequence, room)
                if rows:
                    chosen.append((sequence, rows))
                    room -= rows
        return chosen

    def _begin(self, sequence: Sequence) -> bool:
        try:
            return self.caches.begin(sequence)
        except BaseException as error:
            self._end(sequence, error)
            return False

    def _compute(self, works: list[Work]) -> list[np.ndarray | BaseException]:
        """The logits of each; after a fault each is computed by itself, to find whose it is."""
        lengths = [work.part.cache.length for work in works]
        self._watchdog.begin(lambda: _describe(works, lengths))
        began = time.perf_counter()
        try:
            results = self._network.forward([work.part for work in works])
        except BaseException as error:
            log.warning("a step failed, %s: %s", repr(error), _describe(works, lengths))
            if refusals.is_out_of_memory(error):
                self.caches.forget()
            elif len(works) == 1:
                return [error]
        else:
            rows = sum(len(work.part.ids) for work in works)
            self._speculation.costs.learn(rows, time.perf_counter() - began)
            return [*results]
        finally:
            self._watchdog.end()
        return [self._retry(work, length) for work, length in zip(works, lengths, strict=True)]

    def _retry(self, work: Work, length: int) -> np.ndarray | BaseException:
        work.part.cache.length = length
        self._watchdog.begin(lambda: _describe([work], [length]))
        try:
            return self._network.forward([work.part])[0].copy()
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
            sequence.look(work.part)
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
        if isinstance(reason, BaseException):
            if not isinstance(reason, PocketQAError):
                trace = "".join(traceback.format_exception(reason))
                log.warning("request %d fails: %s", sequence.generation.number, trace)
            _forget_frames(reason)
            reason = refusals.out_of_memory() if refusals.is_out_of_memory(reason) else reason
        else:
            self.caches.keep(sequence)
        sequence.cache = None
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
