"""A whole GGUF's linear layers, packed beside the model that they must equal."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from pocketqa.engine.gguf_model import LAYER, CannotPackError, pack_gguf
from pocketqa.engine.packing import FILE, load_packed, unpack

HIDDEN, FEED_FORWARD, HEADS, KV_HEADS = 128, 96, 4, 2
SHAPES = {
    **dict.fromkeys(["attn_q", "attn_output"], (HIDDEN, HIDDEN)),
    **dict.fromkeys(["attn_k", "attn_v"], (HIDDEN // HEADS * KV_HEADS, HIDDEN)),
    **dict.fromkeys(["ffn_gate", "ffn_up"], (FEED_FORWARD, HIDDEN)),
    "ffn_down": (HIDDEN, FEED_FORWARD),
}
Weights = dict[str, np.ndarray]


def model() -> Weights:
    """Weights of one layer and a tied embedding, in the model's order of rows."""
    rng = np.random.default_rng(1)
    weights = {
        f"model.layers.0.{LAYER[name]}.weight": rng.normal(0, 0.1, shape).astype(np.float32)
        for name, shape in SHAPES.items()
    }
    return {**weights, "model.embed_tokens.weight": rng.normal(0, 1, (40, HIDDEN)).astype("f4")}


def interleaved(rows: np.ndarray, heads: int) -> np.ndarray:
    """Each head's rows as llama.cpp stores a Llama's: those of the two halves in turn."""
    halves = rows.reshape(heads, 2, -1, rows.shape[1])
    return np.stack([halves[:, 0], halves[:, 1]], axis=2).reshape(rows.shape)


def tensors(weights: Weights, architecture: str) -> Weights:
    """The weights by a GGUF's names, in its order of rows."""
    found = {name: weights[f"model.layers.0.{LAYER[name]}.weight"] for name in SHAPES}
    if architecture == "llama":
        found["attn_q"] = interleaved(found["attn_q"], HEADS)
        found["attn_k"] = interleaved(found["attn_k"], KV_HEADS)
    named = {f"blk.0.{name}.weight": tensor for name, tensor in found.items()}
    return {**named, "token_embd.weight": weights["model.embed_tokens.weight"]}


def write_gguf(path: Path, stored: Weights, architecture: str = "qwen2") -> gguf.GGUFReader:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(1)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    for name, tensor in stored.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return gguf.GGUFReader(path)


def save(directory: Path, weights: Weights) -> None:
    import torch
    from safetensors.torch import save_file

    tensors = {name: torch.tensor(weight).bfloat16() for name, weight in weights.items()}
    save_file(tensors, str(directory / "model.safetensors"))


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_packed_rows_are_in_the_models_order(tmp_path: Path, architecture: str) -> None:
    weights = model()
    save(tmp_path, weights)
    reader = write_gguf(tmp_path / "one.gguf", tensors(weights, architecture), architecture)
    pack_gguf(reader, tmp_path)
    matrices = load_packed(tmp_path)
    weights["lm_head.weight"] = weights.pop("model.embed_tokens.weight")
    assert matrices.keys() == weights.keys()
    for name, matrix in matrices.items():
        packed = unpack(matrix.data, matrix.format, matrix.rows, matrix.columns)
        assert matrix.format == ("q6" if name == "lm_head.weight" else "s8")
        steps = 15 if matrix.format == "q6" else 250
        assert np.abs(packed - weights[name]).max() <= np.abs(weights[name]).max() / steps


def test_a_model_that_was_rearranged_is_not_packed(tmp_path: Path) -> None:
    weights = model()
    save(tmp_path, weights)
    # An architecture that stores rows as a Llama does, but goes by another name.
    reader = write_gguf(tmp_path / "one.gguf", tensors(weights, "llama"), "granite")
    with pytest.raises(CannotPackError, match="q_proj.weight is not the file's"):
        pack_gguf(reader, tmp_path)
    assert not (tmp_path / FILE).exists()


def test_a_model_without_the_usual_layers_is_not_packed(tmp_path: Path) -> None:
    stored = tensors(model(), "qwen2")
    stored["blk.0.ffn_gate_up.weight"] = stored.pop("blk.0.ffn_gate.weight")
    reader = write_gguf(tmp_path / "one.gguf", stored)
    with pytest.raises(CannotPackError, match="no tensor blk.0.ffn_gate.weight"):
        pack_gguf(reader, tmp_path)


def test_columns_without_whole_groups_are_not_packed(tmp_path: Path) -> None:
    stored = tensors(model(), "qwen2")
    stored["blk.0.ffn_down.weight"] = np.zeros((HIDDEN, 80), np.float32)
    reader = write_gguf(tmp_path / "one.gguf", stored)
    with pytest.raises(CannotPackError, match=r"ffn_down.weight has the shape \[80, 128\]"):
        pack_gguf(reader, tmp_path)
