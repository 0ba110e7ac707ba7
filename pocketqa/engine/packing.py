"""Weights of linear layers as the kernels read them: tiles of 16 rows, groups of 32 columns.

A tile's group is one record of bytes: its weights as small integers, then float16 scales. Four
formats differ in the integers (`unpack` says what a record means):

- `q5`: scale * (q - 16), q in 0..31; GGUF's Q5_0.
- `q4`: scale * q - minimum, q in 0..15; GGUF's Q4_K, Q4_0, Q4_1.
- `s8`: scale * q, q in -127..127; GGUF's Q8_0.
- `q6`: scale * (q - 32), q in 0..63, a scale for each half group of 16 columns; GGUF's Q6_K.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

Format = Literal["q5", "q4", "s8", "q6"]

TILE = 16
"""Rows of a matrix in a tile: two vectors of eight 32-bit sums."""
GROUP = 32
"""Columns that share a scale."""
RECORD: dict[Format, int] = {"q5": 352, "q4": 320, "s8": 544, "q6": 448}
"""Bytes of a record, each a multiple of a 32-byte vector."""
SCALES: dict[Format, int] = {"q5": 320, "q4": 256, "s8": 512, "q6": 384}
"""Where the float16 begin in a record."""
BLOCK = 512
"""Rows that are packed at a time: what a step makes of them stays in the processor's cache."""
FILE = "packed.safetensors"


class Quantised(NamedTuple):
    """Rows of a matrix as integers (rows, columns), with float16 scales (rows, groups)."""

    format: Format
    values: np.ndarray
    scales: np.ndarray  # `q6`: (rows, 2 * groups)
    minima: np.ndarray | None = None  # `q4` only


