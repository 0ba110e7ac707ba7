"""Free writing: what the model is told to write, with the dialogue so far and no evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .dialogue import Turn
from .engine import Message
from .summarising import language
from .summarising.asking import Reader

SYSTEM = {
    "zh": "你是文书助手，替用户起草通知、信函、回复等文稿。只写正文，用语得体，格式完整。"
    "用户没有给出的姓名、日期、金额、电话写成“××”，不要编造。",
    "en": "You draft notices, letters and replies for the user, in English. Write the text only, "
    "complete and polite. Where the user gives no name, date, amount or number, write [...].",
}
ENDS = "。！？!?\n"
SHORTEST = 8
"""Characters of a sentence that should not be said twice; a shorter one may be: 谢谢！"""
MAX_HISTORY_TOKENS = 2_000
"""Of earlier turns: 6 s to read on two cores, the first time."""


def messages(text: str, history: Sequence[Turn], reader: Reader) -> list[Message]:
    """The messages for a task, after as many of the latest turns as there is room for.

    Turns are left out whole, the oldest first; the task is never cut.

    Raises:
        ModelError: `model_unavailable`.
    """
    system = Message(role="system", content=SYSTEM[language(text)])
    asked = Message(role="user", content=text)
    room = min(reader.max_prompt_tokens, reader.count([system, asked]) + MAX_HISTORY_TOKENS)
    earlier: list[Message] = []
    for turn in reversed(history):
        longer = [*_of(turn), *earlier]
        if reader.count([system, *longer, asked]) > room:
            break
        earlier = longer
    return [system, *earlier, asked]


def _of(turn: Turn) -> list[Message]:
    return [
        Message(role="user", content=turn.question),
        Message(role="assistant", content=turn.answer),
    ]


def without_loops(deltas: Iterable[str]) -> Iterator[str]:
    """The deltas up to the first sentence that has been said before, word for word.

    A small model that begins to repeat itself does not stop. What could become such a sentence is
    held back until it is another.
    """
    said: set[str] = set()
    sentence = held = ""
    for delta in deltas:
        ready = ""
        for char in delta:
            sentence, held = sentence + char, held + char
            if char in ENDS:
                if sentence.strip() in said:
                    yield ready
                    return
                if len(sentence.strip()) >= SHORTEST:
                    said.add(sentence.strip())
                sentence = ""
            if not _may_repeat(sentence, said):
                ready, held = ready + held, ""
        if ready:
            yield ready
    if held:
        yield held


def _may_repeat(sentence: str, said: set[str]) -> bool:
    begun = sentence.strip()
    return bool(begun) and any(each.startswith(begun) for each in said)
