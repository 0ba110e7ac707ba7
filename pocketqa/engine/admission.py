"""Who is served next: in order of arrival, as far as places and memory allow."""

from __future__ import annotations

from . import refusals
from .batch import Batch
from .generation import Generation, Model
from .line import Line
from .sequence import Sequence


class Admission:
    """Takes requests from the line to the batch. For the engine's thread only."""

    def __init__(
        self, model: Model, line: Line, batch: Batch, max_streams: int, cache_bytes: int
    ) -> None:
        # Half of a step's rows are enough for a row each, and drafts and prompts beside.
        self._max_streams = max(1, min(max_streams, model.network.max_rows // 2))
        self._model, self._line, self._batch = model, line, batch
        self._cache_bytes = cache_bytes
        self._next: Sequence | None = None  # the first in line, tokenised
        line.places = self._max_streams

    def admit(self) -> None:
        """Let in whom there is a place and memory for; end the waiting that are too late."""
        self._line.end_late()
        while (generation := self._line.first()) is not None:
            if len(self._batch.running) >= self._max_streams:
                self._line.places = self._max_streams
                return
            try:
                sequence = self._prepare(generation)
            except BaseException as error:
                self._line.end(generation, error)
                continue
            if not self._batch.caches.has_room(sequence):
                self._line.places = len(self._batch.running)
                return
            self._next = None
            if self._line.serve(generation):
                self._batch.add(sequence)
        self._line.places = self._max_streams

    def _prepare(self, generation: Generation) -> Sequence:
        """Tokenise it, and see that it could ever be served."""
        if self._next is not None and self._next.generation is generation:
            return self._next
        network = self._model.network
        prompt = self._model.prompt_ids(generation.messages)
        limit = min(generation.options.max_new_tokens, network.context - len(prompt))
        if limit < 1:
            raise refusals.text_too_long(len(prompt), network.context - 1)
        sequence = Sequence(generation, prompt, limit, self._model)
        if sequence.nbytes > self._cache_bytes:
            allowed = _largest(self._cache_bytes, self._model) - limit
            raise refusals.text_too_long(len(prompt), max(0, allowed))
        self._next = sequence
        return sequence


def _largest(nbytes: int, model: Model) -> int:
    """Most tokens of a sequence whose cache takes at most `nbytes`."""
    low, high = 0, model.network.context
    while low < high:
        middle = (low + high + 1) // 2
        if model.network.cache_bytes(middle) <= nbytes:
            low = middle
        else:
            high = middle - 1
    return low
