"""History and passages to chat messages. Pure; few and short words, because the model is small."""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from .dialogue import Turn
from .engine import Message
from .errors import PocketQAError
from .passages import Passage

MAX_MATERIAL = 1_500
"""Characters of passages in a prompt: about 1,000 tokens, 3 s to read on two cores."""
MAX_TURNS = 2
"""Earlier turns in a prompt: enough for a follow-up, few enough not to distract a small model."""
MAX_TURN = 300
"""Characters of an earlier answer in a prompt."""

ASKED = "{material}\n\n问题:{question}"


@dataclass(frozen=True)
class Wording:
    """What the model is told, in one language. `docs/configuration.md` says where each is used.

    `asked` and, for `QA_CS`, `asked_short` hold `{material}` and `{question}`.
    """

    chat: str
    qa: str
    free: str
    asked: str = ASKED
    asked_short: str = ASKED + "\n答案:"


ZH = Wording(
    chat="你是业务问答助手。请照材料的原文回答用户的问题，把有关的条件、材料、时限说完整。"
    "材料里没有的不要说。",
    qa="你是阅读理解助手。用材料中的原话回答问题，只写答案，越短越好。",
    free="你是业务问答助手。用中文简短回答。",
)
EN = Wording(
    chat="You answer questions of the public from the material only, in English, exactly, with "
    "its conditions and time limits. Say nothing that the material does not contain.",
    qa="You answer questions from the material, in its own words: only the answer, as short as "
    "possible.",
    free="You are an assistant. Answer briefly, in English.",
)
Wordings = Mapping[str, Wording]
WORDINGS: Wordings = {"zh": ZH, "en": EN}


def load(path: Path | None) -> Wordings:
    """The wordings, with what a template file has instead: INI, a section a language.

    Raises:
        PocketQAError: `bad_config`, where the file cannot be read or holds what is not known.
    """
    if path is None:
        return WORDINGS
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text("utf-8-sig"), path.name)
        for lang in parser.sections():
            if lang not in WORDINGS:
                raise ValueError(f"[{lang}]: {' '.join(WORDINGS)}")
        return {
            lang: _with(wording, dict(parser[lang]) if lang in parser else {})
            for lang, wording in WORDINGS.items()
        }
    except (OSError, ValueError, configparser.Error) as error:
        raise PocketQAError(
            "bad_config",
            f"提示词文件 {path} 有误:{error}",
            f"the file of prompts {path} is wrong: {error}",
        ) from error


def _with(wording: Wording, changed: dict[str, str]) -> Wording:
    known = [field.name for field in fields(Wording)]
    for name, text in changed.items():
        if name not in known:
            raise ValueError(f"{name}: {' '.join(known)}")
        if name.startswith("asked") and not ("{material}" in text and "{question}" in text):
            raise ValueError(f"{name}: {{material}} {{question}}")
    return replace(wording, **changed)


def material(passages: Sequence[Passage]) -> str:
    """The passages as they are handed to the model: `材料:` and each of them; `''` for none."""
    return "材料:\n" + "\n\n".join(map(_entry, passages)) if passages else ""


def _entry(passage: Passage) -> str:
    """As question and answer, which the model then tells apart from the question it is asked."""
    if passage.kind == "document":
        return f"{passage.title}\n{passage.text}"
    return f"问：{passage.title}\n答：{passage.text}"


def fitting(passages: Sequence[Passage]) -> int:
    """How many of the best passages fit into `MAX_MATERIAL`, at least one."""
    room = MAX_MATERIAL
    for n, passage in enumerate(passages):
        room -= len(passage.title) + len(passage.text)
        if room < 0:
            return max(n, 1)
    return len(passages)


def grounded(
    system: str,
    question: str,
    history: Sequence[Turn],
    passages: Sequence[Passage],
    fits: Callable[[list[Message]], bool],
    asked: str = ASKED,
) -> tuple[list[Message], list[Passage]]:
    """The messages for a question over passages, cut until they fit, and what is left of those.

    First the earlier turns go, the oldest first; then the passages, the last first; of the only one
    left, its end.
    """
    history, used = list(history), list(passages)
    while not fits(messages := build(system, question, history, material(used), asked)):
        if history:
            history = history[1:]
        elif len(used) > 1:
            used = used[:-1]
        elif used[0].text:
            used = [replace(used[0], text=used[0].text[: len(used[0].text) * 3 // 4])]
        else:
            break
    return messages, used


ABSENT = {
    "zh": "材料里没有写明{what}，我不能随意作答。材料中相关的内容是：\n",
    "en": "The material does not state {what}, and I do not guess. What it says:\n",
}
"""What an answer begins with that lacks what was asked for."""
_ABSENT_BEGINS = tuple(text.partition("{")[0] for text in ABSENT.values())


def build(
    system: str, question: str, history: Sequence[Turn], material: str, asked: str = ASKED
) -> list[Message]:
    """The messages for a question; without material, for a free answer.

    Refusals, in whole or in part, and small talk are left out of the history: a small model would
    go on with them.
    """
    history = [
        turn for turn in history if turn.grounded and not turn.answer.startswith(_ABSENT_BEGINS)
    ]
    messages = [Message(role="system", content=system)]
    for turn in history[-MAX_TURNS:]:
        messages.append(Message(role="user", content=turn.question[:MAX_TURN]))
        messages.append(Message(role="assistant", content=turn.answer[:MAX_TURN]))
    text = question
    if material:  # in one pass: both may hold braces
        filled = {"material": material, "question": question}
        text = re.sub(r"\{(material|question)\}", lambda found: filled[found[1]], asked)
    messages.append(Message(role="user", content=text))
    return messages


def language(text: str) -> str:
    """`zh` if the text holds any Chinese character, else `en`."""
    return "zh" if any("\u4e00" <= char <= "\u9fff" for char in text) else "en"
