"""The real model: transformers' causal language model with its tokenizer and chat template."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

# Asynchronous loading uses threads that gevent would turn into greenlets; ours is alone anyway.
os.environ.setdefault("HF_DEACTIVATE_ASYNC_LOAD", "1")
# OpenMP threads that spin at barriers starve each other when a core is busy elsewhere: with one of
# two cores taken, decoding ran at 0.7 tokens/s spinning and at 5.7 sleeping.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache
from transformers.utils import logging as transformers_logging

from ..errors import ModelError, RequestError
from .detokenizer import Detokenizer
from .generation import EndReason, Message, Options

log = logging.getLogger(__name__)

PREFILL_CHUNK = 256
"""Prompt tokens computed at a time; between chunks a cancelled request ends."""


class LoadedModel:
    """A model in memory. Use it in one thread only."""

    def __init__(self, model: Any, tokenizer: Any, max_prompt_tokens: int) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.max_prompt_tokens = max_prompt_tokens
        self._end_ids = _end_ids(model, tokenizer)

    def stream(
        self, messages: list[Message], options: Options, is_cancelled: Callable[[], bool]
    ) -> Generator[str, None, EndReason]:
        """See `generation.Model.stream`.

        Raises:
            RequestError: `text_too_long` when the prompt has more than `max_prompt_tokens`.
        """
        ids = self.prompt_ids(messages)
        detokenizer = Detokenizer(lambda ids: self.tokenizer.decode(ids, skip_special_tokens=True))
        reason: EndReason = "length"
        for token in self._tokens(ids, options, is_cancelled):
            if token in self._end_ids:
                reason = "stop"
                break
            yield detokenizer.put(token)
        yield detokenizer.flush()
        return "abort" if is_cancelled() and reason != "stop" else reason

    def prompt_ids(self, messages: list[Message]) -> torch.Tensor:
        """Token ids of the chat, shape (1, n)."""
        encoded = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        ids: torch.Tensor = encoded["input_ids"]
        if ids.shape[1] > self.max_prompt_tokens:
            raise RequestError(
                "text_too_long",
                f"内容过长:{ids.shape[1]} 个词元，最多 {self.max_prompt_tokens} 个，请缩短后再发",
                f"the prompt has {ids.shape[1]} tokens, {self.max_prompt_tokens} are allowed: "
                "please shorten the text",
            )
        return ids

    @torch.inference_mode()
    def _tokens(
        self, ids: torch.Tensor, options: Options, is_cancelled: Callable[[], bool]
    ) -> Iterator[int]:
        """Yield sampled token ids, at most `max_new_tokens`; end early when cancelled."""
        cache = DynamicCache(config=self.model.config)
        random = torch.Generator().manual_seed(options.seed)
        step: list[torch.Tensor] = list(ids.split(PREFILL_CHUNK, dim=1))
        for _ in range(options.max_new_tokens):
            for chunk in step:
                if is_cancelled():
                    return
                output = self.model(
                    input_ids=chunk, past_key_values=cache, use_cache=True, logits_to_keep=1
                )
            token = pick(output.logits[0, -1], options.temperature, random)
            yield token
            step = [torch.tensor([[token]])]


def pick(logits: torch.Tensor, temperature: float, random: torch.Generator) -> int:
    """The next token from `logits`, shape (vocabulary,)."""
    if temperature == 0:
        return int(logits.argmax())
    chances = torch.softmax(logits.float() / temperature, dim=-1)
    return int(torch.multinomial(chances, 1, generator=random))


def load(
    source: Path | str, *, precision: str = "auto", threads: int = 1, max_prompt_tokens: int = 6000
) -> LoadedModel:
    """Load a directory or hub id that `AutoModelForCausalLM` reads.

    Args:
        precision: `float32`, `bfloat16` or `auto` (bfloat16 where the processor multiplies it).
        threads: threads that torch computes with.

    Raises:
        ModelError: `model_unavailable`, with the reason that transformers gave.
    """
    torch.set_num_threads(threads)
    transformers_logging.disable_progress_bar()
    dtype = _dtype(precision)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
        model = AutoModelForCausalLM.from_pretrained(source, dtype=dtype)
    except (OSError, ValueError, RuntimeError, KeyError, ImportError) as error:
        raise ModelError(
            "model_unavailable",
            f"无法加载模型 {source}:{error}",
            f"cannot load the model {source}: {error}",
        ) from error
    if not tokenizer.chat_template:
        raise ModelError(
            "model_unavailable",
            f"模型 {source} 没有对话模板，请换用 Instruct 类模型",
            f"the model {source} has no chat template: choose one that follows instructions",
        )
    log.info("model %s loaded: %s, %d threads", source, dtype, threads)
    return LoadedModel(model.eval(), tokenizer, max_prompt_tokens)


def _dtype(precision: str) -> torch.dtype:
    if precision == "auto":
        fast = torch.backends.cpu.get_cpu_capability() == "AVX512" and _multiplies_bfloat16()
        precision = "bfloat16" if fast else "float32"
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]


def _multiplies_bfloat16() -> bool:
    try:
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def _end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    ids: list[int] = []
    for value in (model.generation_config.eos_token_id, tokenizer.eos_token_id):
        ids += value if isinstance(value, list) else [value] if value is not None else []
    return frozenset(ids)
