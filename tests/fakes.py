"""Small stand-ins for the slow parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from pocketqa.engine import EndReason, Message, Options
from pocketqa.passages import Hit, Passage


@dataclass
class FakeModel:
    """A model that says `text` a character at a time and remembers its prompts."""

    text: str = "请带上户口簿,到派出所申请补领。"
    pause_s: float = 0.0
    fault: BaseException | None = None
    prompts: list[list[Message]] = field(default_factory=list)
    said: int = 0

    def stream(
        self, messages: list[Message], options: Options, is_cancelled: Callable[[], bool]
    ) -> Generator[str, None, EndReason]:
        self.prompts.append(messages)
        for n, char in enumerate(self.text):
            if is_cancelled():
                return "abort"
            if n == options.max_new_tokens:
                return "length"
            time.sleep(self.pause_s)
            self.said += 1
            yield char
        if self.fault:
            raise self.fault
        return "stop"


@dataclass
class FakeRetriever:
    """Finds `hits` whatever is asked, and remembers the queries."""

    hits: list[Hit] = field(default_factory=list)
    small: dict[str, str] = field(default_factory=dict)
    queries: list[str] = field(default_factory=list)
    excluded: list[Any] = field(default_factory=list)

    def retrieve(self, text: str, k: int = 10) -> list[Hit]:
        self.queries.append(text)
        return self.hits[:k]

    def smalltalk(self, text: str) -> Passage | None:
        answer = self.small.get(text)
        return Passage(id="s", title=text, text=answer, kind="smalltalk") if answer else None

    def related(self, text: str, hits: Any, k: int = 3, exclude: Any = ()) -> list[str]:
        self.excluded.append(list(exclude))
        return ["问题一?", "问题二?", "问题三?"][:k]
