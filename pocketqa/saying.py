"""What is said from passages: the model's words under checks, or the passages' own.

The model's numbers are those of its passages or of the question: where the engine can, it decodes
under that constraint; where it can't (a remote one), each is checked when it has been said, before
it is shown. What fails, what the model can't say at present, and what it only echoes is said in
the passages' own sentences instead.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from . import grounding, prompt
from .analysis import normalise
from .dialogue import Turn
from .engine import Generation, Message, Options
from .errors import PocketQAError
from .grounding import extract, most_read, shortest
from .grounding.numerals import CHARACTERS
from .passages import Passage
from .prompt import MAX_MATERIAL
from .protocol import FinishReason, Piece, Received, Way
from .services import Cancellation, Services
from .writing import without_loops

NOTES: dict[Way, str] = {
    "curated": "",
    "generated": "<small><i>(由语言模型自动生成)</i></small>",
    "extracted": "<small><i>(摘自原文)</i></small>",
}
"""What evidence says of who wrote the answer."""
DOUBTFUL = "<small><i>(部分内容在依据中没有找到，请以原文为准)</i></small>"
"""… after that, of an answer with a sentence that its passages do not support."""
SENTENCES = 3
"""Sentences of a passage that a short answer is looked for in."""
EXTRACT = 300
"""Characters of an answer in the passages' own words."""
UNAVAILABLE = ("model_unavailable", "queue_full")
"""Why a model can't answer at present, while the passages can."""

_NUMBER = rf"[!-~第{CHARACTERS}]"
_NUMBER_AT_END = re.compile(rf"{_NUMBER}+\Z")
_RUN = re.compile(rf"{_NUMBER}+|[^!-~第{CHARACTERS}]+")

