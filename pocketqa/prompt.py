"""History and passages to chat messages. Pure; few and short words, because the model is small."""

from __future__ import annotations

from collections.abc import Sequence

from .dialogue import Turn
from .engine import Message
from .passages import Passage

SYSTEM = {
    "zh": "你是业务问答助手。请照材料的原文回答用户的问题，把有关的条件、材料、时限说完整。"
    "材料里没有的不要说。",
    "en": "You answer questions of the public from the material only, in English, exactly, with "
    "its conditions and time limits. Say nothing that the material does not contain.",
}
FREE_SYSTEM = {
    "zh": "你是业务问答助手。用中文简短回答。",
    "en": "You are an assistant. Answer briefly, in English.",
}
MAX_MATERIAL = 1_500
"""Characters of passages in a prompt: about 1,000 tokens, 3 s to read on two cores."""
MAX_TURNS = 2
"""Earlier turns in a prompt: enough for a follow-up, few enough not to distract a small model."""
MAX_TURN = 300
"""Characters of an earlier answer in a prompt."""


def material(passages: Sequence[Passage]) -> str:
    """The passages as they are handed to the model: `材料:` and each of them; `''` for none."""
    return "材料:\n" + "\n\n".join(map(_entry, passages)) if passages else ""


def _entry(passage: Passage) -> str:
    """As question and answer, which the model then tells apart from the question it is asked."""
    if passage.kind == "document":
        return f"{passage.title}\n{passage.text}"
    return f"问：{passage.title}\n答：{passage.text}"


def fitting(passages: Sequence[Passage]) -> int:
    """How many of the best passages fit into `MAX_MATERIAL`, at least one, which is never cut."""
    room = MAX_MATERIAL
    for n, passage in enumerate(passages):
        room -= len(passage.title) + len(passage.text)
        if room < 0:
            return max(n, 1)
    return len(passages)


def build(question: str, history: Sequence[Turn], material: str) -> list[Message]:
    """The messages for a question; without material, for a free answer.

    Refusals and small talk are left out of the history: a small model would go on with them.
    """
    lang = language(question)
    history = [turn for turn in history if turn.grounded]
    messages = [Message(role="system", content=(SYSTEM if material else FREE_SYSTEM)[lang])]
    for turn in history[-MAX_TURNS:]:
        messages.append(Message(role="user", content=turn.question[:MAX_TURN]))
        messages.append(Message(role="assistant", content=turn.answer[:MAX_TURN]))
    asked = f"{material}\n\n问题:{question}" if material else question
    messages.append(Message(role="user", content=asked))
    return messages


def language(text: str) -> str:
    """`zh` if the text holds any Chinese character, else `en`."""
    return "zh" if any("\u4e00" <= char <= "\u9fff" for char in text) else "en"
