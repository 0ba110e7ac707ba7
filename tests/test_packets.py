from __future__ import annotations

import pytest

from pocketqa import packets


def test_chinese_is_not_escaped() -> None:
    assert packets.dumps({"a": "问"}) == '{"a":"问"}'
    assert packets.loads(packets.dumps(["e", {"a": 1}])) == ["e", {"a": 1}]


@pytest.mark.parametrize(
    "text", ['["CHAT_CS",{"text":', '["CHAT_CS",' + "[" * 9000, b'["CHAT_CS",x']
)
def test_a_broken_payload_keeps_the_events_name(text: str | bytes) -> None:
    assert packets.loads(text) == ["CHAT_CS", None]


@pytest.mark.parametrize("text", ["{", "", "[1,", '["' + "x" * 50])
def test_what_has_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        packets.loads(text)
