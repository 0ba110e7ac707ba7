"""Packed weights: the bytes of a record, and that nothing but float16 rounding is lost."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type
from safetensors import safe_open

from pocketqa.engine.gguf_blocks import from_gguf, shape_of
from pocketqa.engine.packing import (
    RECORD,
    Format,
    Matrix,
    Quantised,
    file_order,
    load_packed,
    pack,
    unpack,
    write_packed,
)

ROWS, COLUMNS = 40, 96
LIMITS: dict[Format, tuple[int, int]] = {
    "q5": (0, 31), "q4": (0, 15), "s8": (-127, 127), "q6": (0, 63)
}  # fmt: skip


def random_matrix(format: Format, rows: int = ROWS, columns: int = COLUMNS) -> Quantised:
    rng = np.random.default_rng(3)
    low, high = LIMITS[format]
    kind = np.int8 if low < 0 else np.uint8
    groups = columns // (16 if format == "q6" else 32)
    scales, minima = rng.normal(0, 0.01, (2, rows, groups)).astype(np.float16)
    values = rng.integers(low, high, (rows, columns), dtype=kind, endpoint=True)
    return Quantised(format, values, scales, minima if format == "q4" else None)


def weights(matrix: Quantised) -> np.ndarray:
    """What the formats are said to mean, weight by weight."""
    width = matrix.values.shape[1] // matrix.scales.shape[1]
    zero = {"q5": 16, "q6": 32}.get(matrix.format, 0)
    values = matrix.values.astype(np.float32) - zero
    scaled = values * np.repeat(matrix.scales.astype(np.float32), width, axis=1)
    if matrix.minima is None:
        return scaled
    return scaled - np.repeat(matrix.minima.astype(np.float32), width, axis=1)


@pytest.mark.parametrize("format", LIMITS)
def test_unpacked_weights_are_those_packed(format: Format) -> None:
    matrix = random_matrix(format)
    array = pack(matrix)
    assert array.shape == (3, 3, RECORD[format]) and array.dtype == np.uint8
    assert np.array_equal(unpack(array, format, ROWS, COLUMNS), weights(matrix))
    assert not unpack(array, format, 48, COLUMNS)[ROWS:].any()  # the last tile's filling


# Row 9 is v 1, o 1; column 21 is j 5, kk 1. 22 is 0b10110, 38 0b100110; 1.0 is 0x3C00 as float16.
@pytest.mark.parametrize(
    ("format", "value", "record"),
    [
        ("q5", 22, {3 * 32 + 5: 6 << 4, 256 + 32 + 5: 1 << 5, 320 + 19: 0x3C}),
        ("q4", 6, {3 * 32 + 5: 6 << 4, 256 + 19: 0x3C, 288 + 19: 0x40}),
        ("s8", -3, {11 * 32 + 5: 253, 512 + 19: 0x3C}),
        ("q6", 38, {3 * 32 + 5: 6 << 4, 256 + 3 * 32 + 5: 0b10 << 2, 416 + 19: 0x3C}),
    ],
)
def test_a_record_by_hand(format: Format, value: int, record: dict[int, int]) -> None:
    halves = 2 if format == "q6" else 1
    values = np.zeros((16, 32), np.int8 if value < 0 else np.uint8)
    scales, minima = np.zeros((16, halves), np.float16), np.zeros((16, 1), np.float16)
    values[9, 21], scales[9, -1], minima[9] = value, 1, 2
    packed = pack(Quantised(format, values, scales, minima if format == "q4" else None))
    expected = np.zeros((1, 1, RECORD[format]), np.uint8)
    expected[0, 0, list(record)] = list(record.values())
    assert np.array_equal(packed, expected)


def blocks(type: Type, rows: int, columns: int) -> np.ndarray:
    """A tensor's bytes: quantised by the library, or random ones where it cannot."""
    rng = np.random.default_rng(5)
    if type not in (Type.Q4_K, Type.Q5_K, Type.Q6_K):
        return gguf.quants.quantize(rng.normal(0, 0.1, (rows, columns)).astype(np.float32), type)
    size = gguf.GGML_QUANT_SIZES[type][1]
    data = rng.integers(0, 256, (rows, columns // 256, size), dtype=np.uint8)
    # The super-block's float16 alone must not be random: they could be infinite.
    places = (size - 2,) if type == Type.Q6_K else (0, 2)
    for start in places:
        scale = rng.uniform(0.0005, 0.002, (rows, columns // 256, 1)).astype(np.float16)
        data[..., start : start + 2] = scale.view(np.uint8)
    return data.reshape(rows, -1)


def stored(path: Path, type: Type, data: np.ndarray) -> gguf.ReaderTensor:
    """The tensor as it is read back from a GGUF file."""
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_tensor("weight", data, raw_dtype=type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return gguf.GGUFReader(path).tensors[0]


# The product of two scales is rounded to float16 (1/2048 of the largest weight), or nothing is.
@pytest.mark.parametrize(
    ("type", "format", "rounding"),
    [
        (Type.Q4_0, "q4", 0),
        (Type.Q4_1, "q4", 0),
        (Type.Q5_0, "q5", 0),
        (Type.Q8_0, "s8", 0),
        (Type.Q4_K, "q4", 1 / 2048),
        (Type.Q6_K, "q6", 1 / 2048),
        (Type.Q5_1, "s8", 1 / 127),
        (Type.Q5_K, "s8", 1 / 127),
        (Type.BF16, "s8", 1 / 127),
        (Type.F16, "s8", 1 / 127),
        (Type.F32, "s8", 1 / 127),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_blocks_of_a_gguf(tmp_path: Path, type: Type, format: Format, rounding: float) -> None:
    tensor = stored(tmp_path / "one.gguf", type, blocks(type, 520, 512))
    exact = gguf.quants.dequantize(tensor.data, type)
    matrix = from_gguf(tensor)
    assert (matrix.format, matrix.rows, matrix.columns) == (format, 520, 512)
    packed = unpack(matrix.data, format, 520, 512)
    assert np.abs(packed - exact).max() <= rounding * np.abs(exact).max()


# Of normal weights the largest of 16 is about twice their spread: half a step is a 30th of that.
@pytest.mark.parametrize(
    ("type", "rounding"),
    [(Type.Q6_K, 1 / 2048), (Type.Q8_0, 0.02), (Type.Q5_0, 0.02), (Type.F16, 0.02)],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_output_matrix_has_6_bits(tmp_path: Path, type: Type, rounding: float) -> None:
    tensor = stored(tmp_path / "one.gguf", type, blocks(type, 520, 512))
    exact = gguf.quants.dequantize(tensor.data, type)
    matrix = from_gguf(tensor, output=True)
    assert matrix.shape == shape_of(tensor, output=True) == ("q6", 520, 512)
    error = unpack(matrix.data, "q6", 520, 512) - exact
    assert np.linalg.norm(error) <= rounding * np.linalg.norm(exact)


def test_rows_in_another_order(tmp_path: Path) -> None:
    tensor = stored(tmp_path / "one.gguf", Type.Q8_0, blocks(Type.Q8_0, 32, 64))
    order = np.random.default_rng(0).permutation(32)
    packed = unpack(from_gguf(tensor, order).data, "s8", 32, 64)
    assert np.array_equal(packed, gguf.quants.dequantize(tensor.data, Type.Q8_0)[order])


def test_the_lowest_byte_of_q8_0_is_brought_into_range(tmp_path: Path) -> None:
    data = np.full((16, 34), 0x80, np.uint8)
    data[:, :2] = np.array([1], np.float16).view(np.uint8)
    matrix = from_gguf(stored(tmp_path / "one.gguf", Type.Q8_0, data))
    assert (unpack(matrix.data, "s8", 16, 32) == -127).all()


def test_a_file_of_matrices(tmp_path: Path) -> None:
    written = {}
    # The first has an odd number of 32-byte pieces: it must not come before the others.
    for name, format, rows in (("a", "s8", 16), ("b", "q5", 40), ("c", "q4", 16)):
        written[name] = Matrix(format, rows, COLUMNS, pack(random_matrix(format, rows)))
    shapes = {name: matrix.shape for name, matrix in written.items()}
    write_packed(tmp_path, shapes, [(name, written[name]) for name in file_order(shapes)])
    read = load_packed(tmp_path)
    assert read.keys() == written.keys()
    for name, matrix in read.items():
        assert matrix.shape == shapes[name] and np.array_equal(matrix.data, written[name].data)
        assert matrix.data.ctypes.data % 32 == 0 and not matrix.data.flags.writeable
    with safe_open(tmp_path / "packed.safetensors", "np") as file:
        assert np.array_equal(file.get_tensor("b"), written["b"].data)
