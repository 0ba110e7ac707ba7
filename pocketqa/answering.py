"""How each event is answered: one generator an event, from a request to the answer's pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps

from . import grounded, saying, summarising, writing
from .dialogue import Key, State
from .engine import Options
from .protocol import Piece, Received, Request
from .sensitive import guard
from .services import Cancellation, Services
from .summarising import asked

Answers = Callable[[Request, Key, Services, Cancellation], Iterator[Piece]]


def kept(answers: Answers) -> Answers:
    """`answers`, guarded, and kept as a turn: from before the first piece, whole before the last.

    A question that the operator's list forbids is not kept, nor what is answered to it.
    """

    @wraps(answers)
    def all_of_it(
        request: Request, key: Key, services: Services, cancellation: Cancellation
    ) -> Iterator[Piece]:
        pieces = _guarded(request, services, answers(request, key, services, cancellation))
        if _is_sensitive(request, services):
            yield from pieces
            return
        dialogues = services.dialogues
        turn = dialogues.begin(key, request)
        piece, error = Piece(), ""
        state: State = "abort"  # if nobody asks for more
        try:
            for piece in pieces:
                dialogues.extend(turn, piece.delta)
                if piece.finish_reason is not None:
                    break
                yield piece
            state = piece.finish_reason or "stop"
            error = piece.error.code if piece.error else ""
        except Exception as fault:
            state, error = "error", getattr(fault, "code", "internal")
            raise
        finally:
            dialogues.end(turn, state, piece.received, error)
        yield piece

    return all_of_it


@kept
def chat(
    request: Request, key: Key, services: Services, cancellation: Cancellation
) -> Iterator[Piece]:
    """`CHAT_CS`: a turn of a dialogue, grounded in the knowledge base or an upload."""
    history = services.dialogues.history(key, services.config.history_turns)
    yield from grounded.answer(request, history, services, cancellation)


@kept
def qa(
    request: Request, key: Key, services: Services, cancellation: Cancellation
) -> Iterator[Piece]:
    """`QA_CS`: one grounded question, answered shortly; it reads no history and is in none."""
    yield from grounded.answer(request, (), services, cancellation, short=True)


@kept
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
    engine = services.engine
    yield from summarising.summary(blocks, wish, engine, cancellation, options, received)


@kept
def write(
    request: Request, key: Key, services: Services, cancellation: Cancellation
) -> Iterator[Piece]:
    """`GEN_CS`: free writing, with the dialogue's history and without evidence."""
    history = services.dialogues.history(key, services.config.history_turns)
    received = Received(
        history=tuple((turn.question, turn.answer) for turn in history), way="generated"
    )
    yield from saying.freely(
        lambda: writing.messages(request.text, history, services.engine),
        received,
        services,
        cancellation,
    )


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