class Shape(NamedTuple):
    """What a packed matrix holds."""

    format: Format
    rows: int
    columns: int

    @property
    def packed(self) -> tuple[int, int, int]:
        """Its array's shape: tiles, groups, bytes of a record."""
        return -(-self.rows // TILE), self.columns // GROUP, RECORD[self.format]


@dataclass(frozen=True)
class Matrix:
    """A packed matrix; `data` is uint8 (tiles, groups, record), on a boundary of 32 bytes."""

    format: Format
    rows: int
    columns: int
    data: np.ndarray

    @property
    def shape(self) -> Shape:
        """Its format, rows and columns."""
        return Shape(self.format, self.rows, self.columns)


def pack(quantised: Quantised) -> np.ndarray:
    """The records of some rows, uint8 (tiles, groups, record); the last tile is filled with 0."""
    vectors = _vectors(quantised.values)
    tiles, groups = vectors.shape[:2]
    if quantised.format == "q5":
        # One byte for each of the 32 weights of a vector: bit j is the high bit of vector j's.
        parts = [_nibbles(vectors), np.packbits(vectors >> 4, axis=2, bitorder="little")]
    elif quantised.format == "q6":
        parts = [_nibbles(vectors), _twos(vectors)]
    elif quantised.format == "q4":
        parts = [_nibbles(vectors)]
    else:
        parts = [vectors]
    parts.append(_halves(quantised.scales, groups))
    if quantised.minima is not None:
        parts.append(_halves(quantised.minima, groups))
    return np.concatenate([part.reshape(tiles, groups, -1) for part in parts], axis=2)


def _fill(rows: np.ndarray) -> np.ndarray:
    """`rows` with rows of 0 to the end of a tile."""
    missing = -len(rows) % TILE
    return np.pad(rows, [(0, missing), (0, 0)]) if missing else rows


def _vectors(values: np.ndarray) -> np.ndarray:
    """Bytes (rows, columns) as vectors (tiles, groups, j, v, 32): 8 rows, 4 columns each."""
    fours = np.ascontiguousarray(_fill(values)).view(np.uint32)
    tiled = fours.reshape(len(fours) // TILE, 2, 8, -1, 8).transpose(0, 3, 4, 1, 2)
    return np.ascontiguousarray(tiled).view(np.uint8)


def _nibbles(vectors: np.ndarray) -> np.ndarray:
    return (vectors[:, :, :4] & 15) | (vectors[:, :, 4:] << 4)


def _twos(vectors: np.ndarray) -> np.ndarray:
    """The two high bits of each 6, of four vectors in one: (tiles, groups, half, v, 32)."""
    halves = (vectors >> 4).reshape(*vectors.shape[:2], 2, 4, 2, 32)
    twos = halves[:, :, :, 0]
    for place in range(1, 4):
        twos = twos | (halves[:, :, :, place] << 2 * place)
    return twos


def _halves(scales: np.ndarray, groups: int) -> np.ndarray:
    """float16 (rows, n * groups) as bytes (tiles, groups, n * 32)."""
    filled = _fill(scales.astype(np.float16, copy=False))
    tiled = filled.reshape(len(filled) // TILE, TILE, groups, -1).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(tiled).view(np.uint8)


def unpack(array: np.ndarray, format: Format, rows: int, columns: int) -> np.ndarray:
    """The weights that packed records stand for, float32 (rows, columns)."""
    tiles, groups, _ = array.shape
    stored = np.ascontiguousarray(array[:, :, SCALES[format] :]).view(np.float16)
    halves = stored.astype(np.float32).reshape(tiles, groups, -1, TILE).transpose(0, 3, 1, 2)
    weights = _integers(array, format)
    if format == "q4":
        weights = weights * halves[..., :1] - halves[..., 1:]
    else:
        weights = weights.reshape(*halves.shape, -1) * halves[..., None]
    return weights.reshape(tiles * TILE, columns)[:rows]


def _integers(array: np.ndarray, format: Format) -> np.ndarray:
    """q - 16, q, q, q - 32 of the four formats, float32 (tiles, 16 rows, groups, 32 columns)."""
    tiles, groups, _ = array.shape
    if format == "s8":
        vectors = array[:, :, :512].view(np.int8)
    else:
        nibbles = array[:, :, :256]
        vectors = np.concatenate([nibbles & 15, nibbles >> 4], axis=2)
    vectors = vectors.reshape(tiles, groups, 8, 2, 8, 4)
    if format == "q5":
        high = np.unpackbits(array[:, :, None, 256:320], axis=2, bitorder="little")
        vectors = vectors.astype(np.int8) + 16 * high.reshape(vectors.shape) - 16
    elif format == "q6":
        shift = np.arange(0, 8, 2, dtype=np.uint8)[:, None, None]
        twos = (array[:, :, 256:384].reshape(tiles, groups, 2, 1, 2, 32) >> shift) & 3
        vectors = vectors.astype(np.int8) + 16 * twos.reshape(vectors.shape) - 32
    tiled = vectors.transpose(0, 3, 4, 1, 2, 5).reshape(tiles, TILE, groups, GROUP)
    return tiled.astype(np.float32)


def empty(shape: Shape) -> np.ndarray:
    """An array for the records of a matrix, on a boundary of 64 bytes."""
    size = int(np.prod(shape.packed))
    room = np.empty(size + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + size].reshape(shape.packed)


def pack_rows(shape: Shape, quantised: Callable[[slice], Quantised]) -> Matrix:
    """A whole matrix, of which `quantised` gives some rows at a time."""
    data = empty(shape)
    for start in range(0, shape.rows, BLOCK):
        packed = pack(quantised(slice(start, start + BLOCK)))
        data[start // TILE : start // TILE + len(packed)] = packed
    return Matrix(*shape, data)


def write_packed(
    directory: Path, shapes: Mapping[str, Shape], matrices: Iterable[tuple[str, Matrix]]
) -> None:
    """Write `packed.safetensors`: the matrices of `shapes`, made one at a time.

    Args:
        matrices: in the order of `file_order(shapes)`.
    """
    header: dict[str, object] = {
        "__metadata__": {
            "matrices": json.dumps({name: shape._asdict() for name, shape in shapes.items()})
        }
    }
    end = 0
    for name in file_order(shapes):
        size = int(np.prod(shapes[name].packed))
        header[name] = {
            "dtype": "U8",
            "shape": shapes[name].packed,
            "data_offsets": [end, end + size],
        }
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    with (directory / FILE).open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, matrix in matrices:
            matrix.data.tofile(file)


def file_order(shapes: Mapping[str, Shape]) -> list[str]:
    """The names as they lie in the file.

    It may have no gaps: a matrix whose bytes are no multiple of 64 comes last, so that the others
    begin on a boundary of 64.
    """
    return sorted(shapes, key=lambda name: (int(np.prod(shapes[name].packed)) % 64, name))


def load_packed(directory: Path) -> dict[str, Matrix]:
    """The matrices of `packed.safetensors` by name, mapped into memory: none is read yet."""
    path = directory / FILE
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    content = np.memmap(path, np.uint8, "r", offset=8 + length)
    matrices = {}
    for name, fields in json.loads(header["__metadata__"]["matrices"]).items():
        shape = Shape(**fields)
        start, end = header[name]["data_offsets"]
        matrices[name] = Matrix(*shape, np.asarray(content[start:end]).reshape(shape.packed))
    return matrices
