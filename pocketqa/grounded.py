"""A grounded answer: what is found for a question, and who answers from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from . import prompt, saying
from .config import Config
from .dialogue import Turn
from .followup import by_itself, standalone
from .passages import Hit, page_of
from .protocol import Piece, Received, Request, Source, Way
from .saying import NOTES, Asked, whole
from .services import Cancellation, Retrieval, Services, Upload
from .upload import unknown

KNOWLEDGE_CLUE, UPLOAD_CLUE = "知识库依据:", "文件依据:"
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
UPLOAD_REFUSAL = {
    "zh": "抱歉，这份文件里没有找到与您的问题相关的内容，我不能随意作答。您可以换一种说法。",
    "en": "Sorry, this file holds nothing that answers the question, and I do not guess. "
    "Please put it in other words.",
}


def answer(
    request: Request,
    history: tuple[Turn, ...],
    services: Services,
    cancellation: Cancellation,
    *,
    short: bool = False,
) -> Iterator[Piece]:
    """Small talk, a refusal, the curated answer, or what `saying` makes of the passages found.

    With `short` only what was asked for is said, without the passage's conditions and limits.

    Raises:
        RequestError: `unknown_upload`.
    """
    config, question = services.config, request.text
    upload = find_upload(request, services)
    retriever: Retrieval = upload.retriever if upload else services.retriever
    past = tuple((turn.question, turn.answer) for turn in history)
    small = services.retriever.smalltalk(question)
    if small is not None:
        yield from whole(small.text, Received(history=past, way="smalltalk"))
        return

    query = standalone(question, history, lambda text: _surety(retriever.retrieve(text, 1)))
    hits = retriever.retrieve(query, CANDIDATES)
    is_likely = bool(hits) and hits[0].score >= config.min_score
    # In a short file probabilities are worth little: it is shown, and not left to the model.
    is_found = is_likely or bool(hits) and upload is not None and upload.names(question)
    known = [text for turn in history for text in (turn.question, *turn.answered)]
    answering = hits if is_found else []  # what is refused may be offered
    alter = tuple(retriever.related(query, answering, 3, exclude=[question, *known]))
    received = Received(alter=alter, history=past)
    if not is_found:
        yield from _missed(request, history, received, services, cancellation)
        return

    clue = UPLOAD_CLUE if upload else KNOWLEDGE_CLUE
    if _gives_curated(hits[0], config):
        yield from whole(hits[0].passage.text, _evidence(received, hits[:1], "curated", clue))
        return
    found = [hit for hit in hits if hit.relevance >= NEAR_BEST][: config.passages]
    used = found[: prompt.fitting([hit.passage for hit in found])]
    read = [hit.passage for hit in used]
    if short and not services.engine.attends:
        read = [saying.to_the_point(question, passage) for passage in read]
    received = _evidence(received, used, "generated", clue)
    received = replace(received, prompt=prompt.material(read))
    # To a question that needs no past, a small model would give the last answer again.
    told = () if query == by_itself(question) else history
    asked = Asked(question, told, tuple(read), short)
    if not is_likely:
        yield from saying.quoted(asked, received)
        return
    yield from saying.from_passages(asked, received, services, cancellation)


def find_upload(request: Request, services: Services) -> Upload | None:
    """The upload that a request names; None when it names none.

    Raises:
        RequestError: `unknown_upload`.
    """
    if not request.upload_id:
        return None
    found = services.uploads.find(request.upload_id) if services.uploads else None
    if found is None:
        raise unknown()
    return found


def _missed(
    request: Request,
    history: tuple[Turn, ...],
    received: Received,
    services: Services,
    cancellation: Cancellation,
) -> Iterator[Piece]:
    """Nothing was found: say so, or let the model answer freely, as configured."""
    lang = prompt.language(request.text)
    if services.config.on_miss == "refuse":
        refusal = UPLOAD_REFUSAL if request.upload_id else REFUSAL
        yield from whole(refusal[lang], replace(received, way="refused"))
        return
    wording = services.wordings[lang]
    received = replace(received, way="generated")
    yield from saying.freely(
        lambda: prompt.build(wording.free, request.text, history, ""),
        received,
        services,
        cancellation,
    )


def _surety(hits: list[Hit]) -> float:
    return hits[0].score if hits else 0.0


def _gives_curated(best: Hit, config: Config) -> bool:
    if best.passage.kind != "curated" or config.answer_mode == "generate":
        return False
    return config.answer_mode == "curated" or best.score >= config.curated_score


def _evidence(received: Received, used: Sequence[Hit], way: Way, clue: str) -> Received:
    """What the frames say that an answer rests on: the hits that were used, best first."""
    best = used[0]
    return replace(
        received,
        clue_type=clue,
        clue_data=(best.passage.text, str(best.score), NOTES[way]),
        sources=tuple(map(_source, used)),
        way=way,
    )


def _source(hit: Hit) -> Source:
    found = hit.passage
    return Source(found.id, found.title, found.text, hit.score, found.source, page_of(found))
