"""The linear layers of a whole GGUF file, packed beside the converted model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader, ReaderTensor
from safetensors import safe_open

from . import quantising
from .gguf_blocks import from_gguf, shape_of
from .packing import FILE, GROUP, TILE, file_order, load_packed, unpack, write_packed
from .quantising import EMBEDDING, LM_HEAD, weight_files

LAYER = dict(
    zip(
        ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"),
        quantising.LAYER,
        strict=True,
    )
)
"""What a GGUF file and transformers call the matrices of a layer."""


class CannotPackError(Exception):
    """The model is of another shape than the packed format is made for."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh, self.en = zh, en


def pack_gguf(reader: GGUFReader, directory: Path) -> None:
    """Write `packed.safetensors` to `directory`, which holds the same model as safetensors.

    Raises:
        CannotPackError: and no file is there.
    """
    tensors = linear_layers(reader)
    orders = {name: _row_order(reader, tensor) for name, tensor in tensors.items()}
    shapes = {name: shape_of(tensors[name], output=name == LM_HEAD) for name in tensors}
    made = (
        (name, from_gguf(tensors[name], orders[name], output=name == LM_HEAD))
        for name in file_order(shapes)
    )
    with _one_thread():
        write_packed(directory, shapes, made)
    try:
        _compare(directory)
    except CannotPackError:
        (directory / FILE).unlink()
        raise


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch to one thread: a block's operators are too short to be shared out.

    Its threads spin while they wait for each other. That is dear where other programs run.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def linear_layers(reader: GGUFReader) -> dict[str, ReaderTensor]:
    """The tensors to pack, by the names that transformers gives them.

    Raises:
        CannotPackError: one is missing, or has no groups of 32 columns.
    """
    stored = {tensor.name: tensor for tensor in reader.tensors}
    names = {LM_HEAD: "output.weight" if "output.weight" in stored else "token_embd.weight"}
    for layer in range(int(_field(reader, "block_count"))):
        for ours, theirs in LAYER.items():
            names[f"model.layers.{layer}.{theirs}.weight"] = f"blk.{layer}.{ours}.weight"
    for name in names.values():
        if name not in stored:
            raise CannotPackError(f"模型没有张量 {name}", f"the model has no tensor {name}")
        shape = [int(size) for size in stored[name].shape]
        if len(shape) != 2 or shape[0] % GROUP:
            raise CannotPackError(
                f"张量 {name} 的形状 {shape} 不合要求", f"the tensor {name} has the shape {shape}"
            )
    return {theirs: stored[name] for theirs, name in names.items()}


def _field(reader: GGUFReader, key: str) -> int:
    """An integer of the model's architecture."""
    architecture = reader.fields["general.architecture"].contents()
    field = reader.fields.get(f"{architecture}.{key}")
    if field is None:
        raise CannotPackError(f"文件没有字段 {key}", f"the file has no field {key}")
    value: int = field.contents()
    return value


def _row_order(reader: GGUFReader, tensor: ReaderTensor) -> np.ndarray | None:
    """The tensor's rows in the model's order, where that is another.

    A Llama's file has the two halves of each query and key head interleaved, as llama.cpp rotates
    neighbours; transformers rotates halves.
    """
    if reader.fields["general.architecture"].contents() != "llama":
        return None
    if ".attn_q." in tensor.name:
        heads = _field(reader, "attention.head_count")
    elif ".attn_k." in tensor.name:
        heads = _field(reader, "attention.head_count_kv")
    else:
        return None
    rows = np.arange(int(tensor.shape[1]))
    return rows.reshape(heads, -1, 2).swapaxes(1, 2).ravel()


def _compare(directory: Path) -> None:
    """Raise unless the first tile of each packed matrix says what the model's own weights do.

    transformers rearranges the weights of some architectures; that shows here.
    """
    files = weight_files(directory)
    for name, matrix in load_packed(directory).items():
        source = name if name in files else EMBEDDING if name == LM_HEAD else None
        if source is None:
            raise CannotPackError(f"模型没有权重 {name}", f"the model has no weight {name}")
        with safe_open(files[source], "pt") as weights:
            part = weights.get_slice(source)
            same = part.get_shape() == [matrix.rows, matrix.columns]
            own = part[:TILE].float().numpy()
        rows = min(matrix.rows, TILE)
        packed = unpack(matrix.data[:1], matrix.format, rows, matrix.columns) if same else None
        # bfloat16 rounds by up to 1/256, 8 bits of a float by 1/254 of the largest; 6 bits by the
        # least squared error of 16 weights, of which one may have all: 2 steps of 31.
        limit = 0.07 if matrix.format == "q6" else 0.01
        if packed is None or np.abs(packed - own).max() > limit * np.abs(own).max():
            raise CannotPackError(
                f"转换后的权重 {name} 与文件中的不同", f"the converted {name} is not the file's"
            )
