"""Limits of questions, by identity and by address."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pocketqa.errors import PocketQAError, RequestError
from pocketqa.identity import NOBODY, Identity
from pocketqa.rates import BROWSERS, Rates, parsed, storage_of

ALICE, BOB = Identity("browser", "a" * 32), Identity("browser", "b" * 32)


def asked(rates: Rates, identity: Identity, address: str, times: int) -> int:
    """How many of so many questions are let through."""
    passed = 0
    for _ in range(times):
        try:
            rates.ask(identity, address)
            passed += 1
        except RequestError as error:
            assert error.code == "rate_limited" and error.details["retry_after_s"] >= 1
            assert str(error.details["retry_after_s"]) in error.zh
    return passed


def test_each_identity_has_its_own_limit_and_nobody_known_that_of_its_address() -> None:
    rates = Rates("3/hour")
    assert asked(rates, ALICE, "1.1.1.1", 5) == 3
    assert asked(rates, ALICE, "2.2.2.2", 5) == 0
    assert asked(rates, BOB, "1.1.1.1", 5) == 3
    assert asked(rates, Identity("key", "k"), "1.1.1.1", 5) == 3
    assert asked(rates, NOBODY, "1.1.1.1", 5) == 3
    assert asked(rates, NOBODY, "1.1.1.1", 1) == 0
    assert asked(rates, NOBODY, "2001:db8::1", 5) == 3


def test_a_browser_that_throws_its_cookie_away_gains_little() -> None:
    rates = Rates("2/hour")
    passed = sum(asked(rates, Identity("browser", f"{n:032x}"), "1.1.1.1", 2) for n in range(100))
    assert passed == 2 * BROWSERS
    assert asked(rates, Identity("key", "k"), "1.1.1.1", 9) == 2, "a key is limited by itself"


def test_all_limits_hold_and_a_refused_question_is_not_counted() -> None:
    rates = Rates("2/second;3/hour")
    assert asked(rates, ALICE, "a", 20) == 2
    time.sleep(1.1)
    assert asked(rates, ALICE, "a", 20) == 1
    with pytest.raises(RequestError) as caught:
        rates.ask(ALICE, "a")
    wait: Any = caught.value.details["retry_after_s"]
    assert 3500 < wait <= 3600


def test_the_window_moves() -> None:
    rates = Rates("2/second")
    assert asked(rates, NOBODY, "a", 3) == 2
    time.sleep(0.6)
    assert asked(rates, NOBODY, "a", 1) == 0
    time.sleep(0.6)
    assert asked(rates, NOBODY, "a", 3) == 2


@pytest.mark.parametrize("rate", ["off", "OFF", ""])
def test_off_is_no_limit(rate: str) -> None:
    assert asked(Rates(rate), NOBODY, "a", 500) == 500


@pytest.mark.parametrize(
    "rate", ["60", "sixty/minute", "0/minute", "1/fortnight", "1/minute;;", "-1/day"]
)
def test_a_bad_rate_is_named_at_the_start(rate: str) -> None:
    with pytest.raises(PocketQAError) as caught:
        parsed(rate)
    assert caught.value.code == "bad_config" and "POCKETQA_RATE" in caught.value.zh


def test_instances_count_in_what_they_share(caplog: pytest.LogCaptureFixture) -> None:
    assert storage_of("") == "memory://"
    assert storage_of("redis://h:1/2") == "redis://h:1/2"
    assert storage_of("unix:///run/r.sock") == "redis+unix:///run/r.sock"
    with pytest.raises(PocketQAError) as caught:
        Rates("1/minute", "amqp://h")
    assert caught.value.code == "bad_config" and "POCKETQA_MESSAGE_QUEUE" in caught.value.en


def test_where_they_cannot_be_counted_questions_are_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rates = Rates("1/minute", "redis://127.0.0.1:1/0")
    assert asked(rates, NOBODY, "a", 3) == 3
    assert "not counted" in caplog.text
