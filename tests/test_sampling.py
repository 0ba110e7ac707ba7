from __future__ import annotations

import numpy as np
import pytest

from pocketqa.engine import Options
from pocketqa.engine.sampling import picker

LOGITS = np.log(np.array([0.1, 0.6, 0.3, 1e-30], np.float32))


def test_greedy_takes_the_first_of_equals() -> None:
    pick = picker(Options())
    assert pick(LOGITS) == 1 and pick(np.array([0, 2, 2], np.float32)) == 1
    assert picker(Options(temperature=1e-6))(LOGITS) == 1


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_chances_are_those_of_softmax(temperature: float) -> None:
    pick = picker(Options(temperature=temperature, seed=7))
    drawn = np.bincount([pick(LOGITS) for _ in range(5000)], minlength=4) / 5000
    wanted = np.exp(LOGITS / temperature) / np.exp(LOGITS / temperature).sum()
    assert np.abs(drawn - wanted).max() < 0.03


def test_a_seed_repeats_and_another_does_not() -> None:
    def drawn(seed: int) -> list[int]:
        pick = picker(Options(temperature=1.5, seed=seed))
        return [pick(LOGITS) for _ in range(30)]

    assert drawn(1) == drawn(1) != drawn(2)


def test_what_is_excluded_never_comes() -> None:
    logits = np.array([0.0, -np.inf, 0.0, -np.inf], np.float32)
    pick = picker(Options(temperature=2.0))
    assert {pick(logits) for _ in range(100)} == {0, 2}


@pytest.mark.parametrize("logits", [[0, np.nan, 1], [np.inf, 0], [-np.inf, -np.inf]])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_what_is_no_number_is_refused(logits: list[float], temperature: float) -> None:
    with pytest.raises(FloatingPointError):
        picker(Options(temperature=temperature))(np.array(logits, np.float32))
