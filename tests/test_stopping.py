from __future__ import annotations

import itertools

import pytest

from pocketqa.engine.stopping import StopTexts


def cut(texts: tuple[str, ...], deltas: list[str]) -> tuple[str, bool]:
    """What is let through, and whether a stop text came."""
    stops, said = StopTexts(texts), ""
    for delta in deltas:
        certain, stopped = stops.put(delta)
        said += certain
        if stopped:
            return said, True
    return said + stops.flush(), False


@pytest.mark.parametrize(
    ("texts", "text", "said", "stopped"),
    [
        (("完",), "没说完呢", "没说", True),
        (("aab",), "aaaab", "aa", True),
        (("aab",), "aaaaa", "aaaaa", False),
        (("abcd", "bc"), "xabcd", "xa", True),  # whichever is complete first
        (("bc", "abc"), "xabc", "x", True),
        (("\n\n",), "一\n二\n\n三", "一\n二", True),
        (("stop",), "", "", False),
        (("stop",), "sto", "sto", False),
        (("", "b"), "ab", "a", True),
        ((), "ab", "ab", False),
    ],
)
def test_cut_in_every_way_into_deltas(
    texts: tuple[str, ...], text: str, said: str, stopped: bool
) -> None:
    for cuts in itertools.product([False, True], repeat=max(0, len(text) - 1)):
        deltas = [""]
        for char, new in zip(text, (False, *cuts), strict=False):
            deltas = [*deltas, char] if new else [*deltas[:-1], deltas[-1] + char]
        assert cut(texts, deltas) == (said, stopped), deltas


def test_only_what_could_begin_a_stop_text_is_held_back() -> None:
    stops = StopTexts(("答案:", "ab"))
    assert stops.put("这是答") == ("这是", False)
    assert stops.put("案") == ("", False)
    assert stops.put("吗") == ("答案吗", False)
    assert stops.flush() == ""
