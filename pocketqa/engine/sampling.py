"""From logits to a token."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .generation import Options

Pick = Callable[[np.ndarray], int]
"""Takes logits, shape (vocabulary,), to a token id."""


def picker(options: Options) -> Pick:
    """How a request picks its tokens: with a generator of its own, so company changes nothing."""
    if options.temperature == 0:
        return likeliest
    random = np.random.default_rng(options.seed)
    return lambda logits: sample(logits, options.temperature, random)


def likeliest(logits: np.ndarray) -> int:
    """The token of the greatest logit; of equal ones the first.

    Raises:
        FloatingPointError: when the logits are not numbers.
    """
    token = int(logits.argmax())
    if not np.isfinite(logits[token]):  # argmax finds NaN first
        raise FloatingPointError("the model's logits are not numbers")
    return token


def sample(logits: np.ndarray, temperature: float, random: np.random.Generator) -> int:
    """A token drawn with the chances softmax(logits / temperature)."""
    best = logits[likeliest(logits)]
    weights = np.exp((logits - best).astype(np.float64) / temperature)
    cumulated = np.cumsum(weights)
    # A draw may round up to the very end.
    place = int(np.searchsorted(cumulated, random.random() * cumulated[-1], side="right"))
    return min(place, int(np.flatnonzero(weights)[-1]))
