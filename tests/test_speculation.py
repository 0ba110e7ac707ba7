from __future__ import annotations

from collections.abc import Sequence

import pytest

from pocketqa.engine.speculation import MEMORY, Costs, Speculation


class Proposing:
    """A sequence that proposes its tokens with these chances."""

    def __init__(self, chances: Sequence[float]) -> None:
        self.chances, self.draft, self.proposal = chances, [7], list(range(len(chances)))

    def propose(self, most: int) -> Sequence[float]:
        return self.chances[:most]


def drafted(
    speculation: Speculation, *chances: Sequence[float], rows: int = 0, room: int = 99
) -> list[int]:
    """How many tokens each is given."""
    sequences = [Proposing(each) for each in chances]
    speculation.draft(sequences, rows or len(sequences), room)  # type: ignore[arg-type]
    assert all(each.draft == each.proposal[: len(each.draft)] for each in sequences)
    return [len(each.draft) for each in sequences]


def test_the_likelier_gets_more_and_the_hopeless_nothing() -> None:
    speculation = Speculation(256)
    long, short, none = drafted(
        speculation, [0.95**k for k in range(1, 16)], [0.9, 0.8, 0.2], [0.1]
    )
    assert long > short > 0 == none
    assert drafted(speculation, [], []) == [0, 0]


def test_what_rows_cost_decides() -> None:
    cheap, dear = Speculation(256), Speculation(256)
    for _ in range(30):
        for rows in (1, 2, 3, 4, 8, 16):
            cheap.costs.learn(rows, 0.02)
            dear.costs.learn(rows, 0.02 * rows)
    chances = [0.8**k for k in range(1, 16)]
    assert drafted(cheap, chances)[0] >= 10 and drafted(dear, chances) == [0]


def test_a_bound_on_rows_holds() -> None:
    assert sum(drafted(Speculation(256), [0.99] * 15, [0.98] * 15, room=4)) <= 4
    assert drafted(Speculation(256), [0.99] * 15, room=0) == [0]


def test_costs_are_learnt_and_guessed_between_the_measured() -> None:
    costs = Costs(256)
    assert costs(1) == 1 and costs(2) < 2 * costs(1)
    for _ in range(50):
        costs.learn(1, 0.010)
        costs.learn(8, 0.044)
    assert costs(1) == pytest.approx(0.010) and costs(8) == pytest.approx(0.044, 1e-3)
    assert costs(1) < costs(2) < costs(7) < costs(8) < costs(9) < costs(64)


def test_a_step_that_was_held_up_is_forgotten() -> None:
    costs = Costs(256)
    costs.learn(1, 0.01)
    costs.learn(4, 9.0)  # taken for at most twice what was expected
    assert costs(4) < 0.03
    for _ in range(50):
        costs.learn(2, 5.0)
    for _ in range(2 * MEMORY):
        costs.learn(1, 0.01)
    assert costs(2) == pytest.approx(0.011)
