"""What the generators of `answering` work with: the parts of the service, behind narrow doors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from . import prompt, storage
from .config import Config
from .dialogue import Dialogues
from .passages import Hit, Passage
from .prompt import Wordings
from .sensitive import Listed
from .summarising.asking import Reader


class Retrieval(Protocol):
    """What answering needs of a retriever; calls may take milliseconds, off the hub."""

    def retrieve(self, text: str, k: int = 10) -> list[Hit]: ...
    def smalltalk(self, text: str) -> Passage | None: ...
    def related(
        self, text: str, hits: Sequence[Hit], k: int = 3, exclude: Sequence[str] = ()
    ) -> list[str]: ...


class LanguageModel(Reader, Protocol):
    """What answering needs of an engine."""

    constrains: bool
    """Whether it decodes under `Options.constraint`."""

    @property
    def attends(self) -> bool:
        """Whether it tells `Generation.attention`."""
        ...


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


class Upload(Protocol):
    """A file that somebody asks about."""

    @property
    def retriever(self) -> Retrieval: ...

    def blocks(self) -> Sequence[tuple[str, int | None]]:
        """Its text in order, each part with its page, if there are pages."""
        ...

    def names(self, question: str) -> bool:
        """Whether it is so short that it is quoted for each question that it has a word of."""
        ...


class Documents(Protocol):
    """The files that are kept."""

    def find(self, upload_id: str) -> Upload | None:
        """The file of that id; None when there is none, or none any more."""
        ...


@dataclass(frozen=True)
class Services:
    """What the generators work with."""

    config: Config
    retriever: Retrieval
    engine: LanguageModel
    dialogues: Dialogues
    uploads: Documents | None = None
    sensitive: Listed | None = None
    wordings: Wordings = field(default_factory=lambda: prompt.WORDINGS)


def assemble(
    config: Config,
    retriever: Retrieval,
    engine: LanguageModel,
    uploads: Documents | None = None,
    dialogues: Dialogues | None = None,
) -> Services:
    """The services, with what the configuration names read; dialogues in memory by default.

    Raises:
        PocketQAError: `bad_config`, `bad_sensitive_words`: where a file is wrong.
    """
    listed = Listed(config.sensitive_words) if config.sensitive_words else None
    wordings = prompt.load(config.prompts)
    dialogues = dialogues or storage.Turns(storage.Database(storage.MEMORY))
    return Services(config, retriever, engine, dialogues, uploads, listed, wordings)
