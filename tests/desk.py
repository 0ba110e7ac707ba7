"""A service of fakes, as `answering` sees it."""

from __future__ import annotations

from collections.abc import Iterator

from fakes import FakeModel, FakeRetriever

from pocketqa.answering import ANSWERS
from pocketqa.config import Config
from pocketqa.dialogue import Key
from pocketqa.engine import Engine
from pocketqa.passages import Hit, Passage
from pocketqa.protocol import Piece, parse
from pocketqa.services import Cancellation, Services
from pocketqa.storage import MEMORY, Database, Turns

ID_CARD = Passage(
    id="1",
    title="身份证丢失了怎么补办?",
    text="请带上户口簿,到派出所申请补领。工本费20元。",
    source="《法》第一条",
)
KEY = Key("own:s", "s")


def in_memory() -> Turns:
    """Dialogues that nobody else has."""
    return Turns(Database(MEMORY))


class Desk:
    """Answers questions with fakes."""

    def __init__(
        self, score: float = 0.9, model: FakeModel | None = None, **config: object
    ) -> None:
        self.model = model or FakeModel()
        self.engine = Engine(lambda: self.model)
        self.engine.wait()
        self.retriever = FakeRetriever([Hit(ID_CARD, score)], {"你好": "您好,请问。"})
        settings = Config(**config)  # type: ignore[arg-type]
        self.services = Services(settings, self.retriever, self.engine, in_memory())

    def pieces(
        self, text: str, cancellation: Cancellation | None = None, event: str = "CHAT_CS"
    ) -> Iterator[Piece]:
        request = parse(event, {"text": text}, "s")
        return ANSWERS[event](request, KEY, self.services, cancellation or Cancellation())

    def ask(self, text: str, event: str = "CHAT_CS") -> tuple[str, Piece]:
        pieces = list(self.pieces(text, event=event))
        return "".join(piece.delta for piece in pieces), pieces[-1]
