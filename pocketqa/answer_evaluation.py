"""How good answers are: the questions of a set go the server's way, and what comes is measured.

Retrieval is included: the set's corpus is indexed in a temporary folder, and each question is
answered by the generator of its event, several at once, each in a dialogue of its own.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from . import indexing, protocol
from .answer_metrics import char_f1, cmrc_f1, gold_recall
from .answering import ANSWERS
from .beir import AnswerSet, Asked
from .config import Config
from .dialogue import Key
from .errors import PocketQAError
from .grounding.facts import ungrounded
from .live import Live
from .protocol import Piece, Received, Way
from .services import Cancellation, LanguageModel, Services, assemble

METRICS = {"gold_recall": gold_recall, "char_f1": char_f1, "cmrc_f1": cmrc_f1}
WAYS = tuple(way for way in get_args(Way) if way)
UNSOURCED = ("smalltalk", "refused")
"""Ways whose texts rest on no passage: their numbers are not looked at."""

Step = Callable[[], object]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """A question and what came of it.

    Attributes:
        way: who wrote the answer, see `protocol.Way`.
        error: what went wrong; then nothing of the row is in a figure, but for its being there.
        first_s: seconds until the first text; of an answer without any, until its end.
        ungrounded: the numbers in the answer that neither the question nor its sources have.
        scores: by the names of `METRICS`; empty for a question without gold answers.
    """

    id: str
    question: str
    golds: tuple[str, ...]
    answer: str = ""
    way: str = ""
    finish_reason: str = ""
    error: str = ""
    first_s: float = 0.0
    took_s: float = 0.0
    ungrounded: tuple[str, ...] = ()
    scores: dict[str, float] | None = None


@dataclass(frozen=True)
class Report:
    """What was measured of a set; `outside` are the rows of questions that it does not answer."""

    name: str
    event: str
    passages: int
    skipped: int
    rows: list[Row]
    outside: list[Row]
    took_s: float
    tokens: int | None = None

    def figures(self) -> dict[str, float | None]:
        """What a person looks at, by name; None where there is nothing to measure it on."""
        good = [row for row in self.rows if not row.error]
        found: dict[str, float | None] = {
            "questions": len(self.rows),
            "errors": len(self.rows) + len(self.outside) - len(good) - len(self._outside()),
            "skipped": self.skipped,
        }
        found |= {name: mean([(row.scores or {})[name] for row in good]) for name in METRICS}
        found |= {way: mean([row.way == way for row in good]) for way in WAYS}
        found["ungrounded"] = sum(len(row.ungrounded) for row in good)
        found["ungrounded_answers"] = sum(bool(row.ungrounded) for row in good)
        found |= self._speed(good)
        if self.outside:
            found["outside"] = len(self.outside)
            found["outside_refused"] = mean([row.way == "refused" for row in self._outside()])
        return found

    def as_json(self) -> dict[str, Any]:
        """One object with all of it, but for the single questions."""
        return {
            "name": self.name, "event": self.event, "passages": self.passages, **self.figures(),
        }  # fmt: skip

    def rows_as_json(self) -> dict[str, list[dict[str, Any]]]:
        """The single questions."""
        return {
            "rows": [asdict(row) for row in self.rows],
            "outside_rows": [asdict(row) for row in self.outside],
        }

    def _outside(self) -> list[Row]:
        return [row for row in self.outside if not row.error]

    def _speed(self, good: Sequence[Row]) -> dict[str, float | None]:
        """Waiting, of all answers; what the model wrote in a second of the whole run."""
        first = [row.first_s for row in good]
        written = sum(
            len(row.answer) for row in (*good, *self._outside()) if row.way == "generated"
        )
        found = {
            f"first_p{q}_s": round(float(np.percentile(first, q)), 3) if first else None
            for q in (50, 95)
        }
        per_s = 1 / self.took_s if self.took_s else 0.0
        found["characters_s"] = round(written * per_s, 1)
        found["tokens_s"] = None if self.tokens is None else round(self.tokens * per_s, 1)
        found["took_s"] = round(self.took_s, 2)
        return found


def mean(values: Sequence[float]) -> float | None:
    """The mean to four places; None of none."""
    return round(float(np.mean(values)), 4) if values else None


def limited(asked: AnswerSet, limit: int | None) -> AnswerSet:
    """The set with its first `limit` questions only."""
    return replace(asked, questions=asked.questions[:limit])


def measure(
    asked: AnswerSet,
    outside: Sequence[str],
    config: Config,
    engine: LanguageModel,
    event: str = "CHAT_CS",
    at_once: int = 8,
    step: Step = lambda: None,
) -> Report:
    """Ask all questions of a set, and those outside of it; `step` is called after each.

    A question that fails is a row with an `error`. Interrupted, what is running is cancelled.
    """
    questions = list(asked.questions)
    questions += [Asked(f"outside-{n}", text) for n, text in enumerate(outside, 1)]
    with _retriever(asked) as retriever:
        services = assemble(config, retriever, engine)
        before, began = _tokens(engine), time.perf_counter()
        rows = ask_all(questions, services, event, at_once, step)
        took, after = time.perf_counter() - began, _tokens(engine)
    inside = len(asked.questions)
    tokens = None if before is None or after is None else after - before
    return Report(
        asked.name, event, len(asked.passages), asked.skipped, rows[:inside], rows[inside:],
        took, tokens,
    )  # fmt: skip


def ask_all(
    questions: Sequence[Asked], services: Services, event: str, at_once: int, step: Step
) -> list[Row]:
    """The rows of all questions, in their order; `at_once` of them are asked at a time."""
    cancellations = [Cancellation() for _ in questions]
    with ThreadPoolExecutor(at_once) as pool:
        running = [
            pool.submit(ask, question, number, services, event, cancellation)
            for number, (question, cancellation) in enumerate(
                zip(questions, cancellations, strict=True)
            )
        ]
        try:
            for _ in as_completed(running):
                step()
        except BaseException:  # Ctrl-C: the pool waits for what is running
            for waiting in running:
                waiting.cancel()
            for cancellation in cancellations:
                cancellation.cancel()
            raise
    return [done.result() for done in running]


def ask(
    asked: Asked, number: int, services: Services, event: str, cancellation: Cancellation
) -> Row:
    """Ask one question and judge what comes."""
    row, said, began = Row(asked.id, asked.text, asked.golds), "", time.perf_counter()
    first, piece = None, Piece()
    try:
        request = _request(event, asked.text, number)
        key = Key("own:eval", request.dialogue)
        for piece in ANSWERS[event](request, key, services, cancellation):
            if piece.delta and first is None:
                first = time.perf_counter() - began
            said += piece.delta
        if piece.error:
            raise piece.error
    except PocketQAError as error:
        row = replace(row, error=f"{error.code}: {error.en}")
    except Exception as error:
        log.exception("question %s failed", asked.id)
        row = replace(row, error=repr(error))
    took = time.perf_counter() - began
    row = replace(
        row, answer=said, way=piece.received.way, finish_reason=piece.finish_reason or "",
        first_s=round(took if first is None else first, 4), took_s=round(took, 4),
    )  # fmt: skip
    return row if row.error else judge(row, piece.received)


def judge(row: Row, received: Received) -> Row:
    """`row` with its scores and with the numbers that are made up."""
    scores = None
    if row.golds:
        scores = {name: round(found(row.answer, row.golds), 4) for name, found in METRICS.items()}
    made_up: list[str] = []
    if row.way not in UNSOURCED:
        texts = [part for source in received.sources for part in (source.title, source.text)]
        made_up = ungrounded(row.answer, [row.question, *texts])
    return replace(row, scores=scores, ungrounded=tuple(made_up))


def _request(event: str, text: str, number: int) -> protocol.Request:
    return protocol.parse(event, {"text": text, "dialogue": f"eval-{number}"}, "eval")


def _tokens(engine: LanguageModel) -> int | None:
    """Tokens that the engine has written so far, where it counts them."""
    stats = getattr(engine, "stats", None)
    return int(stats()["tokens"]) if stats else None


@contextmanager
def _retriever(asked: AnswerSet) -> Iterator[Live]:
    """A retriever of the set's corpus, for several threads; its index is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="pocketqa-eval-") as folder:
        indexing.build_index(asked.passages, Path(folder))
        live = Live(Path(folder))
        try:
            live.retrieve("热身", 1)  # the first query of all also loads the dictionaries
            yield live
        finally:
            live.close()
