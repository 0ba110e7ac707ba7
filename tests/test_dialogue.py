from __future__ import annotations

from pocketqa.dialogue import MAX_KEPT_TURNS, Key, Store, Turn


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
