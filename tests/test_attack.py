"""An attacker tries to read, join, resume, stop, vote on, list and delete what is another's.

The ways are in `attempts.py`; further ones, which need servers of their own, are here.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attempts_http
import pytest
from attacker import SECRET, Person, Victim, http_request, new_cookie
from attempts import ATTEMPTS, Scene
from click.testing import CliRunner
from nginx import Service
from servers import Server, fake_server

from pocketqa.cli import main
from pocketqa.identity import Ownership
from pocketqa.visitors import REVOKED_S


@pytest.fixture(scope="module")
def server(service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Service:
    return service(
        POCKETQA_HOME=str(tmp_path_factory.mktemp("home")),
        POCKETQA_SECRET_KEY=SECRET,
        POCKETQA_MAX_STREAMS="16",
        POCKETQA_MAX_NEW_TOKENS="2000",
        POCKETQA_MIN_SCORE="0",
        FAKE_PAUSE_S="0.01",
        FAKE_TEXT="请到派出所办理居住证或身份证。" * 2,
    )


@pytest.fixture(scope="module")
def victim(server: Service) -> Iterator[Victim]:
    made = Victim(server)
    yield made
    made.close()


@pytest.fixture
def scene(victim: Victim) -> Iterator[Scene]:
    victim.begin()
    made = Scene(victim)
    yield made
    made.close()


assert attempts_http.POLLING, "its attempts are there, too"


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_nothing_is_got(attempt: Callable[[Scene], None], scene: Scene) -> None:
    attempt(scene)
    scene.victim.check_unharmed()
    got = scene.everything()
    assert scene.victim.mark not in got and "Traceback" not in got


@pytest.fixture
def guarded(demo_index: Path, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers with further rules, in one home with one secret."""
    running: list[Server] = []

    def start(**env: str) -> Server:
        running.append(fake_server(demo_index, **kept_in(tmp_path), **env))
        return running[-1]

    yield start
    for server in running:
        server.stop()


def kept_in(home: Path) -> dict[str, str]:
    """Where a server and the commands beside it keep things."""
    return {
        "POCKETQA_HOME": str(home),
        "POCKETQA_DATABASE_URL": f"sqlite:///{home}/kept.db",
        "POCKETQA_SECRET_KEY": SECRET,
    }


def command(home: Path, *words: str) -> str:
    """What `pocketqa keys` prints, beside a running server."""
    done = CliRunner(env=kept_in(home)).invoke(main, ["keys", *words])
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def test_rooms_may_need_a_signature_or_not_be_there(
    guarded: Callable[..., Server], tmp_path: Path
) -> None:
    server = guarded(POCKETQA_ROOMS="signed")
    room = command(tmp_path, "sign-room", "大厅")
    other = command(tmp_path, "sign-room", "别处")
    victim, who = Person(server), Person(server)
    assert victim.ask("你好", room=room, dialogue="d")["ok"]
    signature = room.rpartition(".")[2]
    foreign = Ownership("guessed", "signed").sign_room("大厅")
    for name in (
        *(
            "大厅",
            "大厅.",
            f"大厅.{other.rpartition('.')[2]}",
            f"别处.{signature}",
            f".{signature}",
        ),
        *(room + "=", room[:-1], f"room:{room}", f"{room}.{signature}", signature, foreign),
        *(f"大厅..{signature}", f"大厅.{signature.swapcase()}", f"大厅\u200b.{signature}", "."),
    ):
        for event in ("CHAT_CS", "QA_CS", "HISTORY_CS", "STOP_CS"):
            reply = who.call(event, {"text": "你好", "room": name, "dialogue": "d"})
            assert reply["error"]["code"] == "forbidden_room", (event, name, reply)
        resumed = who.call("RESUME_CS", {"request_id": "r", "after": -1, "room": name})
        assert resumed["error"]["code"] == "forbidden_room"
    assert who.call("CHAT_CS", {"text": "你好"})["ok"], "its own room needs no signature"
    assert len(who.call("HISTORY_CS", {"room": room, "dialogue": "d"})["turns"]) == 1, "as invited"
    victim.close()
    who.close()

    server = guarded(POCKETQA_ROOMS="off")
    who = Person(server)
    for name in ("大厅", room):
        reply = who.call("CHAT_CS", {"text": "你好", "room": name})
        assert reply["error"]["code"] == "forbidden_room" and "房间" in reply["error"]["message"]
    assert who.ask("你好")["ok"]
    who.close()


