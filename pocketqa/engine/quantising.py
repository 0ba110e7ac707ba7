"""Float weights to 8, 6 or 4 bits in groups of columns, by torch's threaded operators."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open

from .packing import GROUP, Matrix, Quantised, Shape, pack_rows

LAYER = (
    *(f"self_attn.{name}_proj" for name in "qkvo"),
    *(f"mlp.{name}_proj" for name in ("gate", "up", "down")),
)
"""The matrices of a layer, in the order in which they are computed."""
LINEAR = re.compile(rf"model\.layers\.\d+\.({'|'.join(map(re.escape, LAYER))})\.weight")
LM_HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"

REFITS = 2
"""More of them gain little; two leave less error than the best of seven clip ranges would."""
STEPS = (32, 31, 30, 29, 28)
"""The largest of 16 weights becomes one of them: the one that leaves the least squared error. For
the 0.5B's output matrix that is a sixth less than 32 alone leaves. 33 and 34, which would cut the
largest off, gain nothing more."""


@torch.inference_mode()
def quantise(weight: torch.Tensor, format: Literal["s8", "q6", "q4"]) -> Quantised:
    """Weights (rows, columns), columns a multiple of 32, as 8-bit, 6-bit or 4-bit integers."""
    if format == "q6":
        return _six_bits(weight.float())
    groups = weight.float().view(len(weight), -1, GROUP)
    return _eight_bits(groups) if format == "s8" else _four_bits(groups)


def _eight_bits(groups: torch.Tensor) -> Quantised:
    """The largest magnitude of a group becomes 127."""
    scales = (groups.abs().amax(2) / 127).half()
    # By the scale that is kept, so that its own rounding is not an error of every weight.
    values = (groups * _inverse(scales)).round_().clamp_(-127, 127).to(torch.int8)
    return Quantised("s8", values.flatten(1).numpy(), scales.numpy())


def _six_bits(weight: torch.Tensor) -> Quantised:
    """The best of a few scales for each 16 columns, then the best scale for its integers."""
    # A group is a column here: sums across so few neighbours in memory would be slow.
    groups = weight.reshape(-1, 16).t().contiguous()
    low, high = groups.amin(0), groups.amax(0)
    # -32 is stored, 32 is not: the largest magnitude is made negative by its scale.
    largest = torch.where(-low > high, low, high)
    scales = (largest / -STEPS[0]).half()
    least = _squares(groups, scales)
    for steps in STEPS[1:]:
        tried = (largest / -steps).half()
        squares = _squares(groups, tried)
        better = squares < least
        scales, least = torch.where(better, tried, scales), torch.where(better, squares, least)
    values = _six_bit_integers(groups, scales)
    scales = ((values * groups).sum(0) / (values * values).sum(0).clamp_(min=1e-9)).half()
    stored = _six_bit_integers(groups, scales).add_(32).to(torch.uint8)
    return Quantised(
        "q6", stored.t().reshape(weight.shape).numpy(), scales.view(len(weight), -1).numpy()
    )


def _squares(groups: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """The squared error of each group, (16, groups), by these scales."""
    rounded = _six_bit_integers(groups, scales).mul_(scales.float())
    return rounded.sub_(groups).square_().sum(0)


def _six_bit_integers(groups: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    return (groups * _inverse(scales)[:, 0]).round_().clamp_(-32, 31)


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
    """The linear layers of a directory's 16-bit or 32-bit safetensors.

    Args:
        format: for `q4` the output matrix, `lm_head`, takes `q6`.

    Raises:
        ValueError: a matrix is of another kind of number, or its columns are no multiple of 32.
    """
    files = weight_files(directory)
    config = json.loads((directory / "config.json").read_text("utf-8"))
    tied = config.get("tie_word_embeddings") or LM_HEAD not in files
    sources = {name: name for name in files if LINEAR.fullmatch(name)}
    sources[LM_HEAD] = EMBEDDING if tied else LM_HEAD
    formats = {LM_HEAD: "q6" if format == "q4" else format}
    matrices = {}
    for name, source in sources.items():
        with safe_open(files[source], "pt") as weights:
            part = weights.get_slice(source)
            if part.get_dtype() not in ("BF16", "F16", "F32") or part.get_shape()[1] % GROUP:
                raise ValueError(f"{source}: {part.get_dtype()} {part.get_shape()}")
            kind: Any = formats.get(name, format)
            matrices[name] = pack_rows(
                Shape(kind, *part.get_shape()), partial(_quantised_rows, part, kind)
            )
    return matrices


def _quantised_rows(weights: Any, format: Literal["s8", "q6", "q4"], rows: slice) -> Quantised:
    """Some rows of a safetensors file's slice."""
    return quantise(weights[rows], format)


def weight_files(directory: Path) -> dict[str, Path]:
    """The file that holds each weight, of one `model.safetensors` or of several with an index."""
    index = directory / "model.safetensors.index.json"
    if index.exists():
        names = json.loads(index.read_text("utf-8"))["weight_map"]
        return {name: directory / file for name, file in names.items()}
    file = directory / "model.safetensors"
    with safe_open(file, "pt") as weights:
        return dict.fromkeys(weights.keys(), file)
