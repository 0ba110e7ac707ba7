"""Questions that the language model writes for passages, so that more ways of asking find them.

Expansion of documents (doc2query, Nogueira and others 2019): a passage is also indexed under the
words of questions that it answers. What the model wrote is kept in a file beside the index as it
comes, so that an interrupted run goes on where it stopped and a rebuild asks for nothing twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from .analysis import normalise, terms
from .engine import Message, Options
from .errors import KnowledgeError, ModelError
from .passages import Passage
from .question import content
from .services import LanguageModel

MAX_TEXT = 800
"""Characters of a passage that the model reads: what it asks about stands at the beginning."""
TOKENS = 32
"""New tokens for each question."""
SHORTEST, LONGEST = 4, {"zh": 50, "en": 120}
"""Letters of a question."""
SUPPORT = 0.5
"""Share of a question's content terms that the passage must hold."""

SYSTEM = {
    "zh": "你替来办事的市民提问，只提问，不回答。",
    "en": "You ask what members of the public ask. You only ask, you never answer.",
}
ASK = {
    "zh": "材料：{title}\n{text}\n\n市民想从这份材料里知道什么？换着说法，写{count}个不同的问题。",
    "en": "Material: {title}\n{text}\n\n"
    "What do people want to know from it? Write {count} different questions in everyday words.",
}
# A small model writes one question three times, unless each line has to ask about something else.
ASPECTS = {
    "zh": ("怎么做", "要什么", "特殊情况", "费用时间", "谁可以"),
    "en": ("How", "What", "Exceptions", "Cost and time", "Who"),
}
# Of a single example it copies the questions. These passages are nobody's: a question copied from
# them has no support in another passage.
EXAMPLES = {
    "zh": (
        (
            "读者证怎么办？",
            "带身份证到图书馆一楼服务台填表，交押金100元，当场领证。16岁以下由家长陪同办理。",
            "去图书馆借书要办什么手续？ 办借书卡要交押金吗？ 孩子自己能去领读者证吗？"
            " 押金要交多少钱？ 哪些人能办借书证？",
        ),
        (
            "停车管理办法 › 月卡",
            "凭行驶证和住户证件到物业办理，每月200元，欠费停用。租客须有业主的同意书。",
            "小区停车的月卡怎么办？ 办月卡要带哪些证件？ 租房的人能办吗？"
            " 停车一个月要多少钱？ 谁能办停车月卡？",
        ),
    ),
    "en": (
        (
            "Getting a library card",
            "Bring a photo ID and a deposit of 10 pounds to the desk. Children come with a parent.",
            "How can I borrow books? What do I have to bring? Can my son go without me?"
            " How much is the deposit? Who can get a card?",
        ),
        (
            "Parking rules › Monthly permits",
            "Show your licence and proof of address. 200 pounds; tenants need the owner's consent.",
            "How can I park here every day? Which papers do I need for it? What if I only rent?"
            " What does it cost a month? Who can have a permit?",
        ),
    ),
}
# A number is followed by a mark and no further digit: 3.5元 is not the third question.
_NUMBER = re.compile(r"^(?:[(（]?(?:\d{1,2}|[一二三四五六七八九十])[.、:：)）](?!\d)|[-*•·])\s*")
_LABEL = re.compile(
    rf"^(?:(?:{'|'.join((*ASPECTS['zh'], *ASPECTS['en']))}|问题?|Q|Question)\s*\d*\s*[:：.]\s*)+",
    re.IGNORECASE,
)
_QUOTES = " \t　\"'“”‘’「」『』*_`#"
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]+")


