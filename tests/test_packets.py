from __future__ import annotations

import pytest
from socketio import packet

from pocketqa import packets
from pocketqa.packets import Packet


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


@pytest.mark.parametrize(
    "came",
    [
        *("", "9", "x", "4", "5", "2", "2[]", "2{}", "2[[]]", "2[{}]", "2[7]", "2null", "43{", "²"),
        *('2["connect",{}]', '2["disconnect"]', '51-["__disconnect_final"]', "61-7[1]", "3"),
        *("2" + "9" * 101 + '["CHAT_CS"]', "5" + "9" * 11 + '-["CHAT_CS"]', "37[1]"),
        *(b"", b"\xff", b'2["CHAT_CS"]'),
        *('2"CHAT_CS"', "5[1]", "51-{}", '2["\\ud800', "2/x", "-", "２"),
    ],
)  # fmt: skip
def test_what_is_no_event_is_dropped(came: str | bytes) -> None:
    got = Packet(encoded_packet=came)
    assert got.attachment_count == 0
    assert got.packet_type == packet.ACK and got.id is None


@pytest.mark.parametrize("count", ["1", "2", "999999999"])
def test_attachments_are_not_waited_for(count: str) -> None:
    got = Packet(encoded_packet=f'5{count}-7["CHAT_CS",{{"_placeholder":true,"num":0}}]')
    assert (got.packet_type, got.id, got.data) == (packet.EVENT, 7, ["CHAT_CS", None])
    assert got.attachment_count == 0


def test_packets_of_the_protocol_are_as_they_were() -> None:
    for came, kind in (('0{"lang":"en"}', packet.CONNECT), ("1", packet.DISCONNECT)):
        assert Packet(encoded_packet=came).packet_type == kind
    got = Packet(encoded_packet='212["CHAT_CS",{"text":"问"}]')
    assert (got.id, got.data) == (12, ["CHAT_CS", {"text": "问"}])
    sent = Packet(packet.EVENT, data=["CHAT_SS", {"a": "问"}])
    assert Packet(encoded_packet=sent.encode()).data == ["CHAT_SS", {"a": "问"}]
