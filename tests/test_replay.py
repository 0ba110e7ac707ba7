from __future__ import annotations

import threading
import time

import pytest

from pocketqa import protocol
from pocketqa.errors import RequestError
from pocketqa.protocol import Piece, Received
from pocketqa.replay import About, Frame, Memory, Name

NAME = Name("own:a", "r1")
ABOUT = About("CHAT_SS", "a", "a", "a")
EVIDENCE = Received("材料:" + "证" * 1_000)


def frames(count: int, text: str = "证") -> list[Frame]:
    """An answer of so many frames."""
    pieces = [Piece(text, None, EVIDENCE) for _ in range(count - 1)]
    request = protocol.parse("CHAT_CS", {"text": "问", "request_id": "r1"}, "a")
    return list(protocol.frames(request, [*pieces, Piece(text, "stop", EVIDENCE)]))


def kept(memory: Memory, name: Name = NAME, count: int = 5) -> list[Frame]:
    """Fill a buffer with an answer that has ended."""
    memory.open(name, ABOUT)
    for frame in (said := frames(count)):
        memory.append(name, frame)
    return said


@pytest.mark.parametrize("after", [-5, -1, 0, 3, 4, 100])
def test_what_was_missed_is_given_in_order(after: int) -> None:
    memory = Memory(1 << 20, 60)
    said = kept(memory)
    assert list(memory.follow(NAME, after)) == said[max(0, after + 1) :]
    state = memory.state(NAME)
    assert state and state.ended and state.seq == 4 and state.about == ABOUT


def test_followers_get_everything_also_what_comes_while_they_read() -> None:
    memory = Memory(1 << 24, 60)
    said = frames(200)
    memory.open(NAME, ABOUT)
    read: dict[int, list[Frame]] = {}

    def follow(number: int) -> None:
        read[number] = list(memory.follow(NAME, number - 1))

    threads = [threading.Thread(target=follow, args=(number,)) for number in range(8)]
    for frame, thread in zip(said, threads, strict=False):
        thread.start()
        memory.append(NAME, frame)
    for frame in said[len(threads) :]:
        memory.append(NAME, frame)
    for thread in threads:
        thread.join(10)
    assert read == {number: said[number:] for number in range(8)}


def test_only_its_owner_finds_an_answer() -> None:
    memory = Memory(1 << 20, 60)
    kept(memory)
    other = Name("own:b", "r1")
    assert memory.state(other) is None
    with pytest.raises(RequestError) as caught:
        next(memory.follow(other, -1))
    assert caught.value.code == "unknown_answer" and caught.value.zh and caught.value.en


def test_an_ended_answer_is_forgotten_in_time() -> None:
    memory = Memory(1 << 20, 0.05)
    kept(memory)
    assert memory.state(NAME)
    time.sleep(0.06)
    assert memory.state(NAME) is None


def test_what_ended_first_goes_when_memory_is_short() -> None:
    memory = Memory(60_000, 60)
    names = [Name("own:a", f"r{n}") for n in range(20)]
    for name in names:
        kept(memory, name)
    there = [memory.state(name) is not None for name in names]
    assert there == sorted(there) and 3 < sum(there) < 20


def test_who_reads_what_is_forgotten_is_told() -> None:
    memory = Memory(10_000, 60)
    kept(memory)
    reading = memory.follow(NAME, -1)
    next(reading)
    kept(memory, Name("own:b", "r1"), 20)
    for late in (reading, memory.follow(NAME, -1)):
        with pytest.raises(RequestError) as caught:
            next(late)
        assert caught.value.code == "unknown_answer"


def test_a_running_answer_that_is_too_large_loses_its_first_frames_only() -> None:
    memory = Memory(50_000, 60)
    memory.open(NAME, ABOUT)
    said = frames(300)
    for frame in said[:-1]:
        memory.append(NAME, frame)
    with pytest.raises(RequestError):
        next(memory.follow(NAME, -1))
    late = memory.follow(NAME, 290)
    assert next(late) == said[291]
    memory.append(NAME, said[-1])
    assert list(late) == said[292:]


def test_evidence_is_counted_once() -> None:
    memory = Memory(1 << 20, 60)
    kept(memory, count=300)
    assert memory._size < 300 * 400 + 5_000


def test_frames_without_evidence_share_that_they_have_none() -> None:
    memory = Memory(1 << 20, 60)
    request = protocol.parse("CHAT_CS", {"text": "问", "received": "ends"}, "a")
    pieces = [Piece("证", None, EVIDENCE) for _ in range(9)]
    said = list(protocol.frames(request, [*pieces, Piece("", "stop", EVIDENCE)]))
    memory.open(NAME, ABOUT)
    for frame in said:
        memory.append(NAME, frame)
    assert list(memory.follow(NAME, -1)) == said
    assert [bool(each) for _, each in memory._ended[NAME].received] == [True, False, True]


def test_a_name_can_be_used_again() -> None:
    memory = Memory(1 << 20, 60)
    kept(memory)
    memory.open(NAME, ABOUT)
    state = memory.state(NAME)
    assert state and state.seq == -1 and not state.ended
