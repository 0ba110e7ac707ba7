"""Whose a dialogue is: by cookie, key, token and room."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pocketqa import identity
from pocketqa.config import Config
from pocketqa.dialogue import Key
from pocketqa.errors import PocketQAError, RequestError
from pocketqa.identity import Cookies, Identity, Ownership
from pocketqa.protocol import parse

ALICE, BOB = Identity("browser", "a" * 32), Identity("browser", "b" * 32)
PROGRAM = Identity("key", "k1")


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


def test_a_dialogue_belongs_to_its_identity_over_all_its_connections() -> None:
    ownership = Ownership("secret")
    first, again, other = (
        ownership.find(sid, who, "d") for sid, who in (("s1", ALICE), ("s2", ALICE), ("s1", BOB))
    )
    assert first == again == Key("who:browser:" + "a" * 32, "d") != other
    assert ownership.find("s1", PROGRAM, "d") == Key("who:key:k1", "d")


def test_the_token_of_a_browser_opens_its_dialogue_and_that_of_a_key_needs_the_key() -> None:
    ownership = Ownership("secret")
    browsers = ownership.token(ownership.find("s1", ALICE, "d"))
    assert ownership.find("s2", BOB, "d", token=browsers).owner == ALICE.owner
    keys = ownership.token(ownership.find("s1", PROGRAM, "d"))
    assert ownership.find("s2", PROGRAM, "d", token=keys).owner == PROGRAM.owner
    for who in (ALICE, Identity(), Identity("key", "k2")):
        with pytest.raises(RequestError, match="token"):
            ownership.find("s2", who, "d", token=keys)


def test_rooms_are_off_or_signed_as_the_operator_says() -> None:
    with pytest.raises(RequestError) as caught:
        Ownership("secret", "off").find("s", ALICE, "d", room="hall")
    assert caught.value.code == "forbidden_room"
    assert Ownership("secret", "off").find("s", ALICE, "d", room="s").owner == ALICE.owner
    signed = Ownership("secret", "signed")
    name = signed.sign_room("一楼大厅")
    assert signed.find("s", ALICE, "d", room=name) == Key(f"room:{name}", "d")
    for room in (
        *("一楼大厅", "一楼大厅.", ".", name[:-1], name + "=", name.upper(), " " + name),
        *(signed.sign_room("").removeprefix("."), "二楼" + name[4:], name + "\u200b"),
        Ownership("other", "signed").sign_room("一楼大厅"),
    ):
        with pytest.raises(RequestError) as caught:
            signed.find("s", ALICE, "d", room=room)
        assert caught.value.code == "forbidden_room"


def test_a_cookie_is_known_again_and_a_changed_one_is_not() -> None:
    cookies = Cookies("secret")
    one, two = cookies.new(), cookies.new()
    found = cookies.read(one)
    assert found and found.kind == "browser" and found == cookies.read(one) != cookies.read(two)
    number, _, signature = one.partition(".")
    other = two.partition(".")[0]
    for value in (
        *("", ".", number, signature, f"{other}.{signature}", one.upper(), one[:-2], "é" + one),
        *(Cookies("other").new(), Ownership("secret").sign_room("a" * 32)),
    ):
        assert cookies.read(value) is None, value


def test_the_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    config = Config(home=home, secret_key="")
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(identity.secret(config))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 and len(found) == 8 and len(found[0]) == 64
    assert (home / "secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.iterdir()] == ["secret"]
    assert identity.secret(Config(home=home, secret_key="mine")) == "mine"


def test_a_secret_that_others_can_read_is_closed_and_a_short_one_is_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "secret"
    path.write_text("x" * 40)
    path.chmod(0o644)
    config = Config(home=tmp_path, secret_key="")
    assert identity.secret(config) == "x" * 40
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("short")
    with pytest.raises(PocketQAError) as caught:
        identity.secret(config)
    assert caught.value.code == "bad_config" and "POCKETQA_SECRET_KEY" in caught.value.zh
