"""What stock transformers computes in float32: answers and chances that precisions are held to.

The questions are those of a reading comprehension set (BEIR layout with `answers`). The passage
that holds the answer goes into the prompt as the product builds it; the answer is the likeliest
one. That takes half an hour of a core for 200 questions, so each case is kept in a file of its own,
under a name that changes with the weights and the prompt, and an interrupted run goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache
from transformers.utils import logging as transformers_logging

from pocketqa import beir, prompt
from pocketqa.cache import sha256
from pocketqa.engine import Message
from pocketqa.errors import KnowledgeError
from pocketqa.queries import rows

MAX_NEW_TOKENS = 128
TOP = 128
"""Of each position so many of the likeliest tokens are kept; all others count as one."""
ROWS = 64
"""Positions whose chances are computed at a time: the vocabulary is large."""
FORMAT = 1
"""Changes when what a file holds does."""


@dataclass(frozen=True)
class Case:
    """A question with the passage that answers it as messages, and the answers that people gave."""

    id: str
    messages: list[Message]
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Reference:
    """A prompt and its answer in float32; position i says how token i + 1 is chosen.

    Attributes:
        ids: token ids of prompt and answer, shape (n,).
        prompt: how many of them are the prompt's.
        top: the likeliest tokens at each position, likeliest first, shape (n - 1, TOP).
        top_logs: their log probabilities.
        next_logs: those of the tokens that do come next, shape (n - 1,).
    """

    ids: np.ndarray
    prompt: int
    top: np.ndarray
    top_logs: np.ndarray
    next_logs: np.ndarray


def cases(folder: Path, limit: int) -> list[Case]:
    """The first `limit` questions of a set.

    Raises:
        KnowledgeError: `no_answers` where a question has none; and as `beir.load`.
    """
    dataset = beir.load(folder)
    passages = {passage.id: passage for passage in dataset.passages}
    answers = {row["_id"]: row.get("answers") for _, row in rows(folder / beir.QUERIES)}
    found = []
    for name, question in list(dataset.queries.items())[:limit]:
        if not answers[name]:
            raise KnowledgeError(
                "no_answers", f"{folder} 的问题 {name} 没有 answers", f"{name} has no answers"
            )
        grades = dataset.qrels[name]
        gold = passages[max(grades, key=lambda passage: grades[passage])]
        messages = prompt.build(prompt.ZH.chat, question, [], prompt.material([gold]))
        found.append(Case(name, messages, tuple(answers[name])))
    return found


def tokens(tokenizer: Any, messages: list[Message]) -> list[int]:
    """The prompt's token ids."""
    encoded = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)
    return list(encoded["input_ids"])


def references(
    source: Path, cases: Sequence[Case], folder: Path, step: Callable[[], object] = lambda: None
) -> list[Reference]:
    """The references of `cases` by the model in `source`, from `folder` or computed and put there.

    `step` is called after each.
    """
    transformers_logging.disable_progress_bar()
    weights = fingerprint(source)
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = None
    found = []
    for case in cases:
        ids = tokens(tokenizer, case.messages)
        file = folder / f"{key(weights, ids)}.npz"
        if not file.exists():
            model = model or AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
            write(file, compute(model.eval(), ids))
        found.append(read(file))
        step()
    return found


def fingerprint(source: Path) -> str:
    """A digest of the weights that transformers reads, whatever the engine has beside them."""
    return "".join(sha256(file) for file in sorted(source.glob("model*.safetensors")))


def key(weights: str, ids: Sequence[int]) -> str:
    """The name of a case's file."""
    what = json.dumps([FORMAT, weights, MAX_NEW_TOKENS, TOP, list(ids)])
    return hashlib.sha256(what.encode()).hexdigest()[:32]


@torch.inference_mode()
def compute(model: Any, ids: Sequence[int]) -> Reference:
    """The likeliest answer to a prompt, and the chances at each position of both."""
    said: list[int] = []
    parts: list[tuple[np.ndarray, ...]] = []
    for logits, token in steps(model, ids):
        parts.append(summary(logits, [*ids[1:], token] if not said else [token]))
        said.append(token)
    top, top_logs, next_logs = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Reference(np.array([*ids, *said]), len(ids), top, top_logs, next_logs)


def steps(model: Any, ids: Sequence[int]) -> Iterator[tuple[torch.Tensor, int]]:
    """Yield the logits of the prompt, then of each new token, and the token that they choose."""
    cache = DynamicCache(config=model.config)
    ends = model.generation_config.eos_token_id
    step = list(ids)
    for _ in range(MAX_NEW_TOKENS):
        logits = model(torch.tensor([step]), past_key_values=cache, use_cache=True).logits[0]
        token = int(logits[-1].argmax())
        yield logits, token
        if token in (ends if isinstance(ends, list) else [ends]):
            return
        step = [token]


def summary(logits: torch.Tensor, following: Sequence[int]) -> tuple[np.ndarray, ...]:
    """The likeliest tokens, their log probabilities, and those of the tokens in `following`.

    `logits` has a row for each of `following`.
    """
    parts = []
    for part, ids in zip(logits.split(ROWS), torch.tensor(following).split(ROWS), strict=True):
        logs = torch.log_softmax(part.float(), dim=-1)
        best = logs.topk(min(TOP, logs.shape[1]))
        parts.append((best.indices, best.values, logs.gather(1, ids[:, None])[:, 0]))
    top, top_logs, next_logs = (torch.cat(part) for part in zip(*parts, strict=True))
    return top.int().numpy(), top_logs.numpy(), next_logs.numpy()


def write(file: Path, reference: Reference) -> None:
    """Put a reference into a file, which appears whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.stem}.{os.getpid()}.part.npz")
    np.savez(beside, **vars(reference))
    beside.replace(file)


def read(file: Path) -> Reference:
    """The reference in a file."""
    with np.load(file) as held:
        arrays = dict(held)
    return Reference(**{**arrays, "prompt": int(arrays["prompt"])})
