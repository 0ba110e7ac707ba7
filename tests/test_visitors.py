"""Who is let in."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from pocketqa import visitors as module
from pocketqa.errors import RequestError
from pocketqa.identity import NOBODY, Cookies
from pocketqa.rates import Rates
from pocketqa.visitors import Visitors

COOKIES = Cookies("secret")


@dataclass
class Known:
    id: str
    revoked: float | None = None


@dataclass
class FakeKeys:
    known: dict[str, Known] = field(default_factory=lambda: {"good": Known("k1")})

    def check(self, key: str) -> str | None:
        found = self.known.get(key)
        return found.id if found and found.revoked is None else None

    def list(self) -> list[Known]:
        return list(self.known.values())


def house(*, require_key: bool = False, per_address: int = 0) -> Visitors:
    return Visitors(
        COOKIES,
        Rates("off"),
        FakeKeys(),
        require_key=require_key,
        per_address=per_address,
    )


def refused(code: str, visitors: Visitors, *shown: object) -> None:
    with pytest.raises(RequestError) as caught:
        visitors.enter(*shown)  # type: ignore[arg-type]
    assert caught.value.code == code


def test_a_key_is_more_than_a_cookie_and_a_cookie_more_than_nothing() -> None:
    visitors, cookie = house(), COOKIES.new()
    assert visitors.enter("1", "a", {"key": "good", "lang": "en"}, cookie).identity.id == "k1"
    assert visitors.enter("2", "a", {"lang": "fr"}, cookie).identity.kind == "browser"
    assert visitors.enter("3", "a", None, cookie + "x").identity == NOBODY
    assert [visitors.lang(sid) for sid in "123"] == ["en", "zh", "zh"]


@pytest.mark.parametrize("key", ["bad", 7, ["good"], {"good": 1}, True, "good" * 99, "\ud800"])
def test_a_wrong_key_is_refused_even_where_none_is_needed(key: object) -> None:
    refused("unauthorized", house(), "1", "a", {"key": key}, COOKIES.new())


def test_where_a_key_is_needed_nothing_else_will_do() -> None:
    visitors = house(require_key=True)
    for auth in (None, {}, [], "good", {"key": ""}, {"key": None}):
        refused("unauthorized", visitors, "1", "a", auth, COOKIES.new())
    assert visitors.enter("1", "a", {"key": "good"}).identity.id == "k1"


def test_connections_of_an_address_are_counted_while_they_last() -> None:
    visitors = house(per_address=2)
    for sid in "12":
        visitors.enter(sid, "a", None)
    refused("too_many_connections", visitors, "3", "a", None)
    visitors.enter("4", "b", None)
    visitors.leave("1")
    visitors.leave("1")
    refused("unauthorized", visitors, "5", "a", {"key": "bad"})
    visitors.enter("6", "a", None)
    refused("too_many_connections", visitors, "7", "a", None)
    assert len(visitors) == 3


def test_who_has_not_come_in_is_nobody() -> None:
    visitors = house()
    visitors.enter("1", "a", None)
    assert visitors.enter("1", "a", {"key": "good"}).identity == NOBODY, "once in, it stays so"
    visitors.leave("1")
    for sid in ("1", "2"):
        with pytest.raises(RequestError) as caught:
            visitors.of(sid)
        assert caught.value.code == "unauthorized"


def test_a_revoked_key_is_noticed_on_open_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = FakeKeys()
    visitors = Visitors(COOKIES, Rates("off"), keys)
    visitors.enter("1", "a", {"key": "good"})
    visitors.enter("2", "a", None)
    assert visitors.of("1").identity.id == "k1"
    keys.known["good"].revoked = 1.0
    monkeypatch.setattr(module, "REVOKED_S", -1.0)
    with pytest.raises(RequestError):
        visitors.of("1")
    assert visitors.of("2")
