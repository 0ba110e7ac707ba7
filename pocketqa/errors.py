"""The errors that users see: a code for programs, a message in Chinese and English for people."""

from __future__ import annotations

import secrets


class PocketQAError(Exception):
    """An expected failure.

    Attributes:
        code: one of the protocol's error codes (section 5), or a word of the same form for the
            command line.
        zh: the message in Chinese; says what to do.
        en: the same in English.
        details: further fields of the error object, e.g. ``{"retry_after_s": 5}``.
    """

    def __init__(self, code: str, zh: str, en: str, **details: object) -> None:
        super().__init__(en)
        self.code, self.zh, self.en, self.details = code, zh, en, details

    def message(self, lang: str = "zh") -> str:
        """The message in `lang`: `zh` or `en`."""
        return self.en if lang == "en" else self.zh


class RequestError(PocketQAError):
    """A client's request that cannot be served as it is."""


class KnowledgeError(PocketQAError):
    """A knowledge base or an index that cannot be read or built."""


class ModelError(PocketQAError):
    """A model that cannot be found, fetched, verified or loaded."""


def fault() -> PocketQAError:
    """What is said of a fault of ours: the log has the details, beside the same reference."""
    reference = secrets.token_hex(4)
    return PocketQAError(
        "internal",
        f"系统内部错误，请稍后再试；如需反馈请提供编号 {reference}",
        f"internal error, please try again; when reporting it give the reference {reference}",
        reference=reference,
    )
