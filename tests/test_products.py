"""Products of packed weights and quantised rows: exact sums, the same bits in any company."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pocketqa.engine import packing, tiles
from pocketqa.engine.packing import Format
from pocketqa.engine.products import FORMATS, UNPACKED

pytestmark = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"),
    reason="the processor has no AVX2",
)

OUTPUTS, COLUMNS, GROUPS = 40, 96, 3
LIMITS: dict[Format, tuple[int, int]] = {"q5": (0, 31), "q4": (0, 15), "s8": (-127, 127)}
LIMITS["q6"] = (0, 63)
ROWS = (1, 2, 3, 4, 5, tiles.UNPACK_FROM - 1, tiles.UNPACK_FROM, 17, 33)
INTO = {unpacked.bits: unpacked for unpacked in UNPACKED}


def matrix(format: Format, values: np.ndarray | None = None) -> packing.Matrix:
    """Random scales, and random weights unless they are given."""
    rng = np.random.default_rng(1)
    low, high = LIMITS[format]
    if values is None:
        values = rng.integers(low, high, (OUTPUTS, COLUMNS), endpoint=True)
    halves = 2 if format == "q6" else 1
    scales = rng.normal(0, 0.02, (OUTPUTS, GROUPS * halves)).astype(np.float16)
    minima = rng.normal(0, 0.1, (OUTPUTS, GROUPS)).astype(np.float16)
    kind = np.int8 if format == "s8" else np.uint8
    stored = packing.Quantised(
        format, values.astype(kind), scales, minima if format == "q4" else None
    )
    shape = packing.Shape(format, OUTPUTS, COLUMNS)
    data = packing.empty(shape)
    data[:] = packing.pack(stored)
    return packing.Matrix(*shape, data)


def activations(rows: int, bytes: np.ndarray | None = None) -> tiles.Quantised:
    """Rows of bytes with random scales, and the sums that belong to them."""
    rng = np.random.default_rng(2)
    if bytes is None:
        bytes = rng.integers(-127, 127, (rows, COLUMNS), endpoint=True)
    sums = bytes.reshape(rows, 2 * GROUPS, 16).sum(2).astype(np.int32)
    scales = rng.uniform(0.01, 1, (rows, GROUPS)).astype(np.float32)
    return tiles.Quantised(np.ascontiguousarray(bytes, np.int8), scales, sums)


def multiply(matrices: list[packing.Matrix], x: tiles.Quantised, threads: int = 1) -> np.ndarray:
    """The products with each matrix, its outputs beside those of the one before."""
    names = [form.name for form in FORMATS]
    table, width = [], 0
    for each in matrices:
        count, groups, _ = each.data.shape
        table.append((each.data.ctypes.data, names.index(each.format), count, groups, width))
        width += count * 16
    rows = len(x.bytes)
    out = np.full((rows + 1, width), np.nan, np.float32)
    scratch, counter = np.zeros(GROUPS * tiles.SCRATCH_RECORD, np.uint8), np.zeros(1, np.int64)
    addresses = scratch.ctypes.data, counter.ctypes.data
    tiles.multiply(np.array(table, np.int64), x, rows, out, *addresses, threads)
    assert np.isnan(out[rows]).all(), "it wrote behind its rows"
    return out[:rows]


def exact(one: packing.Matrix, x: tiles.Quantised) -> tuple[np.ndarray, np.ndarray]:
    """The products in float64, and the sums of the terms' magnitudes."""
    weights = packing.unpack(one.data, one.format, OUTPUTS, COLUMNS).astype(np.float64)
    rows = x.bytes.astype(np.float64) * np.repeat(x.scales, 32, axis=1)
    return rows @ weights.T, np.abs(rows) @ np.abs(weights).T


def row_of(x: tiles.Quantised, row: int) -> tiles.Quantised:
    return tiles.Quantised(*(np.ascontiguousarray(part[row : row + 1]) for part in x))


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("format", LIMITS)
def test_products_are_those_of_the_unpacked_weights(format: Format, rows: int) -> None:
    one, x = matrix(format), activations(rows)
    wanted, size = exact(one, x)
    out = multiply([one], x)
    assert (np.abs(out[:, :OUTPUTS] - wanted) <= 1e-6 * size).all()
    assert not out[:, OUTPUTS:].any(), "the last tile is filled with 0"


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("format", LIMITS)
def test_a_row_has_the_same_bits_alone_and_in_company(format: Format, rows: int) -> None:
    one, x = matrix(format), activations(rows)
    together = multiply([one], x)
    for row in range(rows):
        assert np.array_equal(multiply([one], row_of(x, row))[0], together[row])


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize("format", LIMITS)
def test_the_largest_numbers_fit_into_16_bits(format: Format, end: int, sign: int) -> None:
    values = np.full((OUTPUTS, COLUMNS), LIMITS[format][end])
    one = matrix(format, values)
    for rows in (1, 2, 3, 4, 17):
        x = activations(rows, np.full((rows, COLUMNS), 127 * sign))
        wanted, size = exact(one, x)
        if format == "q4":  # a weight is a difference there: its terms may be larger than it
            size = size + np.abs(x.bytes) @ np.full((COLUMNS, OUTPUTS), 0.5)
        assert (np.abs(multiply([one], x)[:, :OUTPUTS] - wanted) <= 1e-6 * size + 1e-6).all()


def test_alternating_signs_of_the_largest_numbers() -> None:
    signs = np.where(np.arange(COLUMNS) % 2, 1, -1)
    one = matrix("s8", np.tile(127 * signs, (OUTPUTS, 1)))
    x = activations(4, np.tile(127 * signs, (4, 1)))
    wanted, size = exact(one, x)
    assert (np.abs(multiply([one], x)[:, :OUTPUTS] - wanted) <= 1e-6 * size).all()


def test_a_group_without_a_scale_gives_0() -> None:
    for format in LIMITS:
        one = matrix(format)
        scales = next(form for form in FORMATS if form.name == format).scales_at
        one.data[:, :, scales:] = 0
        assert not multiply([one], activations(5)).any()


def test_matrices_of_several_formats_lie_beside_each_other() -> None:
    x, several = activations(13), [matrix(format) for format in LIMITS]
    beside = multiply(several, x)
    for n, one in enumerate(several):
        assert np.array_equal(beside[:, 48 * n : 48 * n + 48], multiply([one], x))


@pytest.mark.parametrize("threads", [2, 3])
def test_pieces_change_nothing(threads: int) -> None:
    one = matrix("q5")
    for rows in (3, 17):
        assert np.array_equal(multiply([one], activations(rows), threads),
                              multiply([one], activations(rows)))  # fmt: skip


def test_the_layouts_are_those_that_are_packed() -> None:
    for form in FORMATS:
        assert packing.RECORD[form.name] == form.record  # type: ignore[index]
        assert packing.SCALES[form.name] == form.scales_at  # type: ignore[index]
        if form.packed:
            assert INTO[form.bits].scales == form.scales and INTO[form.bits].zero == form.zero
    assert (tiles.Q5, tiles.Q4, tiles.S8, tiles.Q6) == tuple(
        [form.name for form in FORMATS].index(name) for name in ("q5", "q4", "s8", "q6")
    )
