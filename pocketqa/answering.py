"""How a question is answered: one generator an event, from a request to the answer's pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from . import prompt
from .analysis import normalise
from .config import Config
from .dialogue import Key, Store, Turn
from .engine import Generation, Message, Options
from .errors import RequestError
from .followup import standalone
from .passages import Hit, Passage
from .protocol import FinishReason, Piece, Received, Request, Source, Way

NOTES: dict[Way, str] = {
    "curated": "",
    "generated": "<small><i>(由语言模型自动生成)</i></small>",
    "extracted": "<small><i>(摘自原文)</i></small>",
}
"""What evidence says of who wrote the answer."""
KNOWLEDGE_CLUE = "知识库依据:"
NEAR_BEST = 0.85
"""Passages of less relevance, beside the best one's 1, would only distract a small model."""
CANDIDATES = 20
"""Passages looked at for the evidence and for related questions."""
REFUSAL = {
    "zh": "抱歉，知识库里没有找到与您的问题相关的内容，我不能随意作答。"
    "您可以换一种说法，或从相关问题中选择。",
    "en": "Sorry, the knowledge base holds nothing that answers this question, and I do not guess. "
    "Please put it in other words, or choose one of the related questions.",
}


class Retrieval(Protocol):
    """What answering needs of a retriever; calls may take milliseconds, off the hub."""

    def retrieve(self, text: str, k: int = 10) -> list[Hit]: ...
    def smalltalk(self, text: str) -> Passage | None: ...
    def related(
        self, text: str, hits: Sequence[Hit], k: int = 3, exclude: Sequence[str] = ()
    ) -> list[str]: ...


class LanguageModel(Protocol):
    """What answering needs of an engine."""

    def submit(self, messages: list[Message], options: Options | None = None) -> Generation: ...


class Cancellation:
    """Lets another greenlet stop an answer, whatever stage it has reached."""

    def __init__(self) -> None:
        self.cancelled = False
        self._stop: Callable[[], None] | None = None

    def cancel(self) -> None:
        """Stop the answer; harmless when it has ended."""
        self.cancelled = True
        if self._stop:
            self._stop()

    def attach(self, stop: Callable[[], None]) -> None:
        """Call `stop` when cancelled; at once if that has already happened."""
        self._stop = stop
        if self.cancelled:
            stop()


@dataclass(frozen=True)
class Services:
    """What the generators work with."""

    config: Config
    retriever: Retrieval
    engine: LanguageModel
    dialogues: Store


def chat(
    request: Request, key: Key, services: Services, cancellation: Cancellation
) -> Iterator[Piece]:
    """`CHAT_CS`: a turn of a dialogue, grounded in the knowledge base.

    However it ends, what was said is kept as a turn before the last piece is given.
    """
    config = services.config
    history = services.dialogues.history(key, config.history_turns)
    said: list[str] = []
    try:
        for piece in _answer(request.text, history, services, cancellation):
            said.append(piece.delta)
            if piece.finish_reason is not None:
                break
            yield piece
    finally:
        if any(said):
            answered = tuple(source.title for source in piece.received.sources)
            turn = Turn(request.text, "".join(said), bool(answered), answered)
            services.dialogues.add(key, turn)
    yield piece


ANSWERS = {"CHAT_CS": chat}
"""What answers each event."""


def check(request: Request) -> None:
    """Refuse what no generator here could answer.

    Raises:
        RequestError: `unsupported` for an event that is not in `ANSWERS`, `unknown_upload`.
    """
    if request.event not in ANSWERS:
        raise RequestError(
            "unsupported",
            f"本版本尚不支持 {request.event}，请使用 CHAT_CS",
            f"this version does not answer {request.event} yet: use CHAT_CS",
        )
    if request.upload_id:
        raise RequestError(
            "unknown_upload",
            "找不到上传的文件，请重新上传",
            "no such upload: please upload it again",
        )