def test_without_a_key_nobody_comes_in_and_a_revoked_one_is_none(
    guarded: Callable[..., Server], tmp_path: Path
) -> None:
    server = guarded(POCKETQA_REQUIRE_KEY="true")
    key = command(tmp_path, "add", "测试")
    id = command(tmp_path, "list").split()[0]
    digest = hashlib.sha256(key.encode()).hexdigest()
    cookie = new_cookie(server)
    for auth in (
        *(None, {}, {"key": ""}, {"key": id}, {"key": digest}, {"key": key[:-1]}, {"key": [key]}),
        *({"key": key + " "}, {"key": key.upper()}, {"token": key}, {"key": {"$ne": ""}}, [key]),
    ):
        who = Person(server, cookie=cookie, auth=auth, headers={"Authorization": f"Bearer {key}"})
        assert not who.sio.connected, auth
        assert who.refusal["data"]["code"] == "unauthorized" and "密钥" in who.refusal["message"]
        who.close()
    status, _, text = http_request(server, "GET", f"/socket.io/?EIO=4&transport=polling&key={key}")
    assert status == 200 and "sid" in text, "the transport opens, and nothing more"
    for authorization in ("", "Bearer", "Bearer x", f"Basic {key}", key, f"Bearer {id}"):
        headers = {"Authorization": authorization, "Cookie": f"pocketqa={cookie}"}
        for method, path in (("POST", "/upload"), ("DELETE", "/upload/" + "a" * 43)):
            status, _, text = http_request(server, method, path, headers)
            assert status == 401 and json.loads(text)["error"]["code"] == "unauthorized"
    owner = Person(server, auth={"key": key})
    token = owner.ask("你好", dialogue="d")["token"]
    right = {"Authorization": f"bearer {key}"}
    assert http_request(server, "DELETE", "/upload/" + "a" * 43, right)[0] == 404

    other = command(tmp_path, "add", "另一个")
    stranger = Person(server, auth={"key": other, "lang": "en"})
    for named in ({"dialogue": "d", "token": token}, {"dialogue": "d"}):
        reply = stranger.call("HISTORY_CS", named)
        assert reply.get("turns", []) == [], "a key's token is worth nothing without the key"
    assert len(Person.call(owner, "HISTORY_CS", {"dialogue": "d"})["turns"]) == 1

    command(tmp_path, "revoke", id)
    time.sleep(REVOKED_S + 0.5)
    owner.call("DIALOGUES_CS", {})  # looks whether it is revoked, for whoever asks next
    for event in ("CHAT_CS", "HISTORY_CS", "DIALOGUES_CS", "RESUME_CS", "STOP_CS"):
        reply = owner.call(event, {"text": "你好", "dialogue": "d", "request_id": "r", "after": 0})
        assert reply["error"]["code"] == "unauthorized", (event, reply)
    again = Person(server, auth={"key": key, "lang": "en"})
    assert again.refusal["data"]["code"] == "unauthorized" and "API key" in again.refusal["message"]
    for person in (owner, stranger, again):
        person.close()


def test_an_address_has_so_many_connections_and_questions(guarded: Callable[..., Server]) -> None:
    server = guarded(POCKETQA_CONNECTIONS_PER_ADDRESS="3", POCKETQA_RATE="4/hour")
    spoof = [{"X-Forwarded-For": f"10.0.0.{n}", "Forwarded": f"for=10.0.0.{n}"} for n in range(9)]
    people = [Person(server, headers=headers) for headers in spoof]
    let_in = [person for person in people if person.sio.connected]
    assert len(let_in) == 3
    for person in people[3:]:
        assert person.refusal["data"]["code"] == "too_many_connections"
    replies = [let_in[n % 3].ask("你好") for n in range(6)]
    assert [reply["ok"] for reply in replies] == [True] * 4 + [False] * 2
    for reply in replies[4:]:
        error = reply["error"]
        assert error["code"] == "rate_limited" and 3000 < error["retry_after_s"] <= 3600
    assert http_request(server, "POST", "/upload")[0] == 429
    for person in people:
        person.close()
