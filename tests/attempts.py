"""What an attacker tries, who knows every name but no secret: each must get nothing."""

from __future__ import annotations

import base64
import json
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from attacker import Person, Reply, Victim, forged, http_request, is_refused, new_cookie, settle

ATTEMPTS: dict[str, Callable[[Scene], None]] = {}


@dataclass
class Scene:
    """A victim, and those who attack it."""

    victim: Victim
    people: list[Person] = field(default_factory=list)
    got: list[str] = field(default_factory=list)

    def stranger(self, **how: Any) -> Person:
        """One more connection of the attacker's."""
        self.people.append(Person(self.victim.server, **how))
        return self.people[-1]

    def http(self, method: str, path: str, **headers: str) -> int:
        """A request of the attacker's; the status."""
        status, _, text = http_request(
            self.victim.server, method, path, {k.replace("_", "-"): v for k, v in headers.items()}
        )
        self.got.append(text)
        return status

    def refused(self, reply: Reply) -> None:
        assert is_refused(reply), reply
        self.got.append(json.dumps(reply, ensure_ascii=False))

    def empty(self, reply: Reply) -> None:
        """Refused, or an answer that holds nothing."""
        self.got.append(json.dumps(reply, ensure_ascii=False))
        assert is_refused(reply) or reply.get("turns") == [] or reply.get("dialogues") == [], reply

    def asks_in_vain(self, who: Person, text: str = "你好", **fields: Any) -> None:
        """A question, which is refused, or begins a dialogue that has no past."""
        reply = who.call("CHAT_CS", {"text": text, **fields})
        if is_refused(reply):
            return
        assert who.ended(reply["request_id"])["received"]["history"] == []

    def everything(self) -> str:
        return "\n".join([*self.got, *(person.everything() for person in self.people)])

    def close(self) -> None:
        for person in self.people:
            person.close()


def attempt(function: Callable[[Scene], None]) -> Callable[[Scene], None]:
    ATTEMPTS[function.__name__] = function
    return function


def _all_commands(scene: Scene, who: Person, request_id: str, **more: Any) -> None:
    """Resume, stop and vote on an answer."""
    scene.refused(who.call("RESUME_CS", {"request_id": request_id, "after": -1, **more}))
    scene.refused(who.call("STOP_CS", {"request_id": request_id, **more}))
    scene.refused(who.call("FEEDBACK_CS", {"request_id": request_id, "vote": "down", **more}))


def _all_names(scene: Scene, who: Person, dialogues: Iterable[object], **more: Any) -> None:
    """Read, continue, stop, rename and delete dialogues by their names."""
    for dialogue in dialogues:
        named = {"dialogue": dialogue, **more}
        scene.empty(who.call("HISTORY_CS", named))
        scene.asks_in_vain(who, dialogue=dialogue, **more)
        scene.refused(who.call("STOP_CS", named))


@attempt
def knows_every_request_id(scene: Scene) -> None:
    victim, cookie = scene.victim, new_cookie(scene.victim.server)
    for who in (scene.stranger(), scene.stranger(cookie=cookie)):
        for reply in (victim.running, victim.past, victim.in_room, victim.dead):
            _all_commands(scene, who, reply["request_id"])
            _all_commands(scene, who, reply["request_id"], room=victim.browser.sid)
    for guess in ("", "0", "1", "r1", "%", "*", "_" * 32, "0" * 32):
        _all_commands(scene, scene.people[0], guess)


@attempt
def takes_the_request_id_for_a_question_of_its_own(scene: Scene) -> None:
    who, request_id = scene.stranger(), scene.victim.running["request_id"]
    assert who.call("CHAT_CS", {"text": "你好", "request_id": request_id})["ok"]
    frame = who.ended(request_id)
    assert frame["received"]["text"] == "你好" and frame["room"] == who.sid
    resumed = who.call("RESUME_CS", {"request_id": request_id, "after": -1})
    assert resumed["ok"] and resumed["ended"], "its own"
    assert {frame["room"] for frame in who.frames(request_id)} == {who.sid}


@attempt
def names_a_living_connection_as_its_room(scene: Scene) -> None:
    who, victim = scene.stranger(), scene.victim
    for sid in (victim.browser.sid, victim.program.sid):
        reply = who.call("CHAT_CS", {"text": "你好", "room": sid})
        assert reply["error"]["code"] == "forbidden_room"
        _all_names(scene, who, [sid, "办理身份证", "正在回答"], room=sid)
        scene.refused(who.call("RESUME_CS", {"request_id": "x", "after": -1, "room": sid}))