class Expander:
    """Writes questions for passages and remembers them in a file beside the index."""

    def __init__(self, directory: Path, model: str, count: int) -> None:
        """For the index in `directory`: up to `count` (1 to 5) questions a passage, by `model`.

        The file is `directory` with `.questions.jsonl` behind.
        """
        self.file = Path(f"{directory.resolve()}.questions.jsonl")
        self._model, self._count = model, count
        self._written = dict(_read(self.file))

    def missing(self, passages: Iterable[Passage]) -> list[Passage]:
        """The passages that the model has not yet been asked about; small talk is left out."""
        wanted = {self._key(each): each for each in passages if each.kind != "smalltalk"}
        return [each for key, each in wanted.items() if key not in self._written]

    def write(self, passages: Iterable[Passage], model: LanguageModel) -> None:
        """Ask the model about each passage; an answer is in the file before the next is asked for.

        Raises:
            ModelError: `model_unavailable`.
            KnowledgeError: `index_unwritable`.
        """
        options = Options(max_new_tokens=TOKENS * self._count)
        for passage in passages:
            generation = model.submit(messages(passage, self._count), options)
            written = _lines(generation, self._count)
            if generation.finish_reason == "abort":
                raise ModelError("model_unavailable", "模型已停止", "the model was stopped")
            self._remember(passage, written)

    def expand(self, passages: Iterable[Passage]) -> list[Passage]:
        """The passages with the questions that are written for them, cleaned."""
        return [
            replace(
                each, expansion=clean(self._written.get(self._key(each), ""), each, self._count)
            )
            for each in passages
        ]

    def _key(self, passage: Passage) -> str:
        """Changes with the model, the passage's title and text, and the wording of the prompt."""
        asked = [self._model, self._count, messages(passage, self._count)]
        data = json.dumps(asked, ensure_ascii=False).encode("utf-8", "surrogatepass")
        return hashlib.sha256(data).hexdigest()[:32]

    def _remember(self, passage: Passage, written: str) -> None:
        key = self._key(passage)
        # What the model wrote is kept as it is: better cleaning then needs no new questions.
        entry = {"key": key, "title": passage.title, "written": written}
        line = json.dumps(entry, ensure_ascii=False) + "\n"
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("ab") as file:
                # A run that was killed may have left half a line.
                begin = b"\n" if file.tell() and not _ends_a_line(self.file) else b""
                file.write(begin + line.encode("utf-8", "surrogatepass"))
        except OSError as error:
            raise KnowledgeError(
                "index_unwritable",
                f"{self.file} 无法写入：{error.strerror}。腾出空间后再次运行会接着写",
                f"{self.file} cannot be written: {error.strerror}. A further run goes on from here",
            ) from error
        self._written[key] = written


def messages(passage: Passage, count: int) -> list[Message]:
    """The prompt: examples, then the passage, in the passage's language."""
    lang = language(passage.title + passage.text)
    found = [Message(role="system", content=SYSTEM[lang])]
    for title, text, written in EXAMPLES[lang]:
        lines = zip(ASPECTS[lang][:count], re.split(r"(?<=[?？]) ", written), strict=False)
        asked = ASK[lang].format(title=title, text=text, count=count)
        found.append(Message(role="user", content=asked))
        found.append(Message(role="assistant", content="\n".join(map("：".join, lines))))
    # A list in the passage would be gone on with, so its lines are joined.
    text = " ".join(passage.text.split())[:MAX_TEXT]
    asked = ASK[lang].format(title=passage.title, text=text, count=count)
    return [*found, Message(role="user", content=asked)]


def clean(written: str, passage: Passage, count: int) -> tuple[str, ...]:
    """The questions in what the model wrote that are fit for the index, at most `count`.

    Left out is what ends without a question mark (an answer, or cut off), is too short or too
    long, is in another language, says nothing that a known question does not say, or asks about
    something that the passage does not hold.
    """
    lang = language(passage.title + passage.text)
    known = [frozenset(terms(each)) for each in (passage.title, *passage.similar)]
    held = frozenset(terms(f"{passage.title}\n{passage.text}"))
    found: list[str] = []
    for question in _questions(written):
        own = frozenset(terms(question))
        about = content(question)
        if (
            SHORTEST <= len(normalise(question)) <= LONGEST[lang]
            and language(question) == lang
            and not any(own <= other for other in known)
            and len(about & held) >= SUPPORT * len(about)
        ):
            known.append(own)
            found.append(question)
    return tuple(found[:count])


def language(text: str) -> str:
    """`zh` if most of the text is Chinese, a character counted as a word; else `en`."""
    return "zh" if len(_HAN.findall(text)) >= max(1, len(_LATIN.findall(text))) else "en"


def _lines(deltas: Iterable[str], count: int) -> str:
    """The first `count` lines; what comes after them only repeats them, and takes its time."""
    text = ""
    for delta in deltas:
        text = (text + delta).lstrip()
        if len(lines := text.split("\n")) > count:
            return "\n".join(lines[:count])
    return text


def _questions(written: str) -> Iterator[str]:
    for part in re.split(r"\n|(?<=[?？])", written):
        for mark in (_NUMBER, _LABEL):
            part = mark.sub("", part.strip(_QUOTES))
        part = " ".join(part.strip(_QUOTES).split())
        if part.endswith(("?", "？")):
            yield part


def _read(file: Path) -> Iterator[tuple[str, str]]:
    """Keys and what was written; lines that are damaged are passed over and asked for again."""
    try:
        lines = file.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise KnowledgeError(
            "index_unreadable",
            f"{file} 无法读取：{error.strerror}",
            f"{file} cannot be read: {error.strerror}",
        ) from error
    for line in lines:
        try:
            found = json.loads(line)
            yield str(found["key"]), str(found["written"])
        except (ValueError, KeyError, TypeError, RecursionError):
            continue


def _ends_a_line(file: Path) -> bool:
    with file.open("rb") as read:
        read.seek(-1, os.SEEK_END)
        return read.read() == b"\n"
