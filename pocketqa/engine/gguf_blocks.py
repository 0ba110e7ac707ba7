"""The blocks of a GGUF file's tensors as packed matrices, without quantising them twice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from gguf import GGMLQuantizationType, ReaderTensor
from gguf.quants import dequantize

from .packing import Format, Matrix, Quantised, Shape, pack_rows
from .quantising import quantise


def from_gguf(
    tensor: ReaderTensor, order: np.ndarray | None = None, *, output: bool = False
) -> Matrix:
    """A tensor of two dimensions, packed; what has no format of its own becomes `s8`.

    Args:
        order: row `i` of the matrix is row `order[i]` of the tensor.
        output: it is the output matrix, which becomes `q6` whatever it is.
    """

    def quantised(rows: slice) -> Quantised:
        part = tensor.data[rows if order is None else order[rows]]
        return _quantised(tensor.tensor_type, part, output=output)

    return pack_rows(shape_of(tensor, output=output), quantised)


def shape_of(tensor: ReaderTensor, *, output: bool = False) -> Shape:
    """What `from_gguf` makes of a tensor."""
    columns, rows = (int(size) for size in tensor.shape)
    return Shape(_format(tensor.tensor_type, output=output), rows, columns)


def _format(type: GGMLQuantizationType, *, output: bool) -> Format:
    if output:
        return "q6"
    return READERS[type][0] if type in READERS else "s8"


def _quantised(type: GGMLQuantizationType, data: np.ndarray, *, output: bool) -> Quantised:
    if type in READERS:
        format, size, read = READERS[type]
        if not output or format == "q6":
            return read(data.reshape(len(data), -1, size))
    return quantise(torch.tensor(dequantize(data, type)), "q6" if output else "s8")


def _half(blocks: np.ndarray, start: int) -> np.ndarray:
    """The float16 at byte `start` of each block."""
    return np.ascontiguousarray(blocks[..., start : start + 2]).view(np.float16)[..., 0]


def _nibbles(blocks: np.ndarray, stride: int) -> np.ndarray:
    """`stride` bytes' low nibbles, then their high ones, and so on; (rows, blocks, weights)."""
    bytes_ = blocks.reshape(*blocks.shape[:2], -1, 1, stride)
    shift = np.array([[0], [4]], np.uint8)
    return ((bytes_ >> shift) & 15).reshape(*blocks.shape[:2], -1)


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1)


def _q4_0(blocks: np.ndarray) -> Quantised:
    """d * (q - 8)."""
    scale = _half(blocks, 0)
    return Quantised("q4", _flat(_nibbles(blocks[..., 2:], 16)), scale, 8 * scale)


def _q4_1(blocks: np.ndarray) -> Quantised:
    """d * q + m."""
    values = _flat(_nibbles(blocks[..., 4:], 16))
    return Quantised("q4", values, _half(blocks, 0), -_half(blocks, 2))


def _q5_0(blocks: np.ndarray) -> Quantised:
    """d * (q - 16): a float16, 32 high bits, 32 nibbles."""
    high = np.unpackbits(blocks[..., 2:6], axis=-1, bitorder="little")
    values = _nibbles(blocks[..., 6:], 16) | (high << 4)
    return Quantised("q5", _flat(values), _half(blocks, 0))


def _q8_0(blocks: np.ndarray) -> Quantised:
    """d * q."""
    values = np.maximum(blocks[..., 2:].view(np.int8), -127)
    return Quantised("s8", _flat(values), _half(blocks, 0))


def _q4_k(blocks: np.ndarray) -> Quantised:
    """d * scale * q - dmin * minimum: 8 groups, whose scales and minima have 6 bits each."""
    low, middle, high = (blocks[..., start : start + 4] for start in (4, 8, 12))
    scales = np.concatenate([low & 63, (high & 15) | (low >> 6 << 4)], axis=-1)
    minima = np.concatenate([middle & 63, (high >> 4) | (middle >> 6 << 4)], axis=-1)
    return Quantised(
        "q4",
        _flat(_nibbles(blocks[..., 16:], 32)),
        _flat(_product(_half(blocks, 0), scales)),
        _flat(_product(_half(blocks, 2), minima)),
    )


def _q6_k(blocks: np.ndarray) -> Quantised:
    """d * scale * (q - 32): 16 half groups; 4 low bits of each q, then 2 high ones, then scales."""
    low = _nibbles(blocks[..., :128], 64)
    twos = blocks[..., 128:192].reshape(*blocks.shape[:2], 2, 1, 32)
    high = (twos >> np.array([[0], [2], [4], [6]], np.uint8)) & 3
    values = low | (high.reshape(low.shape) << 4)
    scales = blocks[..., 192:208].view(np.int8)
    return Quantised("q6", _flat(values), _flat(_product(_half(blocks, 208), scales)))


def _product(scale: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """A block's float16 times its small integers, rounded once, to float16."""
    return (scale.astype(np.float32)[..., None] * factors).astype(np.float16)


READERS: dict[GGMLQuantizationType, tuple[Format, int, Callable[[np.ndarray], Quantised]]] = {
    GGMLQuantizationType.Q4_0: ("q4", 18, _q4_0),
    GGMLQuantizationType.Q4_1: ("q4", 20, _q4_1),
    GGMLQuantizationType.Q5_0: ("q5", 22, _q5_0),
    GGMLQuantizationType.Q8_0: ("s8", 34, _q8_0),
    GGMLQuantizationType.Q4_K: ("q4", 144, _q4_k),
    GGMLQuantizationType.Q6_K: ("q6", 210, _q6_k),
}
"""What a block becomes, its bytes, and who reads it."""
