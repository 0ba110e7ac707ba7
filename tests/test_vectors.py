"""Kernels on rows of float32, and attention, beside numpy's and torch's results."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numba import njit

from pocketqa.engine import vectors
from pocketqa.engine.attention import MOST_HEADS, attend

pytestmark = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"),
    reason="the processor has no AVX2",
)


# Kernels are called from compiled code alone.
@njit
def quantise_kernel(x, groups, out, scales, sums):  # type: ignore[no-untyped-def]
    vectors.quantise(x, groups, out, scales, sums)


@njit
def gated_kernel(gate, up, count, is_gelu):  # type: ignore[no-untyped-def]
    vectors.gated(gate, up, count, is_gelu)


@njit
def halve_kernel(x, count, out, stride):  # type: ignore[no-untyped-def]
    vectors.halve(x, count, out, stride)


@njit
def softmax_kernel(scores, blocks, inverse):  # type: ignore[no-untyped-def]
    vectors.softmax(scores, blocks, inverse)


def at(array: np.ndarray) -> int:
    return array.ctypes.data


def quantise(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bytes, scales and sums of a row."""
    groups = len(x) // 32
    out, scales = np.empty(len(x), np.int8), np.empty(groups, np.float32)
    sums = np.empty(2 * groups, np.int32)
    quantise_kernel(at(x), groups, at(out), at(scales), at(sums))
    return out, scales, sums


@pytest.mark.parametrize("size", [1e-30, 1e-3, 1, 1e4, 1e30])
def test_a_quantised_number_is_at_most_half_a_step_off(size: float) -> None:
    x = (np.random.default_rng(0).normal(0, 1, 320) * size).astype(np.float32)
    bytes, scales, sums = quantise(x)
    largest = np.abs(x.reshape(-1, 32)).max(1)
    assert np.allclose(scales, largest / 127, rtol=1e-6, atol=0)
    step = np.repeat(scales, 32).astype(np.float64)
    assert (np.abs(bytes * step - x) <= 0.50001 * step).all()
    assert np.abs(bytes.reshape(-1, 32).astype(int)).max(1).tolist() == [127] * 10
    assert np.array_equal(sums, bytes.reshape(-1, 16).sum(1, dtype=np.int32))


def test_both_ends_of_a_quantised_group() -> None:
    for sign in (1, -1):
        bytes, scales, sums = quantise(np.full(32, 2.54 * sign, np.float32))
        assert (bytes == 127 * sign).all() and sums.tolist() == [16 * 127 * sign] * 2
        assert scales[0] == pytest.approx(0.02)


@pytest.mark.parametrize("size", [0.0, 1e-38, 1e-42])
def test_a_group_of_0_or_near_it_does_no_harm(size: float) -> None:
    x = np.concatenate([np.full(16, size), np.full(16, -size / 2), np.ones(32)]).astype(np.float32)
    bytes, scales, sums = quantise(x)
    assert np.abs(bytes[:32] * scales[0]).max() <= 2 * size
    assert np.array_equal(sums, bytes.reshape(-1, 16).sum(1, dtype=np.int32))
    assert (bytes[32:] == 127).all()


@pytest.mark.parametrize(
    ("is_gelu", "activation"),
    [
        (0, torch.nn.functional.silu),
        (1, lambda x: torch.nn.functional.gelu(x, approximate="tanh")),
    ],
    ids=["silu", "gelu"],
)
def test_gates(is_gelu: int, activation) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(1)
    ends = [0.0, -0.0, 1e-8, -20, 20, -100, 100, -1e4, 1e4]
    gate = np.concatenate([ends, np.linspace(-12, 12, 503), rng.normal(0, 2, 512)])
    gate, up = gate.astype(np.float32), rng.normal(0, 1, 1024).astype(np.float32)
    wanted = (activation(torch.from_numpy(gate).double()) * torch.from_numpy(up)).numpy()
    gated_kernel(at(gate), at(up), 1024 // 8, is_gelu)
    assert np.allclose(gate, wanted, rtol=3e-6, atol=1e-6)


def test_halves_are_rounded_as_numpy_rounds_them() -> None:
    x = np.random.default_rng(2).normal(0, 100, 48).astype(np.float32)
    x[:4] = 1e-7, -1e6, 65504, 2049
    for stride in (2, 16):
        out = np.zeros(48 * stride // 2, np.uint16)
        halve_kernel(at(x), 48, at(out), stride)
        with np.errstate(over="ignore"):
            expected = x.astype(np.float16)
        assert np.array_equal(out[:: stride // 2].view(np.float16), expected)
        assert stride == 2 or not out.reshape(48, -1)[:, 1:].any(), "it wrote between them"


@pytest.mark.parametrize("size", [0.01, 1, 30, 1e4])
@pytest.mark.parametrize("blocks", [1, 2, 7])
def test_softmax(blocks: int, size: float) -> None:
    x = np.random.default_rng(3).normal(0, size, 8 * blocks).astype(np.float32)
    x[-3:] = vectors.LOWEST
    inverse = np.zeros(1, np.float32)
    wide = np.exp(x.astype(np.float64) - x.max())
    softmax_kernel(at(x), blocks, at(inverse))
    assert np.allclose(x * inverse, wide / wide.sum(), rtol=3e-6, atol=1e-30)


DEPTHS, TOKENS = (16, 32, 64), (1, 7, 8, 9, 16, 17, 100)


def cached(tokens: int, depth: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Keys and values, float16 (tokens, depth), and as the cache holds them.

    Behind the tokens there is what a longer sequence has left there.
    """
    rng = np.random.default_rng(tokens)
    room = -(-tokens // 16) * 16
    keys, values = rng.normal(0, 1, (2, room, depth)).astype(np.float16)
    keys[tokens:], values[tokens:] = 50, 1000
    blocks = np.ascontiguousarray(keys.reshape(-1, 8, depth).transpose(0, 2, 1))
    return keys[:tokens], values[:tokens], blocks, values


def attention(queries: np.ndarray, tokens: int, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    heads, depth = queries.shape
    chances = np.full((MOST_HEADS, 128), np.nan, np.float32)
    factors, out = np.empty(MOST_HEADS, np.float32), np.full((heads + 1, depth), 7, np.float32)
    places = at(queries), heads, at(keys), at(values), tokens, depth
    attend(*places, chances, at(factors), at(out))
    assert (out[heads] == 7).all(), "it wrote behind its heads"
    return out[:heads]


@pytest.mark.parametrize("tokens", TOKENS)
@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("heads", [1, 2, 3, 4])
def test_attention(heads: int, depth: int, tokens: int) -> None:
    keys, values, blocks, stored = cached(tokens, depth)
    queries = np.random.default_rng(4).normal(0, 0.5, (heads, depth)).astype(np.float32)
    scores = queries.astype(np.float64) @ keys.T.astype(np.float64)
    chances = np.exp(scores - scores.max(1, keepdims=True))
    wanted = chances / chances.sum(1, keepdims=True) @ values.astype(np.float64)
    out = attention(queries, tokens, blocks, stored)
    assert np.allclose(out, wanted, rtol=1e-5, atol=1e-5)
    for head in range(heads):
        alone = attention(queries[head : head + 1], tokens, blocks, stored)
        assert np.array_equal(alone[0], out[head])
