"""Products of rows with packed matrices: which kernel for which format and how many rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from .packing import TILE
from .products import FORMATS, ROWS, UNPACKED, tile_product, unpacking
from .sync import fetch_add

Q5, Q4, S8, Q6 = range(4)
"""Formats of `products.FORMATS`, as the compiled code names them."""
RECORDS = tuple(form.record for form in FORMATS)
UNPACK_FROM = 12
"""So many rows pay for unpacking a tile once into scratch memory."""
SCRATCH_RECORD = max(form.record for form in UNPACKED)
ADDRESS, FORMAT, TILES, GROUPS, COLUMN = range(5)
"""Columns of a table of matrices; the last is where its output begins."""
APART = ((0,), (1,))

# numba takes kernels by their names: four for each format, for one to four rows.
q5_1, q5_2, q5_3, q5_4 = (tile_product(FORMATS[Q5], rows) for rows in (1, 2, 3, 4))
q4_1, q4_2, q4_3, q4_4 = (tile_product(FORMATS[Q4], rows) for rows in (1, 2, 3, 4))
q6_1, q6_2, q6_3, q6_4 = (tile_product(FORMATS[Q6], rows) for rows in (1, 2, 3, 4))
s8_1, s8_2 = (tile_product(FORMATS[S8], rows) for rows in (1, 2))
# One vector after the other where the sums of both would not stay in registers.
s8_3, s8_4 = (tile_product(FORMATS[S8], rows, APART) for rows in (3, 4))
u5_4, u4_4, u6_4 = (tile_product(form, ROWS) for form in UNPACKED)
unpack_q5, unpack_q4, unpack_q6 = (
    unpacking(FORMATS[packed], form) for packed, form in zip((Q5, Q4, Q6), UNPACKED, strict=True)
)


class Quantised(NamedTuple):
    """Rows of activations as bytes, in groups of 32 columns."""

    bytes: np.ndarray
    """int8 (rows, columns)."""
    scales: np.ndarray
    """float32 (rows, groups)."""
    sums: np.ndarray
    """int32 (rows, 2 * groups): of the bytes of half groups."""


@njit
def _few_rows(form, rows, args):  # type: ignore[no-untyped-def]
    """One to four rows with a tile as it is stored."""
    if form == Q5:
        if rows == 4:
            q5_4(*args)
        elif rows == 3:
            q5_3(*args)
        elif rows == 2:
            q5_2(*args)
        else:
            q5_1(*args)
    elif form == Q4:
        if rows == 4:
            q4_4(*args)
        elif rows == 3:
            q4_3(*args)
        elif rows == 2:
            q4_2(*args)
        else:
            q4_1(*args)
    elif form == S8:
        if rows == 4:
            s8_4(*args)
        elif rows == 3:
            s8_3(*args)
        elif rows == 2:
            s8_2(*args)
        else:
            s8_1(*args)
    elif rows == 4:
        q6_4(*args)
    elif rows == 3:
        q6_3(*args)
    elif rows == 2:
        q6_2(*args)
    else:
        q6_1(*args)


@njit
def multiply_tile(matrix, tile, x, rows, out, out_row, scratch):  # type: ignore[no-untyped-def]
    """All rows of `x` with one tile of `matrix`, a row of the table; `out` is an address."""
    form, groups = matrix[FORMAT], matrix[GROUPS]
    at = matrix[ADDRESS] + tile * groups * RECORDS[form]
    x_row, s_row = x.bytes.shape[1], x.scales.shape[1] * 4
    bytes_at, scales, sums = x.bytes.ctypes.data, x.scales.ctypes.data, x.sums.ctypes.data
    unpacked = rows >= UNPACK_FROM and form != S8
    if unpacked:
        if form == Q5:
            unpack_q5(at, scratch, groups)
        elif form == Q4:
            unpack_q4(at, scratch, groups)
        else:
            unpack_q6(at, scratch, groups)
    row = 0
    while row < rows:
        n = min(ROWS, rows - row)
        from_ = scratch if unpacked and n == ROWS else at
        args = (
            from_,
            bytes_at + row * x_row,
            x_row,
            scales + row * s_row,
            sums + row * s_row * 2,
            s_row,
            out + row * out_row,
            out_row,
            groups,
        )
        if from_ == at:
            _few_rows(form, n, args)
        elif form == Q5:
            u5_4(*args)
        elif form == Q4:
            u4_4(*args)
        else:
            u6_4(*args)
        row += n


@njit
def piece_of(items, rows, threads):  # type: ignore[no-untyped-def]
    """How many items a thread takes at a time: few enough that none waits long for the last."""
    return min(max(items // (threads * 8), 1), 64) if rows < UNPACK_FROM else 1


@njit
def multiply(matrices, x, rows, out, scratch, counter, threads):  # type: ignore[no-untyped-def]
    """`out[:rows]` = rows of `x` times each of `matrices`; every thread takes tiles of it."""
    tiles = matrices[:, TILES].sum()
    piece = piece_of(tiles, rows, threads)
    out_row = out.shape[1] * 4
    while True:
        first = fetch_add(counter, piece)
        if first >= tiles:
            return
        for n in range(first, min(first + piece, tiles)):
            which, tile = 0, n
            while tile >= matrices[which, TILES]:
                tile -= matrices[which, TILES]
                which += 1
            column = matrices[which, COLUMN] + tile * TILE
            multiply_tile(
                matrices[which], tile, x, rows, out.ctypes.data + column * 4, out_row, scratch
            )
