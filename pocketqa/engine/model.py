"""The real model: a network with the tokenizer and the chat template that belong to it."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Asynchronous loading uses threads that gevent would turn into greenlets; ours is alone anyway.
os.environ.setdefault("HF_DEACTIVATE_ASYNC_LOAD", "1")
# OpenMP threads that spin at barriers starve each other when a core is busy elsewhere: with one of
# two cores taken, decoding ran at 0.7 tokens/s spinning and at 5.7 sleeping.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from transformers.utils import logging as transformers_logging

from ..errors import ModelError
from . import lean_loading, refusals
from .generation import Message
from .network import Network, Part
from .stock import StockNetwork

log = logging.getLogger(__name__)


class LoadedModel:
    """A model in memory. Use it in one thread only, but for `count`."""

    def __init__(
        self,
        network: Network,
        tokenizer: Any,
        end_ids: frozenset[int],
        speculative: bool,
        max_prompt_tokens: int,
    ) -> None:
        self.network, self.tokenizer = network, tokenizer
        self.end_ids, self.speculative = end_ids, speculative
        self.max_prompt_tokens = max_prompt_tokens

    def prompt_ids(self, messages: list[Message]) -> list[int]:
        """Token ids of the chat.

        Raises:
            RequestError: `text_too_long` when the prompt has more than `max_prompt_tokens`.
        """
        ids = self._encoded(messages)
        if len(ids) > self.max_prompt_tokens:
            raise refusals.text_too_long(len(ids), self.max_prompt_tokens)
        return ids

    def count(self, messages: list[Message]) -> int:
        """How many token ids the chat has, however many.

        Callable from any thread: a tokenizer that neither pads nor truncates is not changed by use.
        """
        return len(self._encoded(messages))

    def _encoded(self, messages: list[Message]) -> list[int]:
        encoded = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_dict=True
        )
        ids: list[int] = encoded["input_ids"]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, without special tokens."""
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def places(self, messages: list[Message]) -> np.ndarray | None:
        """Where each token of a prompt begins and ends in the last message: int (tokens, 2).

        A token outside of it has places below 0 or beyond its end; None where the template does
        not show the message as it is.
        """
        text = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        begin = text.rfind(messages[-1]["content"])
        encoded = self.tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
        return np.array(encoded["offset_mapping"], int) - begin if begin >= 0 else None

    def spread(self, messages: list[Message], weights: np.ndarray) -> np.ndarray | None:
        """The weights of a prompt's tokens, put on the characters of the last message.

        Returns:
            float32 (characters,); None where `places` gives none.
        """
        places = self.places(messages)
        if places is None or len(places) != len(weights):
            return None
        found = np.zeros(len(messages[-1]["content"]), np.float32)
        for (start, end), weight in zip(places, weights, strict=True):
            if end > 0:
                found[max(0, start) : end] += weight / max(1, end - start)
        return found

    def logits(self, ids: Sequence[int]) -> torch.Tensor:
        """The logits after each of `ids`, shape (n, vocabulary), for measuring quality."""
        cache = self.network.new_cache(len(ids))
        step = self.network.max_rows // 4
        pieces = [ids[begin : begin + step] for begin in range(0, len(ids), step)]
        rows = [
            self.network.forward([Part(cache, piece, len(piece))])[0].copy() for piece in pieces
        ]
        return torch.from_numpy(np.concatenate(rows))

    def close(self) -> None:
        """Give back threads and memory."""
        self.network.close()


def load(
    source: Path | str,
    *,
    precision: str = "auto",
    threads: int = 1,
    max_prompt_tokens: int = 6000,
    reading_heads: Sequence[tuple[int, int]] = (),
) -> LoadedModel:
    """Load a directory or hub id that `AutoModelForCausalLM` reads.

    Args:
        precision: `auto`, `float32`, `bfloat16`, `int8` or `int4`, see `docs/configuration.md`.
        threads: threads that compute.
        reading_heads: (layer, head) whose attention tells what an answer is read from, if known.

    Raises:
        ModelError: `model_unavailable`, with the reason that transformers gave.
    """
    torch.set_num_threads(threads)
    transformers_logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
        if not tokenizer.chat_template:
            raise _no_chat_template(source)
        network, speculative = _network(source, precision, threads, reading_heads)
        ends = _end_ids(source, tokenizer)
    except (OSError, ValueError, RuntimeError, KeyError, ImportError) as error:
        raise ModelError(
            "model_unavailable",
            f"无法加载模型 {source}:{error}",
            f"cannot load the model {source}: {error}",
        ) from error
    return LoadedModel(network, tokenizer, ends, speculative, max_prompt_tokens)


def _network(
    source: Path | str, precision: str, threads: int, reading_heads: Sequence[tuple[int, int]]
) -> tuple[Network, bool]:
    """What computes, and whether its results are the same however many tokens a step has."""
    if precision not in ("float32", "bfloat16") and not torch.cuda.is_available():
        try:
            return lean_loading.load(source, precision, threads, reading_heads), True
        except lean_loading.UnsupportedError as reason:
            log.warning("model %s: our kernels are not used, transformers' are: %s", source, reason)
    return _stock(source, precision, threads)


def _stock(source: Path | str, precision: str, threads: int) -> tuple[Network, bool]:
    """transformers' own forward: on the GPU where there is one, else on the processor."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = _dtype(precision, device)
    model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=dtype)
    log.info("model %s loaded: transformers, %s, %s, %d threads", source, device, dtype, threads)
    return StockNetwork(model.to(device)), dtype == torch.float32


def _dtype(precision: str, device: str) -> torch.dtype:
    if precision in ("int8", "int4"):
        log.warning("precision %s is not known for this model: auto is taken", precision)
        precision = "auto"
    if precision == "auto":
        precision = "bfloat16" if device == "cuda" or multiplies_bfloat16() else "float32"
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]


def multiplies_bfloat16() -> bool:
    """Whether the processor does; where it does not, float32 is the faster one."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and "avx512_bf16" in flags


def _end_ids(source: Path | str, tokenizer: Any) -> frozenset[int]:
    """Every token that ends an answer, as the model's directory and its tokenizer name them."""
    try:
        named = GenerationConfig.from_pretrained(source).eos_token_id
    except OSError:
        named = getattr(AutoConfig.from_pretrained(source), "eos_token_id", None)
    ids: list[int] = []
    for value in (named, tokenizer.eos_token_id):
        ids += value if isinstance(value, list) else [value] if value is not None else []
    return frozenset(ids)


def _no_chat_template(source: Path | str) -> ModelError:
    return ModelError(
        "model_unavailable",
        f"模型 {source} 没有对话模板，请换用 Instruct 类模型",
        f"the model {source} has no chat template: choose one that follows instructions",
    )
