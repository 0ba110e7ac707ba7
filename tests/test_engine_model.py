"""The real model's parts with a real transformers model, a tiny one of random weights."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, DynamicCache

from pocketqa.engine import Engine, Message, Options, lean_loading, model
from pocketqa.engine.model import LoadedModel
from pocketqa.engine.network import Part
from pocketqa.errors import ModelError, RequestError

pytest_plugins = ["tiny"]
ASK: list[Message] = [{"role": "user", "content": "身份证 ab"}]


@pytest.fixture(scope="module")
def loaded(converted: Path) -> LoadedModel:
    return model.load(converted, precision="float32", max_prompt_tokens=100)


@pytest.fixture
def engine(loaded: LoadedModel) -> Iterator[Engine]:
    closing, loaded.close = loaded.close, lambda: None  # type: ignore[method-assign]
    engine = Engine(lambda: loaded)
    engine.wait()
    yield engine
    engine.close()
    loaded.close = closing  # type: ignore[method-assign]


@pytest.fixture(scope="module")
def plain(converted: Path) -> torch.nn.Module:
    """The same model as transformers has it."""
    return AutoModelForCausalLM.from_pretrained(converted, dtype=torch.float32).eval()


def greedy(loaded: LoadedModel, plain: torch.nn.Module, asked: list[Message], n: int) -> list[int]:
    """The likeliest tokens, each from a forward pass over everything before it, up to an end."""
    prompt = loaded.prompt_ids(asked)
    ids = list(prompt)
    for _ in range(n):
        with torch.inference_mode():
            logits = plain(input_ids=torch.tensor([ids]), past_key_values=DynamicCache()).logits
        if (token := int(logits[0, -1].argmax())) in loaded.end_ids:
            break
        ids.append(token)
    return ids[len(prompt) :]


def test_counting_is_what_the_prompt_has(loaded: LoadedModel, engine: Engine) -> None:
    assert engine.count(ASK) == len(loaded.prompt_ids(ASK))
    assert engine.max_prompt_tokens == 100
    long: list[Message] = [{"role": "user", "content": "身份证" * 50}]
    assert engine.count(long) > 100, "counting refuses nothing"
    with pytest.raises(RequestError):
        "".join(engine.submit(long))


def test_counting_while_it_answers(loaded: LoadedModel, engine: Engine) -> None:
    counts: list[int] = []
    answers = [engine.submit(ASK, Options(20)) for _ in range(4)]
    threads = [
        threading.Thread(target=lambda: counts.extend(engine.count(ASK) for _ in range(50)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    texts = {"".join(answer) for answer in answers}
    for thread in threads:
        thread.join()
    assert len(texts) == 1 and counts == [len(loaded.prompt_ids(ASK))] * 150


def test_texts_are_those_of_plain_greedy_decoding(
    loaded: LoadedModel, plain: torch.nn.Module, engine: Engine
) -> None:
    asked: list[list[Message]] = [
        [{"role": "user", "content": text}]
        for text in ("身份证 ab", "ab" * 20, "护照", "a", "身份证 ab", "居民身份证丢了")
    ]
    running = [engine.submit(messages, Options(24)) for messages in asked]
    for messages, generation in zip(asked, running, strict=True):
        expected = loaded.decode(greedy(loaded, plain, messages, 24))
        assert "".join(generation) == expected.rstrip("\ufffd").replace("\ufffd", "")
    assert engine.stats()["reused_tokens"] == 0, "prompts shorter than a piece are not shared"


def test_a_forward_gives_each_part_its_logits(loaded: LoadedModel, plain: torch.nn.Module) -> None:
    network = loaded.network
    ids = [[7 * n % 250 for n in range(length)] for length in (100, 3, 70)]
    caches = [network.new_cache(120) for _ in ids]
    with torch.inference_mode():
        exact = [plain(input_ids=torch.tensor([each])).logits[0].numpy() for each in ids]
    first = network.forward(
        [Part(cache, each[:-2], 0) for cache, each in zip(caches, ids, strict=True)]
    )
    assert [rows.shape[0] for rows in first] == [0, 0, 0]
    last = network.forward(
        [Part(cache, each[-2:], 2) for cache, each in zip(caches, ids, strict=True)]
    )
    for rows, wanted in zip(last, exact, strict=True):
        assert rows.dtype == np.float32 and np.abs(rows - wanted[-2:]).max() < 1e-3
    caches[0].length = 80
    assert caches[0].length == 80 and caches[0].nbytes == network.cache_bytes(120)
    again = network.forward([Part(caches[0], ids[0][80:], 20)])[0]
    assert np.abs(again - exact[0][80:]).max() < 1e-3
    copied = caches[0].copy(99, 120)
    assert copied.length == 64 and caches[0].length == 100
    again = network.forward([Part(copied, ids[0][64:], 1)])[0]
    assert np.abs(again - exact[0][-1:]).max() < 1e-3


def test_the_logits_of_a_text_for_measuring(loaded: LoadedModel, plain: torch.nn.Module) -> None:
    ids = [3 * n % 250 for n in range(100)]
    with torch.inference_mode():
        exact = plain(input_ids=torch.tensor([ids])).logits[0]
    assert (loaded.logits(ids) - exact).abs().max() < 1e-3


def test_a_prompt_in_pieces_is_the_same_to_the_last_bit(loaded: LoadedModel) -> None:
    network, ids = loaded.network, [5 * n % 250 for n in range(100)]
    whole, pieces = network.new_cache(100), network.new_cache(100)
    at_once = network.forward([Part(whole, ids, 1)])[0]
    network.forward([Part(pieces, ids[:64], 0)])
    assert np.array_equal(network.forward([Part(pieces, ids[64:], 1)])[0], at_once)


def test_a_seed_repeats_a_sample(engine: Engine) -> None:
    warm = ["".join(engine.submit(ASK, Options(20, temperature=1.5, seed=n))) for n in (1, 1, 2)]
    assert warm[0] == warm[1] != warm[2]


def test_a_prompt_that_is_too_long_is_refused(loaded: LoadedModel, engine: Engine) -> None:
    for length in (90, 200):  # more than the model reads; more than is allowed
        with pytest.raises(RequestError) as caught:
            "".join(engine.submit([{"role": "user", "content": "问" * length}]))
        assert caught.value.code == "text_too_long"


def test_what_cannot_be_loaded_is_said(tmp_path: Path, converted: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError) as caught:
        model.load(tmp_path)
    assert caught.value.code == "model_unavailable" and str(tmp_path) in caught.value.en
    for file in converted.iterdir():
        if file.name != "chat_template.jinja":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ModelError, match="chat template"):
        model.load(tmp_path)


@pytest.mark.parametrize(
    ("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_the_precision_is_that_of_the_configuration(
    converted: Path, precision: str, dtype: torch.dtype
) -> None:
    loaded = model.load(converted, precision=precision)
    assert loaded.network.model.dtype == dtype  # type: ignore[attr-defined]
    assert loaded.speculative == (dtype == torch.float32)


def test_a_precision_that_is_not_known_is_said(
    converted: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean_loading, "KNOWN", set())
    model.load(converted, precision="int4")
    assert "int4" in caplog.text
