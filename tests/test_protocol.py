from __future__ import annotations

import json

import pytest
from payloads import MALFORMED

from pocketqa import protocol
from pocketqa.errors import RequestError
from pocketqa.protocol import Piece, Received

# What only the server can judge, not the form of the request.
FORM = [case for case in MALFORMED if case[0] not in ("upload unknown", "token forged")]


def parse(payload: object) -> protocol.Request:
    return protocol.parse("CHAT_CS", payload, "sid1")


def test_defaults() -> None:
    request = parse({"text": " 你好 ", "sid": "1234567", "upload_id": "", "other": 1})
    assert request.text == "你好"
    assert (request.sid, request.room, request.dialogue) == ("sid1", "sid1", "sid1")
    assert request.stream and request.received == "full" and not request.named_room
    assert request.request_id


def test_a_string_of_json_is_the_same_as_the_object() -> None:
    payload = {"text": "a", "room": "hall", "request_id": "r"}
    assert parse(json.dumps(payload)) == parse(payload)


def test_a_number_is_taken_as_its_text() -> None:
    request = parse({"text": "a", "room": 101})
    assert request.room == "101" and request.dialogue == "101" and request.named_room


def test_null_is_the_same_as_absent() -> None:
    payload = {"text": "a", "room": None, "dialogue": None, "stream": None, "received": None}
    assert parse(payload).room == "sid1"


def test_limits_are_inclusive() -> None:
    assert len(parse({"text": "问" * 4_000}).text) == 4_000
    assert protocol.parse("SUM_CS", {"text": "问" * 20_000}, "s").text
    assert protocol.parse("SUM_CS", {"text": "", "upload_id": "u"}, "s").text == ""


@pytest.mark.parametrize(("payload", "code"), [case[1:] for case in FORM], ids=[c[0] for c in FORM])
def test_malformed_payloads(payload: object, code: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(payload)
    assert caught.value.code == code
    assert caught.value.zh and caught.value.en


def test_frames_number_the_pieces_and_end_once() -> None:
    pieces = [Piece("你"), Piece("好"), Piece("", "stop"), Piece("never sent")]
    frames = [f["data"] for f in protocol.frames(parse({"text": "a"}), pieces)]
    assert [f["seq"] for f in frames] == [0, 1, 2]
    assert [f["finish_reason"] for f in frames] == [None, None, "stop"]
    assert "".join(f["delta"] for f in frames) == "你好"


def test_pieces_without_an_end_get_one() -> None:
    frames = list(protocol.frames(parse({"text": "a"}), [Piece("x")]))
    assert [f["data"]["finish_reason"] for f in frames] == [None, "stop"]


def test_stream_false_is_one_frame() -> None:
    request = parse({"text": "a", "stream": False})
    pieces = [Piece("你", None, Received("材料:a")), Piece("好", "length", Received("材料:b"))]
    (frame,) = protocol.frames(request, pieces)
    assert frame["data"]["delta"] == "你好" and frame["data"]["finish_reason"] == "length"
    assert frame["data"]["received"]["prompt"] == "材料:b" and frame["data"]["seq"] == 0


def test_received_ends_leaves_the_middle_empty() -> None:
    request = parse({"text": "a", "received": "ends"})
    frames = list(protocol.frames(request, [Piece("1"), Piece("2"), Piece("3", "stop")]))
    assert [bool(f["data"]["received"]) for f in frames] == [True, False, True]


def test_error_frames_speak_the_clients_language() -> None:
    error = RequestError("busy", "忙", "busy", retry_after_s=3)
    request = parse({"text": "a"})
    for lang, message in (("zh", "忙"), ("en", "busy")):
        (frame,) = protocol.frames(request, [Piece("", "error", error=error)], lang)
        assert frame["data"]["error"] == {"code": "busy", "message": message, "retry_after_s": 3}


def test_an_unreadable_payload_keeps_its_request_id() -> None:
    assert protocol.unparsed("CHAT_CS", {"request_id": "r7"}, "s").request_id == "r7"
    assert protocol.unparsed("CHAT_CS", {"request_id": ["r7"]}, "s").request_id
    assert protocol.unparsed("CHAT_CS", 42, "s").room == "s"
