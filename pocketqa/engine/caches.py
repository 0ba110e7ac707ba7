"""The caches of running sequences, and those of ended ones for who begins alike; all bounded."""

from __future__ import annotations

from collections.abc import Sequence as List

from . import refusals
from .network import Cache, Network
from .prefixes import Prefixes, common_length
from .sequence import Sequence


class Caches:
    """Gives sequences their caches. For the engine's thread only.

    Args:
        running: the sequences that are served; the batch changes it.
        limit: bytes of all caches together.
    """

    def __init__(self, network: Network, running: List[Sequence], limit: int) -> None:
        self.reused_tokens = 0
        """Tokens of prompts that were copied instead of computed."""
        self._network, self._running, self._limit = network, running, limit
        self._prefixes = Prefixes()

    @property
    def nbytes(self) -> int:
        """What the caches take, or are to take."""
        return self._reserved + self._prefixes.nbytes

    @property
    def _reserved(self) -> int:
        return sum(sequence.nbytes for sequence in self._running)

    def has_room(self, sequence: Sequence) -> bool:
        """Whether its cache fits beside those of the running ones; makes room for it."""
        spare = self._limit - self._reserved - sequence.nbytes
        if spare < 0:
            return False
        self._prefixes.find(sequence.prompt)  # what it begins with is forgotten last
        self._prefixes.shrink(spare)
        return True

    def begin(self, sequence: Sequence) -> bool:
        """Give it a cache, with as much of its prompt as another cache holds already.

        Returns:
            False while another sequence is reading what it begins with, too.
        """
        if sequence.cache is not None:
            return True
        source, common = self._prefixes.find(sequence.prompt)
        for other in self._running:
            if other.cache is not None:
                shared = common_length(other.prompt, sequence.prompt[:-1])
                if shared > max(common, other.computed):
                    return False
                source, common = (other.cache, shared) if shared > common else (source, common)
        # The prompt's last token is computed in any case: its logits are wanted.
        sequence.cache = self._allocate(
            source, min(common, len(sequence.prompt) - 1), sequence.capacity
        )
        self.reused_tokens += sequence.computed
        return True

    def keep(self, sequence: Sequence) -> None:
        """It has ended, and its tokens may be what another begins with."""
        cache = sequence.cache
        if cache is not None and cache.length:
            cache.length = min(cache.length, len(sequence.ids))  # a draft may not be decided yet
            self._prefixes.add(sequence.ids[: cache.length], cache)

    def forget(self) -> None:
        """Give back what is kept of ended sequences."""
        self._prefixes.shrink(0)

    def _allocate(self, source: Cache | None, common: int, capacity: int) -> Cache:
        try:
            if source is not None and common > 0:
                return source.copy(common, capacity)
            return self._network.new_cache(capacity)
        except BaseException as error:
            if not refusals.is_out_of_memory(error):
                raise
        del source  # or it could not be forgotten
        self.forget()
        return self._network.new_cache(capacity)
