"""From a model's directory to a `LeanNetwork`, or the reason why it cannot be one."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import platformdirs
import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM

from .packing import FILE, Matrix, load_packed
from .quantising import EMBEDDING, LAYER, LM_HEAD, pack_model, weight_files
from .stock import head_depth

if TYPE_CHECKING:
    from .lean import LeanNetwork

log = logging.getLogger(__name__)

KNOWN = {"llama", "mistral", "qwen2", "qwen3", "gemma"}
MOST_CONTEXT = 32_768
"""Tokens of a sequence: the rotary embedding is tabulated so far."""
KERNELS = (
    "packing",
    "simd",
    "products",
    "vectors",
    "attention",
    "sync",
    "tiles",
    "shapes",
    "forward",
)
"""The modules that are compiled, and those whose numbers are."""
NORMS = ("input_layernorm", "post_attention_layernorm")
HEAD_NORMS = ("self_attn.q_norm", "self_attn.k_norm")
BIASES = tuple(f"self_attn.{name}_proj.bias" for name in "qkv")


class UnsupportedError(Exception):
    """Why the lean network does not know a model."""


def load(
    source: Path | str,
    precision: str,
    threads: int,
    reading_heads: Sequence[tuple[int, int]] = (),
) -> LeanNetwork:
    """A network of our kernels.

    Args:
        source: a directory with `config.json` and safetensors.
        precision: `int8`, `int4` or `auto`: the file's own numbers if it was packed, else int8.
        reading_heads: (layer, head), see `LeanNetwork`.

    Raises:
        UnsupportedError: the processor, or the model, is not one that the kernels know.
    """
    directory = Path(source)
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        raise UnsupportedError("the processor has no AVX2")
    if not directory.is_dir():
        raise UnsupportedError("it is not a local directory")
    config = AutoConfig.from_pretrained(directory)
    with ExitStack() as files:
        tensors = _Tensors(directory, files)
        _check(config, tensors)
        turns = _turns(config)
        matrices = _matrices(directory, precision)
        _keep_compiled_kernels()
        # After the kernels' place is known: numba looks when it meets them.
        from . import lean
        from .shapes import Shape, Weights

        shape = Shape(
            layers=config.num_hidden_layers,
            hidden=config.hidden_size,
            heads=config.num_attention_heads,
            kv_heads=config.num_key_value_heads,
            depth=head_depth(config),
            feed_forward=config.intermediate_size,
            epsilon=float(config.rms_norm_eps),
            is_gelu=int(config.hidden_act != "silu"),
            has_head_norms=int(config.model_type == "qwen3"),
        )
        ordered = [
            matrices[f"model.layers.{layer}.{name}.weight"]
            for layer in range(shape.layers)
            for name in LAYER
        ] + [matrices[LM_HEAD]]
        is_gemma = config.model_type == "gemma"
        weights = Weights(
            lean.table(ordered, shape),
            _norms(tensors, shape.layers) + np.float32(is_gemma),
            _biases(tensors, shape),
            _head_norms(tensors, shape),
            turns,
        )
        embedding = tensors[EMBEDDING]
        factor = config.hidden_size**0.5 if is_gemma else 1.0
        network = lean.LeanNetwork(
            shape, weights, ordered, embedding, factor, threads, reading_heads
        )
        network.warm_up()
    formats = ", ".join(sorted({matrix.format for matrix in ordered}))
    log.info("model %s loaded: %s, %d threads", source, formats, threads)
    return network


def prepare(directory: Path) -> None:
    """Compile the kernels, so that the first start does not wait for them; 20 s, once.

    What cannot be loaded is left to that start, which says why.
    """
    with contextlib.suppress(UnsupportedError, OSError, ValueError, KeyError):
        load(directory, "auto", 1).close()


class _Tensors:
    """The tensors of a directory by name, mapped into memory."""

    def __init__(self, directory: Path, files: ExitStack) -> None:
        try:
            paths = weight_files(directory)
        except FileNotFoundError:
            raise UnsupportedError("it has no safetensors of the usual names") from None
        opened = {
            path: files.enter_context(safe_open(path, "pt"))
            for path in dict.fromkeys(paths.values())
        }
        self._file_of: dict[str, Any] = {name: opened[path] for name, path in paths.items()}

    def __contains__(self, name: str) -> bool:
        return name in self._file_of

    def __iter__(self) -> Iterator[str]:
        return iter(self._file_of)

    def __getitem__(self, name: str) -> torch.Tensor:
        tensor: torch.Tensor = self._file_of[name].get_tensor(name)
        return tensor

    def array(self, name: str) -> np.ndarray:
        """As float32."""
        return self[name].float().numpy()


def _check(config: Any, tensors: _Tensors) -> None:
    """Raise UnsupportedError with the first thing that the kernels do not compute."""
    kind = config.model_type
    if kind not in KNOWN:
        raise UnsupportedError(f"models of type {kind} are not known")
    if getattr(config, "quantization_config", None):
        raise UnsupportedError("its weights are quantised already")
    window = getattr(config, "sliding_window", None)
    if window and getattr(config, "use_sliding_window", True) and kind != "gemma":
        raise UnsupportedError("it has a sliding window")
    activations = ("gelu_pytorch_tanh",) if kind == "gemma" else ("silu",)
    if config.hidden_act not in activations:
        raise UnsupportedError(f"its activation is {config.hidden_act}")
    heads, kv_heads, depth = (
        config.num_attention_heads,
        config.num_key_value_heads,
        head_depth(config),
    )
    if heads % kv_heads or depth % 16 or heads // kv_heads * depth % 32:
        raise UnsupportedError(f"{heads} heads over {kv_heads} of {depth} numbers")
    if config.hidden_size % 32 or config.intermediate_size % 32:
        raise UnsupportedError("its sizes are no multiples of 32")
    known = {EMBEDDING, "model.norm.weight", LM_HEAD}
    for layer in range(config.num_hidden_layers):
        names = [f"{name}.weight" for name in (*LAYER, *NORMS)] + list(BIASES)
        names += [f"{name}.weight" for name in HEAD_NORMS] if kind == "qwen3" else []
        known |= {f"model.layers.{layer}.{name}" for name in names}
    unknown = sorted(set(tensors) - known)
    if unknown:
        raise UnsupportedError(f"the parameter {unknown[0]} is not known")
    if EMBEDDING not in tensors:
        raise UnsupportedError("it has no safetensors of the usual names")


def _matrices(directory: Path, precision: str) -> dict[str, Matrix]:
    if precision == "auto" and (directory / FILE).exists():
        return load_packed(directory)
    try:
        return pack_model(directory, "q4" if precision == "int4" else "s8")
    except ValueError as error:
        raise UnsupportedError(str(error)) from error


def _turns(config: Any) -> np.ndarray:
    """`forward.Weights.turns`, as the model's own rotary embedding gives them."""
    if (plain := _plain_turns(config)) is not None:
        return plain
    with torch.device("meta"):
        empty: Any = AutoModelForCausalLM.from_config(config)
    rotary = type(empty.model.rotary_emb)(config)
    if getattr(rotary, "rope_type", "default") in ("dynamic", "longrope"):
        raise UnsupportedError(f"its rotary embedding is {rotary.rope_type}")
    context = min(config.max_position_embeddings, MOST_CONTEXT)
    cosines, sines = rotary(torch.zeros(1), torch.arange(context)[None])
    depth = head_depth(config)
    if cosines.shape[-1] != depth:
        raise UnsupportedError("its rotary embedding turns a part of each head")
    halves = [part[0, :, : depth // 2].float().numpy() for part in (cosines, sines)]
    return np.ascontiguousarray(np.stack(halves, axis=1))


def _plain_turns(config: Any) -> np.ndarray | None:
    """The same for the usual embedding (Su et al. 2021), without the model's code.

    To import that takes half of the time in which the engine is ready. None for any other kind.
    """
    rope = dict(getattr(config, "rope_parameters", None) or {})
    theta = rope.pop("rope_theta", None)
    if theta is None or rope != {"rope_type": "default"}:
        return None
    depth = head_depth(config)
    exponents = torch.arange(0, depth, 2, dtype=torch.int64).float() / depth
    context = min(config.max_position_embeddings, MOST_CONTEXT)
    angles = torch.outer(torch.arange(context).float(), 1.0 / theta**exponents)
    return np.ascontiguousarray(np.stack([angles.cos().numpy(), angles.sin().numpy()], axis=1))


def _norms(tensors: _Tensors, layers: int) -> np.ndarray:
    names = [f"model.layers.{layer}.{name}.weight" for layer in range(layers) for name in NORMS]
    return np.stack([tensors.array(name) for name in [*names, "model.norm.weight"]])


def _biases(tensors: _Tensors, shape: Any) -> np.ndarray:
    sizes = np.array([shape.heads, shape.kv_heads, shape.kv_heads]) * shape.depth
    biases = np.zeros((shape.layers, sizes.sum()), np.float32)
    begins = np.cumsum(sizes) - sizes
    for layer in range(shape.layers):
        for name, begin, size in zip(BIASES, begins, sizes, strict=True):
            full = f"model.layers.{layer}.{name}"
            if full in tensors:
                biases[layer, begin : begin + size] = tensors.array(full)
    return biases


def _head_norms(tensors: _Tensors, shape: Any) -> np.ndarray:
    if not shape.has_head_norms:
        return np.zeros((2, shape.depth), np.float32)
    names = [f"model.layers.{n}.{name}.weight" for n in range(shape.layers) for name in HEAD_NORMS]
    return np.stack([tensors.array(name) for name in names])


def _keep_compiled_kernels() -> None:
    """Let numba keep what it compiles, apart for each version of our sources.

    numba itself looks at the time of one file only, and at that beside the installed package.
    """
    digest = hashlib.sha256()
    for name in KERNELS:
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    place = Path(platformdirs.user_cache_dir("pocketqa")) / "kernels" / digest.hexdigest()[:16]
    try:
        place.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=place).close()
        if not any(place.iterdir()):
            log.info("compiling the kernels, once: about 20 s")
    except OSError as error:
        log.warning("compiled kernels cannot be kept in %s: %s", place, error)
        place = Path(tempfile.mkdtemp(prefix="pocketqa-kernels-"))
    numba.config.CACHE_DIR = str(place)  # type: ignore[attr-defined]
