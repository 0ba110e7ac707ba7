"""Any causal language model of transformers as a `Network`: its own forward, a part at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from .network import Part

CPU_ROWS, GPU_ROWS = 256, 1024
"""Most tokens of a step."""


class StockCache:
    """Keys and values as transformers keeps them; they grow as tokens come."""

    def __init__(self, network: StockNetwork, capacity: int) -> None:
        self.capacity, self.nbytes = capacity, network.cache_bytes(capacity)
        # Without a configuration every layer keeps all tokens, those with a sliding window too,
        # which could forget no draft otherwise.
        self.tensors: Any = DynamicCache()
        self._network = network

    @property
    def length(self) -> int:
        """Tokens in it; assign a smaller number to forget the last ones."""
        return int(self.tensors.get_seq_length())

    @length.setter
    def length(self, length: int) -> None:
        for layer in self.tensors.layers:
            if layer.is_initialized:
                layer.keys = layer.keys[..., :length, :]
                layer.values = layer.values[..., :length, :]

    def copy(self, length: int, capacity: int) -> StockCache:
        """One that begins with this one's first tokens: whole pieces of the prompt only."""
        new = StockCache(self._network, capacity)
        whole = length // self._network.piece * self._network.piece
        if whole:
            for n, layer in enumerate(self.tensors.layers):
                keys, values = layer.keys[..., :whole, :], layer.values[..., :whole, :]
                new.tensors.update(keys.clone(), values.clone(), n)
        return new


class StockNetwork:
    """`AutoModelForCausalLM` on the CPU, or on the GPU that it has been moved to.

    torch's products depend on how many rows they have, in the last bits. So that neighbours change
    nothing, each part is computed by itself, and a prompt in pieces that begin at fixed places.
    """

    attends = False

    def __init__(self, model: Any) -> None:
        self.model = model.eval()
        config = model.config.get_text_config()
        self.context: int = config.max_position_embeddings
        self.max_rows = CPU_ROWS if model.device.type == "cpu" else GPU_ROWS
        self.piece = self.max_rows // 4
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        numbers = 2 * config.num_hidden_layers * heads * head_depth(config)
        self._token_bytes = numbers * model.dtype.itemsize

    def new_cache(self, capacity: int) -> StockCache:
        """See `Network.new_cache`."""
        return StockCache(self, capacity)

    def cache_bytes(self, capacity: int) -> int:
        """See `Network.cache_bytes`."""
        return capacity * self._token_bytes

    @torch.inference_mode()
    def forward(self, parts: Sequence[Part]) -> list[np.ndarray]:
        """See `Network.forward`."""
        return [self._logits(part) for part in parts]

    def close(self) -> None:
        """See `Network.close`."""
        del self.model

    def _logits(self, part: Part) -> np.ndarray:
        cache = part.cache
        assert isinstance(cache, StockCache)
        ids = torch.tensor([part.ids], device=self.model.device)
        begin = cache.length
        # Only tokens of a prompt are cut: those whose logits are wanted stay together.
        last = begin + len(part.ids) - max(part.wanted, 1)
        cuts = [*range((begin // self.piece + 1) * self.piece, last + 1, self.piece)]
        for piece in torch.tensor_split(ids, [cut - begin for cut in cuts], dim=1):
            logits = self.model(
                input_ids=piece,
                past_key_values=cache.tensors,
                use_cache=True,
                logits_to_keep=max(part.wanted, 1),
            ).logits
        wanted: np.ndarray = logits[0, logits.shape[1] - part.wanted :].float().cpu().numpy()
        return wanted


def head_depth(config: Any) -> int:
    """Numbers of a key or value of one head."""
    return int(
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
