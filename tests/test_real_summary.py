"""A text of fifty pages with the real default model."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from servers import ROOT

from pocketqa import app, config
from pocketqa.engine import Engine, Generation, Message, Options
from pocketqa.grounding.facts import ungrounded
from pocketqa.protocol import Received
from pocketqa.services import Cancellation
from pocketqa.summarising.asked import Block
from pocketqa.summarising.summaries import MAX_PARTS, OVERALL, summary

pytestmark = pytest.mark.model
PAGES, CHARACTERS = 50, 40_000


class Reader:
    """The engine, with a record of what it is asked."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.counts: list[int] = []
        self.max_prompt_tokens = engine.max_prompt_tokens
        self.count = engine.count

    def submit(self, messages: list[Message], options: Options | None = None) -> Generation:
        self.counts.append(self.count(messages))
        return self.engine.submit(messages, options)


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    engine = app.start_engine(config.Config())
    assert isinstance(engine, Engine)
    engine.wait()
    yield Reader(engine)
    engine.close()


def book() -> list[Block]:
    """The procedures and the questions of the demo knowledge, as one text with pages."""
    files = [*(ROOT / "knowledge/procedures").glob("*.md"), *(ROOT / "knowledge").glob("*.csv")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(files))[:CHARACTERS]
    blocks: list[Block] = []
    at = 0
    for line in text.split("\n"):
        blocks.append((line, 1 + at * PAGES // CHARACTERS))
        at += len(line) + 1
    return blocks


def test_fifty_pages(reader: Reader) -> None:
    blocks = book()
    began, first, said = time.monotonic(), 0.0, ""
    pieces = summary(blocks, "", reader, Cancellation(), Options(), Received())
    for piece in pieces:
        said += piece.delta
        first = first or time.monotonic() - began
    assert piece.finish_reason == "stop"
    assert max(reader.counts) <= reader.max_prompt_tokens
    assert sum(reader.counts) < 12_000, "some 30 s of reading, of the text's 75"
    points, overall = said.split(f"\n\n{OVERALL['zh']}")
    assert len(points.split("\n")) == MAX_PARTS and overall
    assert points.startswith("第1–") and f"–{PAGES}页：" in points
    facts = re.sub(r"(?m)^第\d+(–\d+)?页：", "", points)
    assert ungrounded(facts + overall, [text for text, _ in blocks]) == []
    assert first < 45, "a third of that on two idle cores"
