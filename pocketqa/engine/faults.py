"""What goes wrong with a model's server: for the asker an error, for the log a reason."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

from ..errors import ModelError, PocketQAError, RequestError
from . import refusals
from .connection import BrokenOff, NotCompatible
from .refusals import RETRY_AFTER_S

LONGEST_RETRY_S = 3600
LONGEST_REASON = 400

# How vLLM, SGLang, llama.cpp and hosted services say that a prompt is too long.
_TOO_LONG = re.compile(
    r"context[ _-]?(?:length|size|window)|max[ _](?:model[ _])?len|maximum model length"
    r"|(?:prompt|input)[^.]{0,60}(?:too long|longer than)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Fault:
    """One failure.

    Attributes:
        error: what the asker is told.
        reason: what the log is told; holds no key.
        state: that of the engine, if the same is said to a probe: `away` may pass by itself,
            `failed` needs the operator.
        is_silence: the server is there, but has not answered in time.
    """

    error: PocketQAError
    reason: str
    state: Literal["away", "failed"] = "away"
    is_silence: bool = False


def explain(error: Exception, key: str, has_begun: bool = False) -> Fault | None:
    """The fault behind `error`, or None for a fault of our own. `has_begun`: deltas had come."""
    reason = _reason(error, key)
    if isinstance(error, APIStatusError):
        return _of_status(error, reason)
    if isinstance(error, APITimeoutError):
        return Fault(broken_off() if has_begun else _silent(), reason, is_silence=True)
    if isinstance(error, APIConnectionError):
        return Fault(broken_off() if has_begun else away(), reason)
    if isinstance(error, APIError):  # an error event in the stream
        return Fault(_too_long() if _TOO_LONG.search(reason) else broken_off(), reason)
    if isinstance(error, BrokenOff):
        return Fault(broken_off(), reason)
    if isinstance(error, (NotCompatible, json.JSONDecodeError)):
        return Fault(refusals.unavailable(), reason, "failed")
    return None


def _of_status(error: APIStatusError, reason: str) -> Fault:
    status = error.status_code
    if status in (429, 503):
        retry_after_s = _retry_after_s(error.response.headers.get("retry-after", ""))
        return Fault(_busy(retry_after_s), reason)
    if status in (400, 413, 422) and _TOO_LONG.search(reason):
        return Fault(_too_long(), reason)
    return Fault(refusals.unavailable(), reason, "failed" if status < 500 else "away")


def _reason(error: Exception, key: str) -> str:
    """One line of what is known, without the key: servers repeat it in their messages."""
    parts = [str(error) or type(error).__name__]
    if isinstance(error, APIStatusError):
        parts = [f"HTTP {error.status_code}", error.response.text]
    elif isinstance(error, APIError) and error.body is not None:
        parts.append(str(error.body))
    elif error.__cause__ is not None:
        parts = [type(error.__cause__).__name__, str(error.__cause__)]
    line = " ".join(": ".join(parts).split())
    return (line.replace(key, "***") if key else line)[:LONGEST_REASON]


def _retry_after_s(header: str) -> int:
    """Seconds of a Retry-After header, which is a number or a date (RFC 9110, section 10.2.3)."""
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except ValueError:
            return RETRY_AFTER_S
    return round(min(max(seconds, 1), LONGEST_RETRY_S)) if seconds == seconds else RETRY_AFTER_S


def away() -> ModelError:
    """The server cannot be reached, or does not answer."""
    return ModelError(
        "model_unavailable",
        "暂时连不上模型服务，请稍后再试",
        "the model's server cannot be reached now: try again soon",
    )


def refused(url: str, reason: str) -> ModelError:
    """The server does not take us; for the operator."""
    return ModelError(
        "model_unavailable",
        f"模型服务 {url} 无法使用:{reason}",
        f"the model's server {url} cannot be used: {reason}",
    )


def broken_off() -> ModelError:
    """The answer ended in the middle."""
    return ModelError(
        "model_unavailable",
        "模型服务中断了回答，内容不完整，请再问一次",
        "the model's server broke the answer off, it is not complete: please ask again",
    )


def _busy(retry_after_s: int) -> RequestError:
    return RequestError(
        "queue_full",
        f"模型服务繁忙，请 {retry_after_s} 秒后再试",
        f"the model's server is busy: try again in {retry_after_s} s",
        retry_after_s=retry_after_s,
    )


def _silent() -> ModelError:
    return ModelError(
        "model_unavailable",
        "模型服务没有及时回应，请稍后再试",
        "the model's server has not answered in time: try again later",
    )


def _too_long() -> RequestError:
    return RequestError(
        "text_too_long",
        "内容过长，超出模型能处理的长度，请缩短后再发",
        "the prompt is longer than the model can take: please shorten the text",
    )
