"""Networks of two layers and random weights in transformers' files, for tests of our kernels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tiny import SPECIAL, TEMPLATE, byte_tokens
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    GemmaConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)
from transformers.utils import logging

logging.disable_progress_bar()

VOCABULARY, CONTEXT = 260, 256
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def sizes(**changed: Any) -> dict[str, Any]:
    """What a configuration says, but for what is `changed`."""
    usual = {
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": CONTEXT,
        "initializer_range": 0.2,
        "bos_token_id": None,
        "eos_token_id": VOCABULARY - 1,
        "pad_token_id": None,
        "tie_word_embeddings": False,
    }
    return usual | changed


# Six or seven heads that share a key are more than a kernel takes at once.
CONFIGS: dict[str, Any] = {
    "qwen2": Qwen2Config(**sizes(num_attention_heads=14, head_dim=32)),
    "llama-tied": LlamaConfig(**sizes(tie_word_embeddings=True)),
    "llama3": LlamaConfig(**sizes(rope_parameters=LLAMA3)),
    "mistral": MistralConfig(**sizes(head_dim=32, sliding_window=None)),
    "qwen3": Qwen3Config(**sizes(head_dim=32)),
    "gemma": GemmaConfig(
        **sizes(num_attention_heads=6, num_key_value_heads=1, tie_word_embeddings=True)
    ),
}


@torch.inference_mode()
def save(directory: Path, config: Any, dtype: torch.dtype = torch.float32) -> Path:
    """A model of this configuration, its norms and biases random too, with a tokenizer."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            parameter.add_(torch.randn_like(parameter) * (0.5 if name.endswith("bias") else 0.2))
    model.to(dtype).save_pretrained(directory)
    tokens = [*byte_tokens(), "ab", *SPECIAL]
    letters = Tokenizer(models.BPE({token: n for n, token in enumerate(tokens)}, [("a", "b")]))
    letters.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters.decoder = decoders.ByteLevel()
    letters.add_special_tokens(SPECIAL)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=letters, eos_token=SPECIAL[-1])
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(directory)
    return directory


@torch.inference_mode()
def exact_logits(directory: Path, ids: list[int], replaced: dict[str, Any] | None = None) -> Any:
    """transformers' own logits, float32 (tokens, vocabulary), perhaps with other matrices."""
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    if replaced:
        if model.config.tie_word_embeddings:  # the output matrix alone is packed
            model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())
        model.load_state_dict(replaced, strict=False)
    return model(torch.tensor([ids])).logits[0].numpy()


@torch.inference_mode()
def exact_looks(directory: Path, ids: list[int]) -> Any:
    """What the last token looks at in transformers' own: float32 (layers, heads, tokens)."""
    model = AutoModelForCausalLM.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    looks = model(torch.tensor([ids]), output_attentions=True).attentions
    return torch.stack([look[0, :, -1] for look in looks]).numpy()