@attempt
def names_a_connection_that_has_gone(scene: Scene) -> None:
    who, sid = scene.stranger(), scene.victim.dead_sid
    for room in (sid, f"own:{sid}", f"room:{sid}"):
        scene.asks_in_vain(who, room=room)
    _all_names(scene, who, [f"own:{sid}"], room=sid)
    scene.empty(scene.stranger().call("HISTORY_CS", {"dialogue": sid}))
    scene.asks_in_vain(scene.stranger(), dialogue=sid)
    _all_commands(scene, scene.stranger(), scene.victim.dead["request_id"], room=sid)


@attempt
def names_others_dialogues(scene: Scene) -> None:
    victim = scene.victim
    names = [
        "办理身份证",
        "给朋友看的",
        "正在回答",
        "共同的",
        victim.program.sid,
        "%",
        "' OR 1=1 --",
    ]
    for who in (scene.stranger(), scene.stranger(cookie=new_cookie(victim.server))):
        scene.empty(who.call("DIALOGUES_CS", {}))
        for dialogue in names:
            scene.refused(who.call("RENAME_CS", {"dialogue": dialogue, "title": "我的"}))
            scene.refused(who.call("DELETE_CS", {"dialogue": dialogue}))
        _all_names(scene, who, names)


@attempt
def counts_through_the_turns(scene: Scene) -> None:
    who = scene.stranger()
    for before in (0, 1, 2, 5, 100, 2**31, 2**53 - 1):
        named = {"dialogue": "办理身份证", "before": before, "limit": 100}
        scene.empty(who.call("HISTORY_CS", named))
    for limit, before in ((-1, None), (10**9, None), (1, -1), ("1 OR 1=1", None), (1, 2**70)):
        named = {"dialogue": "办理身份证", "before": before, "limit": limit}
        scene.refused(who.call("HISTORY_CS", named))
    listed = who.call("DIALOGUES_CS", {"owner": "who:browser", "sid": scene.victim.browser.sid})
    scene.empty(listed)


@attempt
def pretends_to_be_somebody_in_a_payload(scene: Scene) -> None:
    who, victim = scene.stranger(), scene.victim
    browser = victim.cookie.partition(".")[0]
    lies = {"sid": victim.browser.sid, "owner": f"who:browser:{browser}", "identity": browser}
    _all_names(scene, who, ["办理身份证", f"who:browser:{browser}", browser], **lies)
    for room in (f"who:browser:{browser}", f"room:who:browser:{browser}", browser):
        scene.empty(who.call("HISTORY_CS", {"room": room, "dialogue": "办理身份证"}))
        scene.asks_in_vain(who, room=room, dialogue="办理身份证")


@attempt
def forges_tokens(scene: Scene) -> None:
    who, victim = scene.stranger(), scene.victim
    good = victim.token
    payload, _, signature = good.rpartition(".")
    browser = victim.cookie.partition(".")[0]
    owner = f"who:browser:{browser}"
    lied = json.dumps([owner, "办理身份证"]).encode()
    for token in (
        *("x", ".", "..", good[:-1], f"{payload}.", f".{signature}", f"{payload}.{payload}"),
        *(forged(owner, "办理身份证"), forged(owner, "办理身份证", "", "")),
        base64.urlsafe_b64encode(lied).decode().rstrip("=") + "." + signature,
        f"{payload}.{victim.cookie.rpartition('.')[2]}",
        victim.cookie,
    ):
        _all_names(scene, who, ["办理身份证", victim.program.sid], token=token)
        scene.refused(who.call("HISTORY_CS", {"dialogue": "办理身份证", "token": token}))
        scene.refused(who.call("DELETE_CS", {"dialogue": "办理身份证", "token": token}))
        _all_commands(scene, who, victim.running["request_id"], token=token)
    for strange in (7, ["x"], {"x": 1}, True, "x" * 5000, "\x00"):
        scene.refused(who.call("HISTORY_CS", {"dialogue": "办理身份证", "token": strange}))


@attempt
def shows_its_own_token_for_anothers_dialogue(scene: Scene) -> None:
    cookie = new_cookie(scene.victim.server)
    for who in (scene.stranger(), scene.stranger(cookie=cookie)):
        token = who.ask("你好", dialogue="办理身份证")["token"]
        _all_names(scene, who, ["给朋友看的", "正在回答", scene.victim.program.sid], token=token)
        _all_commands(scene, who, scene.victim.running["request_id"], token=token)
        _all_commands(scene, who, scene.victim.past["request_id"], token=token)
        read = scene.stranger().call("HISTORY_CS", {"dialogue": "办理身份证", "token": token})
        assert [turn["question"] for turn in read["turns"]] == ["你好"], "its own"


