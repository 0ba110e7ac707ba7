from __future__ import annotations

from pocketqa.engine.lookup import CHANCES, LONGEST, Lookup


def test_the_longest_n_gram_decides_and_of_equals_the_last() -> None:
    lookup = Lookup()
    lookup.propose([1, 2, 3, 7, 9, 2, 3, 8, 1, 2, 3], 3)
    assert lookup.proposal == [7, 9, 2]
    lookup.propose([1, 2, 3, 7, 9, 2, 3, 8, 1, 2, 3, 5, 2, 3], 2)
    assert lookup.proposal == [5, 2]
    assert lookup.propose([1, 2, 3, 7, 9, 2, 3, 8, 1, 2, 3, 5, 2, 3, 99], 2) == []
    assert lookup.proposal == []


def test_a_loop_goes_on() -> None:
    lookup = Lookup()
    lookup.propose([5, 6, 5, 6, 5, 6], 7)
    assert lookup.proposal == [5, 6, 5, 6, 5, 6, 5]
    lookup.propose([5, 6, 5, 6, 5, 6, 6, 6, 6], 3)
    assert lookup.proposal == [6, 6, 6]


def test_nothing_is_proposed_where_nothing_may_come() -> None:
    lookup = Lookup()
    assert lookup.propose([], 5) == lookup.propose([1], 5) == []
    assert lookup.propose([1, 1, 1], 0) == lookup.propose([1, 1, 1, 1], -1) == []


def test_it_learns_how_far_to_trust_it() -> None:
    loop = [*range(20)] * 6
    right, wrong = Lookup(), Lookup()
    ids = loop[:40]
    first = right.propose(ids, 6)
    assert first[0] == CHANCES[LONGEST - 1] and first == sorted(first, reverse=True)
    for end in range(46, 120, 6):
        better = right.propose(loop[:end], 6)
    assert first[0] < better[0] and better[5] > 0.85
    for other in range(900, 940):  # what comes after the n-gram is always something else
        wrong.proposal = [1000]
        worse = wrong.propose(ids := [*ids, other, *loop[16:20]], 6)
    assert worse[0] < 0.2
