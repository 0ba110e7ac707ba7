"""Float weights to 8, 6 and 4 bits, and whole model directories."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from pocketqa.engine.packing import Quantised, pack, unpack
from pocketqa.engine.quantising import pack_model, quantise

LAYER = "model.layers.0"
SHAPES = {
    "model.embed_tokens.weight": (40, 64),
    f"{LAYER}.input_layernorm.weight": (64,),
    f"{LAYER}.self_attn.q_proj.weight": (64, 64),
    f"{LAYER}.self_attn.q_proj.bias": (64,),
    f"{LAYER}.mlp.down_proj.weight": (64, 96),
}


def error(matrix: Quantised, weight: np.ndarray) -> np.ndarray:
    return unpack(pack(matrix), matrix.format, *weight.shape) - weight


def random_weight(rows: int = 48, columns: int = 96) -> np.ndarray:
    return np.random.default_rng(0).standard_t(4, (rows, columns)).astype(np.float32)


def test_eight_bits_are_half_a_step_away_at_most() -> None:
    import torch

    weight = random_weight()
    matrix = quantise(torch.tensor(weight), "s8")
    steps = np.repeat(matrix.scales.astype(np.float32), 32, axis=1)
    # The largest of a group may be further off, by the rounding of its scale.
    assert (np.abs(error(matrix, weight)) <= 0.5 * steps + np.abs(weight) / 2048).all()


def test_six_bits_err_less_than_the_whole_range_would() -> None:
    import torch

    weight = random_weight()
    halves = weight.reshape(48, 6, 16)
    step = np.abs(halves).max(2, keepdims=True) / 31
    plain = np.rint(halves / step) * step - halves
    matrix = quantise(torch.tensor(weight), "q6")
    assert matrix.values.dtype == np.uint8 and matrix.values.max() <= 63
    assert (error(matrix, weight) ** 2).sum() < 0.9 * (plain**2).sum()


@pytest.mark.parametrize("sign", [1, -1])
def test_six_bits_keep_their_own_weights(sign: int) -> None:
    import torch

    values = np.random.default_rng(2).integers(-32, 32, (48, 96))
    values[:, ::16] = -32
    weight = (sign * 0.125 * values).astype(np.float32)
    assert not error(quantise(torch.tensor(weight), "q6"), weight).any()


def test_four_bits_err_less_than_the_whole_range_would() -> None:
    import torch

    weight = random_weight()
    groups = weight.reshape(48, 3, 32)
    low, step = groups.min(2, keepdims=True), np.ptp(groups, axis=2, keepdims=True) / 15
    plain = np.rint((groups - low) / step) * step + low - groups
    ours = error(quantise(torch.tensor(weight), "q4"), weight)
    assert (ours**2).sum() < 0.9 * (plain**2).sum()


@pytest.mark.parametrize("format", ["s8", "q6", "q4"])
@pytest.mark.parametrize("value", [0.0, 0.5, -0.25, 1e-9])
def test_groups_of_one_value(format: Literal["s8", "q6", "q4"], value: float) -> None:
    import torch

    weight = np.full((16, 32), value, np.float32)
    matrix = quantise(torch.tensor(weight), format)
    # A float16 has 11 bits, and nothing below 6e-8.
    assert np.abs(error(matrix, weight)).max() <= max(abs(value) / 2048, 6e-8)


def save(directory: Path, shapes: dict[str, tuple[int, ...]], *, shards: int, tied: bool) -> dict:
    """A model's directory of bfloat16 weights; what was saved."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    weights = {name: torch.randn(shape).bfloat16() for name, shape in shapes.items()}
    names = list(weights)
    files = {name: f"model-{place % shards}.safetensors" for place, name in enumerate(names)}
    if shards == 1:
        files = dict.fromkeys(names, "model.safetensors")
    else:
        index = json.dumps({"weight_map": files})
        (directory / "model.safetensors.index.json").write_text(index)
    for file in set(files.values()):
        part = {name: weights[name] for name in names if files[name] == file}
        save_file(part, str(directory / file))
    (directory / "config.json").write_text(json.dumps({"tie_word_embeddings": tied}))
    return weights


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(("format", "output"), [("q4", "q6"), ("s8", "s8")])
def test_a_models_linear_layers(
    tmp_path: Path, shards: int, tied: bool, format: Literal["s8", "q4"], output: str
) -> None:
    shapes = SHAPES if tied else {**SHAPES, "lm_head.weight": (40, 64)}
    saved = save(tmp_path, shapes, shards=shards, tied=tied)
    matrices = pack_model(tmp_path, format)
    expected = {
        f"{LAYER}.self_attn.q_proj.weight": format,
        f"{LAYER}.mlp.down_proj.weight": format,
        "lm_head.weight": output,
    }
    assert {name: matrix.format for name, matrix in matrices.items()} == expected
    saved.setdefault("lm_head.weight", saved["model.embed_tokens.weight"])
    for name, matrix in matrices.items():
        assert (matrix.rows, matrix.columns) == saved[name].shape
        assert matrix.data.ctypes.data % 64 == 0
        alone = pack(quantise(saved[name], matrix.format))
        assert np.array_equal(matrix.data, alone)


def test_columns_without_whole_groups_are_refused(tmp_path: Path) -> None:
    save(tmp_path, {**SHAPES, f"{LAYER}.mlp.up_proj.weight": (64, 48)}, shards=1, tied=True)
    with pytest.raises(ValueError, match="up_proj"):
        pack_model(tmp_path, "s8")


def test_other_kinds_of_numbers_are_refused(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    weights = save(tmp_path, SHAPES, shards=1, tied=True)
    name = f"{LAYER}.mlp.down_proj.weight"
    save_file({**weights, name: weights[name].to(torch.int8)}, str(tmp_path / "model.safetensors"))
    with pytest.raises(ValueError, match="I8"):
        pack_model(tmp_path, "s8")