@attempt
def goes_from_a_dialogue_that_was_shown_to_it_to_another(scene: Scene) -> None:
    who, victim = scene.stranger(), scene.victim
    token = victim.shared["token"]
    read = who.call("HISTORY_CS", {"dialogue": "给朋友看的", "token": token})
    assert len(read["turns"]) == 1, "this one was shown"
    _all_names(scene, who, ["办理身份证", "正在回答"], token=token)
    scene.refused(who.call("DELETE_CS", {"dialogue": "办理身份证", "token": token}))
    scene.refused(
        who.call("RENAME_CS", {"dialogue": "办理身份证", "token": token, "title": "我的"})
    )
    for reply in (victim.running, victim.past, victim.in_room):
        _all_commands(scene, who, reply["request_id"], token=token)


@attempt
def forges_cookies(scene: Scene) -> None:
    victim = scene.victim
    number, _, signature = victim.cookie.partition(".")
    mine = new_cookie(victim.server)
    for cookie in (
        *(number, f"{number}.", f"{number}.{mine.partition('.')[2]}", f"{number}.{signature[:-2]}"),
        *(f"{number.upper()}.{signature}", f"{number}.{signature}x", f"x; pocketqa={number}"),
        *(f"who:browser:{number}", forged("who", number, "guessed", "browser"), victim.token),
        f"{mine}; other={victim.browser.sid}",
    ):
        who = scene.stranger(cookie=cookie)
        scene.empty(who.call("DIALOGUES_CS", {}))
        scene.empty(who.call("HISTORY_CS", {"dialogue": "办理身份证"}))
        _all_commands(scene, who, victim.running["request_id"])


@attempt
def writes_the_rooms_name_in_other_ways(scene: Scene) -> None:
    who, room, request_id = scene.stranger(), scene.victim.room, scene.victim.in_room["request_id"]
    for other in (
        *(f"room:{room}", f"room:room:{room}", f" {room}", f"{room} ", f"{room}/", f"./{room}"),
        *(room.upper(), room.lower(), room[:-1], room.replace("大", "⼤"), room + "\u200b"),
        *(unicodedata.normalize("NFD", room), "\ufeff" + room, "\u202e" + room, room + "\u0301"),
        *(room.replace("-", "－"), room.encode().hex(), room.replace("Ä", "%C3%84"), "%", "*"),
    ):
        assert other != room
        scene.empty(who.call("HISTORY_CS", {"room": other, "dialogue": "共同的"}))
        resumed = {"request_id": request_id, "after": -1, "room": other}
        scene.refused(who.call("RESUME_CS", resumed))
        scene.asks_in_vain(who, room=other, dialogue="共同的")
    for strange in (
        *([room], {"room": room}, True, f"{room}\x00", f"{room}\n", f"\x1b{room}", "\ud800" + room),
        *(b"\xff" + room.encode(), room * 9),
    ):
        scene.refused(who.call("CHAT_CS", {"text": "你好", "room": strange}))
        scene.refused(who.call("HISTORY_CS", {"room": strange, "dialogue": "共同的"}))
    assert scene.victim.browser.ask("谢谢", room=room)["ok"]
    settle()
    assert all(data.get("room") != room for data in _datas(who)), "nothing of the room came"


@attempt
def emits_what_only_the_server_says(scene: Scene) -> None:
    who, victim = scene.stranger(), scene.victim
    for event in ("CHAT_SS", "QUEUE_SS", "message", "join", "enter_room", "*", "connect_error"):
        who.sio.emit(event, {"room": victim.room, "to": victim.browser.sid, "data": {"room": "x"}})
    number = victim.cookie.partition(".")[0]
    for event in ("disconnect", "connect"):
        who.sio.emit(event, (victim.browser.sid, {"key": number, "sid": victim.browser.sid}))
    settle()
    scene.empty(who.call("HISTORY_CS", {"dialogue": "办理身份证"}))
    _all_commands(scene, who, victim.running["request_id"])


def _datas(who: Person) -> list[dict[str, Any]]:
    return [args[0]["data"] for event, args in who.came if event.endswith("_SS")]
