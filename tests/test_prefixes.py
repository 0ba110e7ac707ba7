from __future__ import annotations

import numpy as np
from fakes import FakeCache

from pocketqa.engine.prefixes import Prefixes


def find(prefixes: Prefixes, *ids: int) -> tuple[int | None, int]:
    """The capacity of what is found, and how many tokens it has in common."""
    cache, common = prefixes.find(np.array(ids))
    return (cache.capacity if cache else None), common


def test_the_longest_common_beginning_is_found() -> None:
    prefixes = Prefixes()
    assert find(prefixes, 1, 2) == (None, 0)
    prefixes.add([1, 2, 3, 4], FakeCache(10))
    prefixes.add([1, 2, 9], FakeCache(20))
    assert find(prefixes, 1, 2, 3, 5, 6) == (10, 3)
    assert find(prefixes, 1, 2, 9, 5) == (20, 3)
    assert find(prefixes, 7) == find(prefixes) == (None, 0)
    assert find(prefixes, 1, 2, 3, 4) == (10, 4)


def test_the_least_recently_used_is_forgotten_first() -> None:
    prefixes = Prefixes()
    for first in (1, 2, 3):
        prefixes.add([first, 5], FakeCache(10))
    find(prefixes, 1, 6)
    prefixes.shrink(20)
    assert prefixes.nbytes == 20 and find(prefixes, 2) == (None, 0)
    assert find(prefixes, 3) == (10, 1) and find(prefixes, 1) == (10, 1)
    prefixes.shrink(0)
    assert prefixes.nbytes == 0 and find(prefixes, 1) == (None, 0)


def test_a_turn_takes_the_place_of_the_one_before() -> None:
    prefixes = Prefixes()
    prefixes.add([1, 2, 3], FakeCache(10))
    prefixes.add([1, 2, 3, 4, 5], FakeCache(20))
    assert prefixes.nbytes == 20
    prefixes.add([1, 2, 3, 4], FakeCache(30))  # nothing new
    assert prefixes.nbytes == 20 and find(prefixes, 1, 2, 3, 4, 5) == (20, 5)
    prefixes.add([1, 2, 7], FakeCache(5))
    assert prefixes.nbytes == 25
