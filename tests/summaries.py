"""A fake that summarises, and texts for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fakes import FakeModel

from pocketqa.engine import Engine, Message, Options
from pocketqa.protocol import Piece, Received
from pocketqa.services import Cancellation
from pocketqa.summarising import summary
from pocketqa.summarising.asked import Block

TOPICS = "春夏秋冬风雨雷电山水花草"


def chapter(topic: str, length: int = 900) -> str:
    """Sentences that name their topic and a number each."""
    text, n = "", 0
    while len(text) < length:
        n += 1
        text += f"关于{topic}的规定第{n}点办理期限是{n + 10}日，由{topic}字号窗口负责。"
    return text


def said_of(topics: str) -> str:
    return f"关于{'、'.join(topics)}的规定。"


LONG: list[Block] = [(chapter(topic), page) for page, topic in enumerate(TOPICS, 1)]


@dataclass
class Summariser(FakeModel):
    """Says of each text which topics it has; its faults are planted by topic."""

    faults: dict[str, BaseException] = field(default_factory=dict)

    def answer(self, messages: list[Message]) -> str:
        text = messages[-1]["content"]
        topics = "".join(topic for topic in TOPICS if topic in text)
        if topics in self.faults:
            raise self.faults[topics]
        return said_of(topics)


class Desk:
    """Summarises with a fake."""

    def __init__(self, model: FakeModel | None = None, **options: object) -> None:
        self.model = model or Summariser()
        self.engine = Engine(lambda: self.model, **options)  # type: ignore[arg-type]
        self.engine.wait()
        self.cancellation = Cancellation()

    def pieces(
        self, blocks: list[Block] | str, instruction: str = "", **options: object
    ) -> Iterator[Piece]:
        if isinstance(blocks, str):
            blocks = [(blocks, None)]
        wanted = Options(**options)  # type: ignore[arg-type]
        return summary(blocks, instruction, self.engine, self.cancellation, wanted, Received())

    def ask(
        self, blocks: list[Block] | str, instruction: str = "", **options: object
    ) -> tuple[str, Piece]:
        pieces = list(self.pieces(blocks, instruction, **options))
        assert all(piece.finish_reason is None for piece in pieces[:-1])
        return "".join(piece.delta for piece in pieces), pieces[-1]
