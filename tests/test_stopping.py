from __future__ import annotations

import pytest

from pocketqa.engine.stopping import StopTexts


@pytest.mark.parametrize(
    ("stops", "deltas", "said", "found"),
    [
        ((), ["ab", "c"], "abc", False),
        (("###",), ["a#", "b", "##"], "a#b##", False),
        (("###",), ["a#", "#", "#b"], "a", True),
        (("问题", "\n\n"), ["答\n", "\n问题"], "答", True),
        (("bc", "abcd"), ["xab", "c"], "xa", True),
        (("ab",), ["a", "ab"], "a", True),
        (("",), ["a"], "a", False),
    ],
)
def test_an_answer_ends_before_the_first_stop_text(
    stops: tuple[str, ...], deltas: list[str], said: str, found: bool
) -> None:
    texts = StopTexts(stops)
    certain = [texts.put(delta) for delta in deltas]
    assert "".join([*(text for text, _ in certain), texts.flush()]) == said
    assert [is_found for _, is_found in certain] == [False] * (len(deltas) - 1) + [found]


def test_only_what_may_be_a_beginning_is_held_back() -> None:
    texts = StopTexts(["\n\n"])
    assert [texts.put(delta)[0] for delta in ("好\n", "的", "\n", "\n")] == ["好", "\n的", "", ""]
