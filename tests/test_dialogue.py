from __future__ import annotations

import pytest

from pocketqa.dialogue import MAX_KEPT_TURNS, Key, Ownership, Store, Turn
from pocketqa.errors import RequestError
from pocketqa.protocol import parse


def test_history_is_bounded_and_in_order() -> None:
    store = Store(2)
    key = Key("own:a", "a")
    for n in range(MAX_KEPT_TURNS + 5):
        store.add(key, Turn(f"q{n}", "a"))
    assert [turn.question for turn in store.history(key, 2)] == ["q53", "q54"]
    assert len(store.history(key, 1000)) == MAX_KEPT_TURNS
    assert store.history(key, 0) == ()


def test_the_least_recent_dialogue_is_forgotten() -> None:
    store = Store(2)
    keys = [Key("own:a", str(n)) for n in range(3)]
    for key in (keys[0], keys[1], keys[0], keys[2]):
        store.add(key, Turn("q", "a"))
    assert store.history(keys[1], 9) == ()
    assert len(store.history(keys[0], 9)) == 2


def test_a_dialogue_belongs_to_its_connection_or_its_room() -> None:
    ownership = Ownership("secret")
    mine = ownership.key(parse("CHAT_CS", {"text": "a", "dialogue": "d"}, "sid1"))
    theirs = ownership.key(parse("CHAT_CS", {"text": "a", "dialogue": "d"}, "sid2"))
    assert mine != theirs
    rooms = [
        ownership.key(parse("CHAT_CS", {"text": "a", "room": "hall"}, sid)) for sid in ("s1", "s2")
    ]
    assert rooms[0] == rooms[1] != mine


def test_a_room_cannot_be_mistaken_for_a_connection() -> None:
    ownership = Ownership("secret")
    private = ownership.key(parse("CHAT_CS", {"text": "a"}, "sid1"))
    room = ownership.key(parse("CHAT_CS", {"text": "a", "room": "sid1"}, "sid2"))
    assert private != room


def test_the_token_continues_the_dialogue_from_another_connection() -> None:
    ownership = Ownership("secret")
    key = ownership.key(parse("CHAT_CS", {"text": "a"}, "sid1"))
    payload = {"text": "b", "dialogue": "sid1", "token": ownership.token(key)}
    assert ownership.key(parse("CHAT_CS", payload, "sid2")) == key


@pytest.mark.parametrize("token", ["x", "WyJhIl0.x", Ownership("other").token(Key("own:a", "d"))])
def test_a_forged_token_is_refused(token: str) -> None:
    request = parse("CHAT_CS", {"text": "b", "dialogue": "d", "token": token}, "sid2")
    with pytest.raises(RequestError, match="token"):
        Ownership("secret").key(request)


def test_a_token_is_for_its_own_dialogue_only() -> None:
    ownership = Ownership("secret")
    token = ownership.token(Key("own:a", "d1"))
    with pytest.raises(RequestError):
        ownership.key(parse("CHAT_CS", {"text": "b", "dialogue": "d2", "token": token}, "s"))
