"""One request that is served: its tokens, its cache, and the text that comes of it."""

from __future__ import annotations

import numpy as np

from .detokenizer import Detokenizer
from .generation import EndReason, Generation, Model
from .lookup import Lookup
from .network import Cache, Part
from .sampling import NONE, picker
from .stopping import StopTexts


class Sequence:
    """The prompt's tokens and those said so far. `cache` holds what has been computed of them.

    All but the last token that was said are in the cache; while the prompt is read, fewer.
    """

    def __init__(self, generation: Generation, prompt: list[int], limit: int, model: Model) -> None:
        options = generation.options
        self.generation = generation
        self.ids = list(prompt)
        self.prompt = np.asarray(prompt, np.int64)
        self.capacity = len(prompt) + limit
        self.nbytes = model.network.cache_bytes(self.capacity)
        self.cache: Cache | None = None
        self.draft: list[int] = []
        drafts = model.speculative and options.temperature == 0
        self._lookup = Lookup() if drafts else None
        self._end_ids = model.end_ids
        self._constraint, self._said = options.constraint, ""
        self._pick = picker(options, self._allows if options.constraint else None)
        self._detokenizer = Detokenizer(model.decode)
        self._stops = StopTexts(options.stop)
        self._spread = model.spread

    @property
    def computed(self) -> int:
        """Tokens whose keys and values are in the cache."""
        return self.cache.length if self.cache else 0

    @property
    def pending(self) -> int:
        """Tokens that are to be computed: one, unless the prompt is still being read."""
        return len(self.ids) - self.computed

    @property
    def is_reading(self) -> bool:
        """Whether the prompt is not computed yet."""
        return self.computed < len(self.prompt)

    @property
    def left(self) -> int:
        """How many tokens it may still say."""
        return self.capacity - len(self.ids)

    @property
    def proposal(self) -> list[int]:
        """Tokens that may follow; a draft is the first of them."""
        return self._lookup.proposal if self._lookup else []

    def propose(self, most: int) -> list[float]:
        """Look for a proposal; the chances that it is right up to and with each of its tokens."""
        if self._lookup is None:
            return []
        return self._lookup.propose(self.ids, min(most, self.left - 1))

    def part(self, rows: int) -> Part:
        """The next `rows` pending tokens, and after the last of them the draft."""
        assert self.cache is not None
        ids = self.ids[self.computed : self.computed + rows]
        if rows < self.pending:
            return Part(self.cache, ids, 0)
        looks = self.generation.options.attention and self.is_reading
        return Part(self.cache, ids + self.draft, 1 + len(self.draft), looks)

    def look(self, part: Part) -> None:
        """Hand over what the answer is read from, if the part tells."""
        if part.attention is not None:
            generation = self.generation
            generation.attention = self._spread(generation.messages, part.attention)

    def accept(self, logits: np.ndarray) -> tuple[int, EndReason | None]:
        """Take the tokens that follow the last one and the right part of the draft.

        Args:
            logits: shape (1 + len(draft), vocabulary).

        Returns:
            How many drafted tokens were right, and why the answer ends here, if it does.
        """
        assert self.cache is not None
        rows, reason, text = self._take(logits)
        # The cache forgets the draft's tokens that were not said.
        self.cache.length -= len(logits) - rows
        if text:
            self.generation.put(text)
        return rows - 1, reason

    def _take(self, logits: np.ndarray) -> tuple[int, EndReason | None, str]:
        """The rows of `logits` that counted, why the answer ends, what is said."""
        text = ""
        for rows, row in enumerate(logits, 1):
            token = self._pick(row)
            if token in self._end_ids or token == NONE:
                return rows, "stop", text + self._rest()
            self.ids.append(token)
            certain, stopped = self._stops.put(self._say(token))
            text += certain
            if stopped:
                return rows, "stop", text
            if self.left == 0:
                return rows, *self._cut_off(text)
            if rows <= len(self.draft) and self.draft[rows - 1] != token:
                break
        return rows, None, text

    def _say(self, token: int) -> str:
        delta = self._detokenizer.put(token)
        if self._constraint:
            self._said += delta
        return delta

    def _allows(self, token: int) -> bool:
        """Whether the request's constraint lets `token` come next."""
        assert self._constraint is not None
        if token in self._end_ids:
            allowed = self._constraint.may_end(self._said)
        else:
            allowed = self._constraint.allows(self._said, self._detokenizer.peek(token))
        self.generation.steered += not allowed
        return allowed

    def _cut_off(self, text: str) -> tuple[EndReason, str]:
        """The limit is reached: a stop text may still show in what was held back."""
        certain, stopped = self._stops.put(self._detokenizer.flush())
        if stopped:
            return "stop", text + certain
        return "length", text + certain + self._stops.flush()

    def _rest(self) -> str:
        """What was held back, when the model has ended its answer itself."""
        certain, stopped = self._stops.put(self._detokenizer.flush())
        return certain if stopped else certain + self._stops.flush()
