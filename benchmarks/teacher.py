"""Teacher forcing: what a network makes of prompts and answers that another one wrote."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from reference import ROWS, Reference

from pocketqa.answer_metrics import agreement

LEAST = 1e-7
"""A chance below this is rounding."""


class Network(Protocol):
    """What teacher forcing needs of a model."""

    def logits(self, ids: list[int]) -> torch.Tensor:
        """The logits after each of `ids`, shape (n, vocabulary)."""
        ...

    def close(self) -> None:
        """Give back threads and memory."""
        ...


@dataclass(frozen=True)
class Forced:
    """What comes of all references, a position after the other.

    Attributes:
        expected: the token that the reference finds likeliest.
        chosen: the one that the network does.
        divergence: of the network's chances from the reference's, in nats.
        next_logs: the log probability of the token that does come next.
        is_answer: whether that is a token of the answer.
    """

    expected: np.ndarray
    chosen: np.ndarray
    divergence: np.ndarray
    next_logs: np.ndarray
    is_answer: np.ndarray

    def figures(self) -> dict[str, float]:
        """Over the answers' positions, then over those of prompts and answers together."""
        says = self.is_answer
        return {
            "answer_agreement": round(agreement(self.expected[says], self.chosen[says]), 4),
            "answer_kl": round(float(self.divergence[says].mean()), 5),
            "agreement": round(agreement(self.expected, self.chosen), 4),
            "kl": round(float(self.divergence.mean()), 5),
            "perplexity": round(float(np.exp(-self.next_logs.mean())), 4),
        }


def teach(
    network: Network, found: Sequence[Reference], step: Callable[[], object] = lambda: None
) -> Forced:
    """What `network` makes of the references; `step` is called after each."""
    start = common(found)
    parts = []
    for each in found:
        parts.append(positions(network, each, start))
        step()
    return _joined(found, start, parts)


def itself(found: Sequence[Reference]) -> Forced:
    """The references beside themselves."""
    start = common(found)
    same = [
        (each.top[start:, 0], np.zeros(len(each.top) - start), each.next_logs[start:])
        for each in found
    ]
    return _joined(found, start, same)


def common(found: Sequence[Reference]) -> int:
    """The first position that counts: what begins all prompts would count as often as there are."""
    if len(found) < 2:
        return 0
    return max(0, len(os.path.commonprefix([each.ids.tolist() for each in found])) - 1)


@torch.inference_mode()
def positions(network: Network, reference: Reference, start: int) -> tuple[np.ndarray, ...]:
    """The chosen tokens, divergences and next tokens' log probabilities from `start` on."""
    logits = network.logits(reference.ids.tolist())[start:-1]
    following = torch.from_numpy(reference.ids[start + 1 :])[:, None]
    top = torch.from_numpy(reference.top[start:].astype(np.int64))
    parts = []
    for rows, at, then in zip(*(x.split(ROWS) for x in (logits, top, following)), strict=True):
        logs = torch.log_softmax(rows.float(), dim=-1)
        parts.append((rows.argmax(-1), logs.gather(1, at), logs.gather(1, then)[:, 0]))
    chosen, top_logs, next_logs = (torch.cat(each).numpy() for each in zip(*parts, strict=True))
    return chosen, divergence(reference.top_logs[start:], top_logs), next_logs


def divergence(expected: np.ndarray, found: np.ndarray) -> np.ndarray:
    """KL(expected || found) at each position, in nats.

    Args:
        expected: log probabilities of the likeliest tokens, shape (n, k). All others count as one,
            so what is returned is a lower bound of the divergence over the whole vocabulary.
        found: those of the same tokens.
    """
    expected, found = expected.astype(float), found.astype(float)
    p, q = np.exp(expected), np.exp(found)
    rest_p, rest_q = (np.maximum(1 - each.sum(1), LEAST) for each in (p, q))
    inside: np.ndarray = (p * (expected - found)).sum(1)
    return inside + rest_p * np.log(rest_p / rest_q)


def _joined(
    found: Sequence[Reference], start: int, parts: Sequence[tuple[np.ndarray, ...]]
) -> Forced:
    chosen, divergences, next_logs = (np.concatenate(part) for part in zip(*parts, strict=True))
    expected = np.concatenate([each.top[start:, 0] for each in found])
    is_answer = [np.arange(start, len(each.top)) >= each.prompt - 1 for each in found]
    return Forced(expected, chosen, divergences, next_logs, np.concatenate(is_answer))
