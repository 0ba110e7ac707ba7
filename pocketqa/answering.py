"""How each event is answered: one generator an event, from a request to the answer's pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import grounded, saying, summarising, writing
from .dialogue import Key, Turn
from .engine import Options
from .protocol import Piece, Received, Request
from .sensitive import guard
from .services import Cancellation, Services
from .summarising import asked

Answers = Callable[[Request, Key, Services, Cancellation], Iterator[Piece]]


def chat(
    request: Request, key: Key, services: Services, cancellation: Cancellation
) -> Iterator[Piece]:
    """`CHAT_CS`: a turn of a dialogue, grounded in the knowledge base or an upload."""
    history = services.dialogues.history(key, services.config.history_turns)
    pieces = grounded.answer(request, history, services, cancellation)
    yield from _kept(request, key, services, _guarded(request, services, pieces))


def qa(
    request: Request, key: Key, services: Services, cancellation: Cancellation
) -> Iterator[Piece]:
    """`QA_CS`: one grounded question, answered shortly; no history is read or kept."""
    pieces = grounded.answer(request, (), services, cancellation, short=True)
    yield from _guarded(request, services, pieces)


def summarise(
    request: Request, key: Key, services: Services, cancellation: Cancellation
) -> Iterator[Piece]:
    """`SUM_CS`: a summary of `text`; of an upload, for which `text` may say what is wanted."""
    upload = grounded.find_upload(request, services)
    if upload:
        wish, blocks = request.text, upload.blocks()
    else:  # 总结下面的文字：…
        wish, text = asked.instruction_of(request.text)
        blocks = [(text, None)]
    options = Options(services.config.max_new_tokens, services.config.temperature)
    received = Received(way="generated")
    pieces = summarising.summary(blocks, wish, services.engine, cancellation, options, received)
    yield from _guarded(request, services, pieces)


def write(
    request: Request, key: Key, services: Services, cancellation: Cancellation
) -> Iterator[Piece]:
    """`GEN_CS`: free writing, with the dialogue's history and without evidence."""
    history = services.dialogues.history(key, services.config.history_turns)
    received = Received(
        history=tuple((turn.question, turn.answer) for turn in history), way="generated"
    )
    pieces = saying.freely(
        lambda: writing.messages(request.text, history, services.engine),
        received,
        services,
        cancellation,
    )
    yield from _kept(request, key, services, _guarded(request, services, pieces))


ANSWERS: dict[str, Answers] = {
    "CHAT_CS": chat, "QA_CS": qa, "SUM_CS": summarise, "GEN_CS": write,
}  # fmt: skip
"""What answers each event."""


def check(request: Request, services: Services) -> None:
    """Refuse at once what could not be answered.

    Raises:
        RequestError: `unknown_upload`.
    """
    grounded.find_upload(request, services)


def _guarded(request: Request, services: Services, pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The pieces without what the operator's list forbids."""
    if services.sensitive is None:
        return pieces
    return guard(
        pieces,
        services.sensitive.words,
        request.text,
        reply=services.config.sensitive_reply,
        request_id=request.request_id,
    )


def _is_sensitive(request: Request, services: Services) -> bool:
    return services.sensitive is not None and bool(services.sensitive.words.find(request.text))


def _kept(
    request: Request, key: Key, services: Services, pieces: Iterator[Piece]
) -> Iterator[Piece]:
    """The pieces; however they end, what was said is kept as a turn before the last is given."""
    said: list[str] = []
    piece = Piece()
    try:
        for piece in pieces:
            said.append(piece.delta)
            if piece.finish_reason is not None:
                break
            yield piece
    finally:
        if any(said) and not _is_sensitive(request, services):
            answered = tuple(source.title for source in piece.received.sources)
            turn = Turn(request.text, "".join(said), bool(answered), answered)
            services.dialogues.add(key, turn)
    yield piece
