"""From logits to a token."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .generation import Options

Pick = Callable[[np.ndarray], int]
"""Takes logits, shape (vocabulary,), to a token id."""
Allows = Callable[[int], bool]
"""Whether a token may come next."""
NONE = -1
"""What is picked where nothing is allowed."""
MOST = 500
"""Tokens that are tried before nothing is said to be allowed."""
BLOCK = 8
"""Of the likeliest tokens so many are sorted first."""


def picker(options: Options, allows: Allows | None = None) -> Pick:
    """How a request picks its tokens: with a generator of its own, so company changes nothing."""
    if options.temperature == 0:
        return (lambda logits: likeliest_allowed(logits, allows)) if allows else likeliest
    random = np.random.default_rng(options.seed)
    return lambda logits: sample(logits, options.temperature, random, allows)


def likeliest(logits: np.ndarray) -> int:
    """The token of the greatest logit; of equal ones the first.

    Raises:
        FloatingPointError: when the logits are not numbers.
    """
    token = int(logits.argmax())
    if not np.isfinite(logits[token]):  # argmax finds NaN first
        raise FloatingPointError("the model's logits are not numbers")
    return token


def likeliest_allowed(logits: np.ndarray, allows: Allows) -> int:
    """The likeliest token that is allowed; of equal ones the first. `NONE` if `MOST` are not."""
    best = likeliest(logits)
    if allows(best):
        return best
    tried, size = 1, BLOCK
    while tried < min(MOST, len(logits)):
        for token in _sorted(logits, size)[tried : min(size, MOST)]:
            if np.isfinite(logits[token]) and allows(int(token)):
                return int(token)
        tried, size = min(size, MOST), 8 * size
    return NONE


def _sorted(logits: np.ndarray, size: int) -> np.ndarray:
    """At least the `size` likeliest tokens, the likeliest first; of equal ones the first."""
    size = min(size, len(logits))
    least = np.partition(logits, len(logits) - size)[len(logits) - size]
    found = np.flatnonzero(logits >= least)
    return found[np.argsort(-logits[found], kind="stable")]


def sample(
    logits: np.ndarray,
    temperature: float,
    random: np.random.Generator,
    allows: Allows | None = None,
) -> int:
    """A token drawn with the chances softmax(logits / temperature), of the allowed ones if asked.

    What is drawn and not allowed is left out of the next draw, `MOST` times; then it is `NONE`.
    """
    best = logits[likeliest(logits)]
    weights = np.exp((logits - best).astype(np.float64) / temperature)
    for _ in range(MOST):
        token = _draw(weights, random)
        if allows is None or allows(token):
            return token
        weights[token] = 0
        if not weights.any():
            break
    return NONE


def _draw(weights: np.ndarray, random: np.random.Generator) -> int:
    cumulated = np.cumsum(weights)
    # A draw may round up to the very end.
    place = int(np.searchsorted(cumulated, random.random() * cumulated[-1], side="right"))
    return min(place, int(np.flatnonzero(weights)[-1]))
