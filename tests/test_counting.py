"""How many tokens a chat has, as far as whoever asks the model has to know."""

from __future__ import annotations

import threading

import pytest
from fake_openai import FakeOpenAI
from fakes import FakeModel

from pocketqa.engine import Engine, Message
from pocketqa.engine.connection import Address
from pocketqa.engine.remote import RemoteEngine
from pocketqa.errors import ModelError

ASK: list[Message] = [{"role": "user", "content": "补办"}]


def test_the_local_engine_asks_the_model() -> None:
    model = FakeModel(max_prompt_tokens=700, context=500)
    engine = Engine(lambda: model)
    engine.wait()
    assert engine.count(ASK) == model.count(ASK) == 7
    assert engine.max_prompt_tokens == 499, "the network's context, less a token of answer"
    engine.close()


def test_while_the_model_loads() -> None:
    may_load = threading.Event()
    engine = Engine(lambda: may_load.wait() and FakeModel())  # type: ignore[arg-type, return-value]
    for ask in (lambda: engine.count(ASK), lambda: engine.max_prompt_tokens):
        with pytest.raises(ModelError) as caught:
            ask()
        assert caught.value.code == "model_unavailable"
    may_load.set()
    engine.wait()
    assert engine.count(ASK) == 7
    engine.close()


@pytest.mark.parametrize(
    ("text", "most"),
    [("", 0), ("fee", 3), ("身份证", 6), ("😀", 4), ("身份证 id 😀", 6 + 4 + 4)],
)
def test_the_remote_engine_bounds_it(text: str, most: int) -> None:
    server = FakeOpenAI()
    engine = RemoteEngine(Address(server.url), poll_s=0.05, max_prompt_tokens=900)
    engine.wait()
    empty = engine.count([{"role": "user", "content": ""}])
    assert engine.count([{"role": "user", "content": text}]) == empty + most
    assert engine.count([{"role": "user", "content": ""}] * 3) == 3 * empty
    assert engine.max_prompt_tokens == 900
    engine.close()
    server.stop()


def test_the_remote_engine_without_its_server() -> None:
    server = FakeOpenAI()
    server.stop()
    engine = RemoteEngine(Address(server.url), poll_s=0.05)
    engine.wait()
    with pytest.raises(ModelError) as caught:
        engine.count(ASK)
    assert caught.value.code == "model_unavailable"
    engine.close()
