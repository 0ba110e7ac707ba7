from __future__ import annotations

import pytest

from pocketqa.engine.detokenizer import Detokenizer


def decode(ids: list[int]) -> str:
    """Every id is a byte, as in the worst case of byte-level tokens."""
    return bytes(ids).decode("utf-8", "replace")


@pytest.mark.parametrize("text", ["身份证", "a身b份", "😀👍", "é", "plain", "户口\n簿 "])
def test_characters_are_never_split(text: str) -> None:
    detokenizer = Detokenizer(decode)
    deltas = [detokenizer.put(byte) for byte in text.encode()] + [detokenizer.flush()]
    assert "".join(deltas) == text
    assert "\ufffd" not in "".join(deltas)


def test_a_character_that_never_ends_is_dropped() -> None:
    detokenizer = Detokenizer(decode)
    deltas = [detokenizer.put(byte) for byte in "好证".encode()[:-1]]
    assert "".join(deltas) + detokenizer.flush() == "好"


def test_a_wrong_byte_does_not_stop_the_stream() -> None:
    detokenizer = Detokenizer(decode)
    text = "".join(detokenizer.put(byte) for byte in b"\xffok\xe5\xa5\xbd")
    assert text + detokenizer.flush() == "ok好"


def test_a_look_at_the_next_token_changes_nothing() -> None:
    detokenizer = Detokenizer(decode)
    for byte in "a身".encode():
        seen = [detokenizer.peek(other) for other in (byte, ord("b"), byte)]
        assert seen == [detokenizer.peek(byte), "b", detokenizer.put(byte)]
