"""Which models our kernels take, and that transformers computes the others."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import CONFIGS, save, sizes
from transformers import (
    AutoModelForCausalLM,
    GemmaConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PhiConfig,
    Qwen2Config,
    Qwen3Config,
)

from pocketqa.engine import Engine, Message, Options, lean_loading, model
from pocketqa.engine.lean_loading import UnsupportedError
from pocketqa.engine.stock import StockNetwork

pytestmark = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"),
    reason="the processor has no AVX2",
)
only_without_gpu = pytest.mark.skipif(
    torch.cuda.is_available(), reason="a GPU computes every model with transformers' own forward"
)

ASK: list[Message] = [{"role": "user", "content": "身份证 ab"}]
WINDOW = MistralConfig(**sizes(sliding_window=32))
PARTIAL = {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0, "partial_rotary_factor": 0.5}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}
GPT2 = GPT2Config(
    vocab_size=260, n_embd=64, n_layer=2, n_head=4, n_positions=256, eos_token_id=259,
    bos_token_id=None,
)  # fmt: skip
PHI = PhiConfig(**{key: value for key, value in sizes().items() if key != "head_dim"})
REFUSED: dict[str, tuple[Any, str]] = {
    "mistral-window": (WINDOW, "it has a sliding window"),
    "qwen2-window": (
        Qwen2Config(**sizes(use_sliding_window=True, sliding_window=32)),
        "it has a sliding window",
    ),
    "gpt2": (GPT2, "models of type gpt2 are not known"),
    "phi": (PHI, "models of type phi are not known"),
    "part-of-a-head": (LlamaConfig(**sizes(rope_parameters=PARTIAL)), "turns a part of each head"),
    "dynamic-rope": (LlamaConfig(**sizes(rope_parameters=DYNAMIC)), "rotary embedding is dynamic"),
    "exact-gelu": (LlamaConfig(**sizes(hidden_act="gelu")), "its activation is gelu"),
    "silu-in-gemma": (GemmaConfig(**sizes(hidden_act="silu")), "its activation is silu"),
    "depth": (Qwen3Config(**sizes(head_dim=24)), "4 heads over 2 of 24 numbers"),
    "small-groups": (LlamaConfig(**sizes(num_key_value_heads=4)), "4 heads over 4 of 16 numbers"),
    "hidden": (LlamaConfig(**sizes(hidden_size=80)), "its sizes are no multiples of 32"),
    "feed-forward": (LlamaConfig(**sizes(intermediate_size=100)), "its sizes are no multiples"),
    "output-bias": (LlamaConfig(**sizes(attention_bias=True)), "o_proj.bias is not known"),
    "feed-forward-bias": (LlamaConfig(**sizes(mlp_bias=True)), "proj.bias is not known"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_kernels_do_not_compute_is_refused(name: str, tmp_path: Path) -> None:
    config, reason = REFUSED[name]
    save(tmp_path, config)
    with pytest.raises(UnsupportedError, match=reason):
        lean_loading.load(tmp_path, "auto", 1)


def test_files_that_are_not_the_usual_ones_are_refused(tmp_path: Path) -> None:
    save(tmp_path, CONFIGS["qwen2"], torch.float64)
    with pytest.raises(UnsupportedError, match="F64"):
        lean_loading.load(tmp_path, "auto", 1)
    config = json.loads((tmp_path / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "gptq", "bits": 4}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnsupportedError, match="quantised already"):
        lean_loading.load(tmp_path, "auto", 1)
    del config["quantization_config"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(UnsupportedError, match="no safetensors of the usual names"):
        lean_loading.load(tmp_path, "auto", 1)
    with pytest.raises(UnsupportedError, match="not a local directory"):
        lean_loading.load("Qwen/Qwen2.5-0.5B-Instruct", "auto", 1)


def test_a_processor_without_avx2_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    with pytest.raises(UnsupportedError, match="no AVX2"):
        lean_loading.load(tmp_path, "auto", 1)


@pytest.mark.parametrize("name", ["qwen2", "llama-tied", "qwen3"])
def test_rotary_tables_are_those_of_the_models_own_code(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = lean_loading._plain_turns(CONFIGS[name])
    monkeypatch.setattr(lean_loading, "_plain_turns", lambda config: None)
    assert plain is not None and np.array_equal(plain, lean_loading._turns(CONFIGS[name]))


def text_of(loaded: model.LoadedModel, tokens: int) -> str:
    engine = Engine(lambda: loaded)
    engine.wait()
    text = "".join(engine.submit(ASK, Options(tokens)))
    engine.close()
    return text


@torch.inference_mode()
def plain_text(directory: Path, loaded: model.LoadedModel, dtype: torch.dtype, tokens: int) -> str:
    """transformers' own greedy decoding."""
    plain = AutoModelForCausalLM.from_pretrained(directory, dtype=dtype).eval()
    prompt = torch.tensor([loaded.prompt_ids(ASK)])
    ids = plain.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=tokens, do_sample=False,
        pad_token_id=259,
    )  # fmt: skip
    text = loaded.decode(ids[0, prompt.shape[1] :].tolist())
    return text.rstrip("\ufffd").replace("\ufffd", "")


@only_without_gpu
@pytest.mark.parametrize("config", [WINDOW, GPT2], ids=["mistral", "gpt2"])
def test_a_refused_model_is_computed_by_transformers(
    config: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save(tmp_path, config)
    loaded = model.load(tmp_path)
    assert isinstance(loaded.network, StockNetwork)
    assert "our kernels are not used, transformers' are" in caplog.text
    # Before the window is full: the engine's caches keep what has left it.
    expected = plain_text(tmp_path, loaded, loaded.network.model.dtype, 12)
    assert text_of(loaded, 12) == expected


@only_without_gpu
def test_a_known_model_is_computed_by_the_kernels(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    save(tmp_path, CONFIGS["qwen2"])
    first = model.load(tmp_path, threads=2)
    assert type(first.network).__name__ == "LeanNetwork" and first.speculative
    assert "s8, 2 threads" in caplog.text
    text = text_of(first, 24)  # closes it
    assert text and text == text_of(model.load(tmp_path, threads=1), 24)
    exact = model.load(tmp_path, precision="float32")
    assert isinstance(exact.network, StockNetwork)
    assert text_of(exact, 24) == plain_text(tmp_path, exact, torch.float32, 24)