ORIGINAL = {
    "zh": "\n请以材料的原文为准：\n",
    "en": "\nPlease rely on the material's own words:\n",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """A question, and what it is answered from."""

    question: str
    history: tuple[Turn, ...]
    passages: tuple[Passage, ...]
    short: bool = False

    @property
    def texts(self) -> list[str]:
        """Title and text of each passage."""
        return [f"{passage.title}\n{passage.text}" for passage in self.passages]

    @property
    def sources(self) -> list[str]:
        """What an answer's numbers must come from."""
        return [*self.texts, self.question]


def whole(text: str, received: Received) -> Iterator[Piece]:
    """An answer that is known at once."""
    yield Piece(text, None, received)
    yield Piece("", "stop", received)


def freely(
    messages: Callable[[], list[Message]],
    received: Received,
    services: Services,
    cancellation: Cancellation,
) -> Iterator[Piece]:
    """What the model says of itself; `messages` is called when the iteration begins."""
    config = services.config
    options = Options(config.max_new_tokens, config.temperature)
    generation = services.engine.submit(messages(), options)
    cancellation.attach(generation.cancel)
    for delta in without_loops(generation):
        yield Piece(delta, None, received)
    generation.cancel()  # has it ended? If not, it had begun to repeat itself
    yield Piece("", generation.finish_reason or "stop", received)


def quoted(asked: Asked, received: Received) -> Iterator[Piece]:
    """The passages' own words that lie nearest to the question, whoever could say them better."""
    yield from whole(_extract(asked), _extracted(received))


def from_passages(
    asked: Asked, received: Received, services: Services, cancellation: Cancellation
) -> Iterator[Piece]:
    """An answer from passages, by the first way that serves: see this module."""
    lang = prompt.language(asked.question)
    kind = grounding.asks_for(asked.question)
    if kind and not grounding.has(kind, asked.texts):
        absent = prompt.ABSENT[lang].format(what=grounding.NAMES[kind][lang == "en"])
        yield from whole(absent + _extract(asked), _extracted(received))
        return
    try:
        generation, read = _submit(asked, services)
    except PocketQAError as error:
        if error.code not in UNAVAILABLE:
            raise
        log.info("in the passages' own words: %s", error.code)
        yield from quoted(asked, received)
        return
    cancellation.attach(generation.cancel)
    if read != asked.passages:  # the others are no evidence: the model has not seen them
        asked = replace(asked, passages=read)
        sources = received.sources[: len(read)]
        received = replace(received, sources=sources, prompt=prompt.material(read))
    if asked.short:
        yield from _shortest(asked, generation, received)
    else:
        yield from _checked(asked, generation, received, services)


def _submit(asked: Asked, services: Services) -> tuple[Generation, tuple[Passage, ...]]:
    """The model's answer, and the passages that there was room for."""
    config, engine = services.config, services.engine
    wording = services.wordings[prompt.language(asked.question)]
    messages, read = prompt.grounded(
        wording.qa if asked.short else wording.chat,
        asked.question,
        asked.history,
        asked.passages,
        lambda messages: engine.count(messages) <= engine.max_prompt_tokens,
        wording.asked_short if asked.short else wording.asked,
    )
    constraint = grounding.NumbersFrom(asked.sources)
    options = Options(
        config.max_new_tokens, config.temperature, constraint=constraint, attention=asked.short
    )
    return engine.submit(messages, options), tuple(read)


def to_the_point(question: str, passage: Passage) -> Passage:
    """A passage with its best sentences only: more would only distract from a short answer."""
    return replace(passage, text=extract(question, [passage], MAX_MATERIAL, SENTENCES))


def _shortest(asked: Asked, generation: Generation, received: Received) -> Iterator[Piece]:
    """The clauses that the model looked at, and that say what it says; else the best sentence."""
    said = "".join(generation)
    if generation.finish_reason == "abort":
        yield Piece("", "abort", received)
        return
    weights = _weights(asked, generation)
    if weights:
        text = most_read(said, asked.question, asked.passages, weights)
    else:
        text = shortest(said, asked.question, "\n".join(each.text for each in asked.passages))
    text = text or extract(asked.question, asked.passages, EXTRACT, 1)
    yield from whole(text, _extracted(received))


def _weights(asked: Asked, generation: Generation) -> list[np.ndarray]:
    """What of each passage's text the model looked at; empty where that is not known."""
    found, content, end = [], generation.messages[-1]["content"], 0
    for passage in asked.passages:
        begin = content.find(passage.text, end)
        if generation.attention is None or begin < 0:
            return []
        end = begin + len(passage.text)
        found.append(generation.attention[begin:end])
    return found


def _checked(
    asked: Asked, generation: Generation, received: Received, services: Services
) -> Iterator[Piece]:
    """The model's answer; where it fails, the passages' sentences after what has been said."""
    said, constrained = "", services.engine.constrains
    for delta in _new(asked, _whole_numbers(generation)):
        # The limit may have cut a number.
        is_sure = constrained and generation.finish_reason != "length"
        sound = delta if is_sure else _sound(said, delta, asked)
        said += sound
        if sound:
            yield Piece(sound, None, received)
        if sound != delta and not constrained:
            log.info("a number of the answer is in no passage: in the passages' own words")
            generation.cancel()
            lead = "\n" if said and not said.endswith("\n") else ""
            yield from whole(lead + _extract(asked), _extracted(received))
            return
    reason: FinishReason = generation.finish_reason or "abort"
    if not said and reason == "stop":  # an echo of the question, or nothing at all
        yield from whole(_extract(asked), _extracted(received))
        return
    is_doubtful = bool(grounding.unsupported(said, asked.sources))
    if generation.steered:  # it would have said a number of its own
        is_doubtful = True
        yield Piece(ORIGINAL[prompt.language(asked.question)] + _extract(asked), None, received)
    if is_doubtful:
        note = NOTES["generated"] + DOUBTFUL
        received = replace(received, clue_data=(*received.clue_data[:2], note))
    yield Piece("", reason, received)


def _sound(said: str, delta: str, asked: Asked) -> str:
    """What of `delta`, after what was said, comes before a number that no source states."""
    if not grounding.ungrounded(said + delta, asked.sources):
        return delta
    sound = ""
    for run in _RUN.findall(delta):
        if grounding.ungrounded(said + sound + run, asked.sources):
            break
        sound += run
    return sound


def _whole_numbers(deltas: Iterable[str]) -> Iterator[str]:
    """The deltas, but that none ends within a number, date or address."""
    held = ""
    for delta in deltas:
        held += delta
        begin = _NUMBER_AT_END.search(held)
        ready = held[: begin.start()] if begin else held
        if ready:
            yield ready
        held = held[len(ready) :]
    if held:
        yield held


def _new(asked: Asked, deltas: Iterator[str]) -> Iterator[str]:
    """The deltas, held back until they hold a character that neither question nor titles have.

    A small model may repeat a question and stop: then nothing is said.
    """
    titles = (passage.title for passage in asked.passages)
    known = set(normalise("".join((asked.question, *titles))))
    held: str | None = ""
    for delta in deltas:
        if held is not None:
            held += delta
            if set(normalise(held)) <= known:
                continue
            delta, held = held, None
        yield delta


def _extract(asked: Asked) -> str:
    return extract(asked.question, asked.passages, EXTRACT)


def _extracted(received: Received) -> Received:
    data = (*received.clue_data[:2], NOTES["extracted"])
    return replace(received, clue_data=data, way="extracted")
