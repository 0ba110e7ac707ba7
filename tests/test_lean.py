"""Our kernels' network beside transformers' own, and that a row's bits depend on nothing else."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from tiny_networks import CONFIGS, CONTEXT, VOCABULARY, exact_logits, exact_looks, save

from pocketqa.engine import lean_loading, packing, quantising
from pocketqa.engine.network import Part

if (
    TYPE_CHECKING
):  # imported before `lean_loading` has said where, it keeps nothing that it compiles
    from pocketqa.engine.lean import LeanNetwork

pytestmark = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"),
    reason="the processor has no AVX2",
)

IDS = [7 * n % 250 for n in range(100)]


@pytest.fixture(scope="module")
def directories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("networks")
    return {name: save(place / name, config) for name, config in CONFIGS.items()}


@pytest.fixture(scope="module", params=CONFIGS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def network(name: str, directories: dict[str, Path]) -> Iterator[LeanNetwork]:
    network = lean_loading.load(directories[name], "auto", 2)
    yield network
    network.close()


@pytest.fixture(scope="module")
def alone(network: LeanNetwork) -> np.ndarray:
    """The logits after each of `IDS`, computed at once."""
    return logits(network, IDS)


def logits(network: LeanNetwork, ids: list[int]) -> np.ndarray:
    return network.forward([Part(network.new_cache(len(ids)), ids, len(ids))])[0].copy()


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_logits_are_those_of_transformers_but_for_8_bits(
    name: str, alone: np.ndarray, directories: dict[str, Path]
) -> None:
    exact = exact_logits(directories[name], IDS)
    assert alone.shape == exact.shape == (len(IDS), VOCABULARY) and alone.dtype == np.float32
    assert np.median(cosines(alone, exact)) > 0.997 and cosines(alone, exact).min() > 0.97
    assert (alone.argmax(1) == exact.argmax(1)).mean() >= 0.8


def test_looks_are_those_of_transformers(
    name: str, network: LeanNetwork, directories: dict[str, Path]
) -> None:
    cache = network.new_cache(len(IDS))
    network.forward([Part(cache, IDS[:60], 0)])
    network.forward([Part(network.new_cache(9), IDS[:9], 2), Part(cache, IDS[60:], 3)])
    exact = exact_looks(directories[name], IDS)
    layers, heads = network.shape.layers, network.shape.heads
    for layer in range(layers):
        for head in range(heads):
            look = network.look(cache, 4, layer, head)
            assert look.shape == (len(IDS),) and look.sum() == pytest.approx(1, abs=1e-4)
            assert np.abs(look - exact[layer, head]).sum() < 0.3  # of 2; 8 bits make up to 0.14


@pytest.mark.parametrize("cuts", [[50], [1, 2, 3, 5, 9], [11, 23, 86], list(range(1, 100))])
def test_the_parts_of_a_text_change_no_bit(
    network: LeanNetwork, alone: np.ndarray, cuts: list[int]
) -> None:
    cache = network.new_cache(len(IDS))
    for begin, end in zip([0, *cuts], [*cuts, len(IDS)], strict=True):
        rows = network.forward([Part(cache, IDS[begin:end], end - begin)])[0]
        assert np.array_equal(rows, alone[begin:end])
    assert cache.length == len(IDS)


def test_company_changes_no_bit(network: LeanNetwork, alone: np.ndarray) -> None:
    cache, others = network.new_cache(100), [network.new_cache(CONTEXT) for _ in range(3)]
    network.forward([Part(others[0], IDS[::-1], 0), Part(cache, IDS[:40], 0)])
    parts = [Part(others[0], [3], 1), Part(cache, IDS[40:70], 2), Part(others[1], IDS[5:90], 0)]
    rows = network.forward(parts)
    assert [len(each) for each in rows] == [1, 2, 0]
    assert np.array_equal(rows[1], alone[68:70])
    last = network.forward([Part(others[2], IDS, 100), Part(cache, IDS[70:], 30)])
    assert np.array_equal(last[1], alone[70:]) and np.array_equal(last[0], alone)


def test_a_step_of_the_most_rows(network: LeanNetwork, alone: np.ndarray) -> None:
    lengths = [100, 100, network.max_rows - 200]
    caches = [network.new_cache(100) for _ in lengths]
    parts = [Part(cache, IDS[:n], n) for cache, n in zip(caches, lengths, strict=True)]
    for rows, n in zip(network.forward(parts), lengths, strict=True):
        assert np.array_equal(rows, alone[:n])


def test_forgotten_tokens_change_no_bit(network: LeanNetwork, alone: np.ndarray) -> None:
    cache = network.new_cache(100)
    for kept in (17, 64, 3, 8):
        network.forward([Part(cache, [*IDS[cache.length : kept], *[249] * (90 - kept)], 1)])
        cache.length = kept
        rows = network.forward([Part(cache, IDS[kept : kept + 9], 9)])[0]
        assert np.array_equal(rows, alone[kept : kept + 9])
        cache.length = 0


@pytest.mark.parametrize("length", [1, 8, 21, 99])
def test_a_copy_goes_on_by_itself(network: LeanNetwork, alone: np.ndarray, length: int) -> None:
    cache = network.new_cache(100)
    network.forward([Part(cache, IDS, 0)])
    copied = cache.copy(length, 130)
    assert (copied.length, cache.length) == (length, 100) and copied.capacity >= 130
    assert copied.nbytes == network.cache_bytes(130)
    network.forward([Part(cache, [1, 2, 3], 0)])
    rows = network.forward([Part(copied, IDS[length:], 100 - length)])[0]
    assert np.array_equal(rows, alone[length:])
    cache.length = 50
    assert np.array_equal(network.forward([Part(cache, IDS[50:], 50)])[0], alone[50:])


@pytest.mark.parametrize("threads", [1, 3])
def test_the_threads_change_no_bit(
    name: str, directories: dict[str, Path], alone: np.ndarray, threads: int
) -> None:
    network = lean_loading.load(directories[name], "auto", threads)
    assert np.array_equal(logits(network, IDS), alone)
    cache = network.new_cache(100)
    for n in range(20):
        assert np.array_equal(network.forward([Part(cache, IDS[n : n + 1], 1)])[0][0], alone[n])
    network.close()


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_closing_ends_the_threads(directories: dict[str, Path]) -> None:
    before = set(os.listdir("/proc/self/task"))
    network = lean_loading.load(directories["qwen2"], "auto", 3)
    started = set(os.listdir("/proc/self/task")) - before  # torch may have started some too
    network.close()
    until = time.monotonic() + 5
    while (left := started & set(os.listdir("/proc/self/task"))) and time.monotonic() < until:
        if len(left) == len(started) - 2:
            break
        time.sleep(0.01)
    assert len(left) == len(started) - 2


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_the_precision_is_that_of_the_weights(
    name: str, directories: dict[str, Path], precision: str
) -> None:
    packed = quantising.pack_model(directories[name], "q4" if precision == "int4" else "s8")
    replaced = {
        key: torch.from_numpy(packing.unpack(each.data, each.format, each.rows, each.columns))
        for key, each in packed.items()
    }
    exact = exact_logits(directories[name], IDS, replaced)
    network = lean_loading.load(directories[name], precision, 2)
    ours = logits(network, IDS)
    network.close()
    # What is left is the activations' 8 bits, and a cache of 16.
    assert np.median(cosines(ours, exact)) > 0.998 and cosines(ours, exact).min() > 0.97


def test_packed_matrices_of_a_directory_are_taken(
    directories: dict[str, Path], tmp_path: Path
) -> None:
    directory = save(tmp_path, CONFIGS["qwen2"])
    packed = quantising.pack_model(directory, "q4")
    shapes = {key: each.shape for key, each in packed.items()}
    packing.write_packed(
        directory, shapes, [(key, packed[key]) for key in packing.file_order(shapes)]
    )
    results = []
    for precision in ("auto", "int4", "int8"):
        network = lean_loading.load(directory, precision, 2)
        results.append(logits(network, IDS))
        network.close()
    assert np.array_equal(results[0], results[1]) and not np.array_equal(results[0], results[2])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_files_of_16_bits(tmp_path: Path, dtype: torch.dtype) -> None:
    directory = save(tmp_path, CONFIGS["qwen2"], dtype)
    network = lean_loading.load(directory, "auto", 2)
    near = cosines(logits(network, IDS), exact_logits(directory, IDS))
    assert np.median(near) > 0.997 and near.min() > 0.97
    network.close()


def test_every_model_shares_what_is_compiled(network: LeanNetwork) -> None:
    from pocketqa.engine.forward import forward

    assert len(forward.signatures) == 1
    assert "kernels" in str(forward.stats.cache_path), "not kept for these sources alone"
