"""Decoding with a real transformers model, a tiny one of random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import DynamicCache

from pocketqa.engine import Message, Options, model
from pocketqa.engine.model import LoadedModel, pick
from pocketqa.errors import ModelError, RequestError

pytest_plugins = ["tiny"]
ASK: list[Message] = [{"role": "user", "content": "身份证 ab"}]


@pytest.fixture(scope="module")
def loaded(converted: Path) -> LoadedModel:
    return model.load(converted, precision="float32", max_prompt_tokens=100)


def run(
    loaded: LoadedModel, options: Options, is_cancelled: Callable[[], bool] = lambda: False
) -> tuple[list[str], str]:
    """The deltas, and why it ended."""
    deltas, stream = [], loaded.stream(ASK, options, is_cancelled)
    while True:
        try:
            deltas.append(next(stream))
        except StopIteration as end:
            return deltas, end.value


def greedy(loaded: LoadedModel, n: int) -> list[int]:
    """The likeliest tokens, each from a forward pass over everything before it."""
    ids = loaded.prompt_ids(ASK)
    for _ in range(n):
        with torch.inference_mode():
            logits = loaded.model(input_ids=ids, past_key_values=DynamicCache()).logits
        ids = torch.cat([ids, logits[:, -1:].argmax(-1)], dim=1)
    return ids[0, -n:].tolist()


def test_tokens_are_those_of_a_forward_pass_without_cache(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "PREFILL_CHUNK", 7)  # so that the prompt takes several chunks
    with torch.inference_mode():
        ids = loaded.prompt_ids(ASK)
        tokens = list(loaded._tokens(ids, Options(max_new_tokens=12), lambda: False))
    assert tokens == greedy(loaded, 12)


def test_length_and_stop_are_told_apart(loaded: LoadedModel) -> None:
    expected = greedy(loaded, 6)
    deltas, reason = run(loaded, Options(max_new_tokens=6))
    if not set(expected) & loaded._end_ids:
        assert reason == "length"
    ends = LoadedModel(loaded.model, loaded.tokenizer, 100)
    ends._end_ids = frozenset({expected[3]})
    first = expected.index(expected[3])
    shorter, reason = run(ends, Options(max_new_tokens=6))
    assert reason == "stop" and len(shorter) == first + 1
    assert "".join(shorter) in "".join(deltas)


def test_cancelled_between_the_chunks_of_the_prompt(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "PREFILL_CHUNK", 4)
    asked = 0

    def is_cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2

    deltas, reason = run(loaded, Options(), is_cancelled)
    assert "".join(deltas) == "" and reason == "abort" and asked <= 4


def test_cancelled_within_one_token(loaded: LoadedModel) -> None:
    cancelled = False
    stream = loaded.stream(ASK, Options(max_new_tokens=50), lambda: cancelled)
    next(stream)
    cancelled = True
    assert "".join(stream) == ""


def test_a_seed_repeats_a_sample_and_no_temperature_is_greedy(loaded: LoadedModel) -> None:
    warm = [run(loaded, Options(20, temperature=1.5, seed=seed))[0] for seed in (1, 1, 2)]
    assert warm[0] == warm[1] != warm[2]
    logits = torch.tensor([0.0, 3.0, 1.0])
    assert pick(logits, 0, torch.Generator()) == 1


def test_a_prompt_that_is_too_long_is_refused(loaded: LoadedModel) -> None:
    with pytest.raises(RequestError) as caught:
        next(loaded.stream([{"role": "user", "content": "问" * 200}], Options(), lambda: False))
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
