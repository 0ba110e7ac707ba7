"""A server that strangers can reach says so when it starts."""

from __future__ import annotations

import pytest

from pocketqa.config import load
from pocketqa.deployment import exposure


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "hall.example", ""])
def test_listening_to_others_without_keys_is_warned_of(host: str) -> None:
    warning = exposure(load(host=host))
    assert (host or "0.0.0.0") in warning
    for words in ("警告", "WARNING", "POCKETQA_REQUIRE_KEY", "pocketqa keys add"):
        assert words in warning
    assert exposure(load(host=host, require_key=True)) == ""


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_this_machine_is_no_stranger(host: str) -> None:
    assert exposure(load(host=host)) == ""
