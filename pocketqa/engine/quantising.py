"""Float weights to 8 or 4 bits in groups of 32 columns, by torch's threaded operators."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open

from .packing import BLOCK, GROUP, TILE, Matrix, Quantised, Shape, empty, pack

LINEAR = re.compile(r"model\.layers\.\d+\.(self_attn\.[qkvo]|mlp\.(gate|up|down))_proj\.weight")
LM_HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"

REFITS = 2
"""More of them gain little; two leave less error than the best of seven clip ranges would."""


@torch.inference_mode()
def quantise(weight: torch.Tensor, format: Literal["s8", "q4"]) -> Quantised:
    """Weights (rows, columns), columns a multiple of 32, as 8-bit or 4-bit integers."""
    groups = weight.float().view(len(weight), -1, GROUP)
    return _eight_bits(groups) if format == "s8" else _four_bits(groups)


def _eight_bits(groups: torch.Tensor) -> Quantised:
    """The largest magnitude of a group becomes 127."""
    scales = (groups.abs().amax(2) / 127).half()
    # By the scale that is kept, so that its own rounding is not an error of every weight.
    values = (groups * _inverse(scales)).round_().clamp_(-127, 127).to(torch.int8)
    return Quantised("s8", values.flatten(1).numpy(), scales.numpy())


def _four_bits(groups: torch.Tensor) -> Quantised:
    """Scale and minimum for the least squared error, beginning with the group's whole range.

    For given integers the best scale and minimum are a line's fit, for these the nearest integers
    are best: neither step can raise the error, but for the rounding of the float16.
    """
    # `aminmax` would be ten times slower than the two.
    low, high, mean = groups.amin(2), groups.amax(2), groups.mean(2)
    scales, minima = ((high - low) / 15).half(), (-low).half()
    values = _nearest(groups, scales, minima)
    for _ in range(REFITS):
        scales, minima = _fit(groups, mean, values)
        values = _nearest(groups, scales, minima)
    packed = values.to(torch.uint8).flatten(1)
    return Quantised("q4", packed.numpy(), scales.numpy(), minima.numpy())


def _nearest(groups: torch.Tensor, scales: torch.Tensor, minima: torch.Tensor) -> torch.Tensor:
    values = (groups + minima.float()[..., None]).mul_(_inverse(scales))
    return values.round_().clamp_(0, 15)


def _fit(
    groups: torch.Tensor, mean: torch.Tensor, values: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Slope and negative intercept, float16, of the line through (value, weight) of each group."""
    middle = values.mean(2)
    deviations = values - middle[..., None]
    spread = (deviations * deviations).sum(2)
    slope = (deviations * groups).sum(2) / spread.clamp_(min=1e-9)
    return slope.half(), (slope * middle - mean).half()


def _inverse(scales: torch.Tensor) -> torch.Tensor:
    """1 / scale for each group, 0 where that is 0."""
    wide = scales.float()
    return wide.reciprocal().masked_fill_(wide == 0, 0)[..., None]


def pack_model(directory: Path, format: Literal["s8", "q4"]) -> dict[str, Matrix]:
    """The linear layers of a directory's 16-bit or 32-bit safetensors; `lm_head` always by `s8`.

    Raises:
        ValueError: a matrix is of another kind of number, or its columns are no multiple of 32.
    """
    files = weight_files(directory)
    config = json.loads((directory / "config.json").read_text("utf-8"))
    tied = config.get("tie_word_embeddings") or LM_HEAD not in files
    sources = {name: name for name in files if LINEAR.fullmatch(name)}
    sources[LM_HEAD] = EMBEDDING if tied else LM_HEAD
    matrices = {}
    for name, source in sources.items():
        with safe_open(files[source], "pt") as weights:
            part = weights.get_slice(source)
            if part.get_dtype() not in ("BF16", "F16", "F32") or part.get_shape()[1] % GROUP:
                raise ValueError(f"{source}: {part.get_dtype()} {part.get_shape()}")
            matrices[name] = _pack_matrix(part, "s8" if name == LM_HEAD else format)
    return matrices


def weight_files(directory: Path) -> dict[str, Path]:
    """The file that holds each weight, of one `model.safetensors` or of several with an index."""
    index = directory / "model.safetensors.index.json"
    if index.exists():
        names = json.loads(index.read_text("utf-8"))["weight_map"]
        return {name: directory / file for name, file in names.items()}
    file = directory / "model.safetensors"
    with safe_open(file, "pt") as weights:
        return dict.fromkeys(weights.keys(), file)


def _pack_matrix(weights: Any, format: Literal["s8", "q4"]) -> Matrix:
    """Pack a slice of a safetensors file, some rows at a time."""
    rows, columns = weights.get_shape()
    shape = Shape(format, rows, columns)
    data = empty(shape)
    for start in range(0, rows, BLOCK):
        packed = pack(quantise(weights[start : start + BLOCK], format))
        data[start // TILE : start // TILE + len(packed)] = packed
    return Matrix(*shape, data)