def _answer(
    question: str, history: tuple[Turn, ...], services: Services, cancellation: Cancellation
) -> Iterator[Piece]:
    """Choose the way: small talk, refusal, the curated answer, or the model."""
    config, retriever = services.config, services.retriever
    past = tuple((turn.question, turn.answer) for turn in history)
    small = retriever.smalltalk(question)
    if small is not None:
        yield from _whole(small.text, Received(history=past, way="smalltalk"))
        return

    query = standalone(question, history, lambda text: _surety(retriever.retrieve(text, 1)))
    hits = retriever.retrieve(query, CANDIDATES)
    is_found = bool(hits) and hits[0].score >= config.min_score
    known = [text for turn in history for text in (turn.question, *turn.answered)]
    answering = hits if is_found else []  # what is refused may be offered
    alter = tuple(retriever.related(query, answering, 3, exclude=[question, *known]))
    if not is_found:
        received = Received(alter=alter, history=past)
        if config.on_miss == "refuse":
            refused = replace(received, way="refused")
            yield from _whole(REFUSAL[prompt.language(question)], refused)
        else:
            messages = prompt.build(question, history, "")
            generated = replace(received, way="generated")
            yield from _generate(question, messages, generated, services, cancellation)
        return

    best = hits[0]
    if _gives_curated(best, config):
        received = _evidence([best], "", "curated", alter, past)
        yield from _whole(best.passage.text, received)
        return
    found = [hit for hit in hits if hit.relevance >= NEAR_BEST][: config.passages]
    used = found[: prompt.fitting([hit.passage for hit in found])]
    material = prompt.material([hit.passage for hit in used])
    messages = prompt.build(question, history, material)
    received = _evidence(used, material, "generated", alter, past)
    yield from _generate(question, messages, received, services, cancellation)


def _surety(hits: list[Hit]) -> float:
    return hits[0].score if hits else 0.0


def _evidence(
    used: list[Hit],
    material: str,
    way: Way,
    alter: tuple[str, ...],
    past: tuple[tuple[str, str], ...],
) -> Received:
    """What the frames say that an answer rests on: the hits that were used, best first."""
    best = used[0]
    data = (best.passage.text, str(best.score), NOTES[way])
    sources = tuple(
        Source(hit.passage.id, hit.passage.title, hit.passage.text, hit.score, hit.passage.source)
        for hit in used
    )
    return Received(material, KNOWLEDGE_CLUE, data, sources, alter, past, way)


def _gives_curated(best: Hit, config: Config) -> bool:
    if best.passage.kind != "curated" or config.answer_mode == "generate":
        return False
    return config.answer_mode == "curated" or best.score >= config.curated_score


def _whole(text: str, received: Received) -> Iterator[Piece]:
    yield Piece(text, None, received)
    yield Piece("", "stop", received)


def _generate(
    question: str,
    messages: list[Message],
    received: Received,
    services: Services,
    cancellation: Cancellation,
) -> Iterator[Piece]:
    """What the model says. When that is only an echo of the question, the passage instead."""
    config = services.config
    options = Options(config.max_new_tokens, config.temperature)
    generation = services.engine.submit(messages, options)
    cancellation.attach(generation.cancel)
    known = set(normalise("".join((question, *(source.title for source in received.sources)))))
    held: str | None = ""
    for delta in generation:
        if held is not None:
            # A small model may repeat a question and stop: hold back until it says more, which
            # is a character that neither the question nor a passage's title has.
            held += delta
            if set(normalise(held)) <= known:
                continue
            delta, held = held, None
        yield Piece(delta, None, received)
    reason: FinishReason = generation.finish_reason or "abort"
    if held is not None and reason == "stop" and received.sources:
        best = replace(received, clue_data=(*received.clue_data[:2], ""), way="curated")
        yield from _whole(received.sources[0].text, best)
    else:
        yield Piece(held or "", reason, received)
