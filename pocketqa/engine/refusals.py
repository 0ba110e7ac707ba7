"""What the engine says to a request that it does not serve, or not to its end."""

from __future__ import annotations

from ..errors import ModelError, RequestError

RETRY_AFTER_S = 15
"""What a client is told when there is no room."""


def loading() -> ModelError:
    """The model is not there yet."""
    return ModelError(
        "model_unavailable",
        "模型正在加载，请稍候再问",
        "the model is loading, ask again soon",
    )


def unavailable() -> ModelError:
    """The model could not be loaded, or the engine is closed."""
    return ModelError(
        "model_unavailable",
        "模型不可用，请联系管理员查看服务器日志",
        "the model is not available: the operator finds the reason in the server's log",
    )


def stuck() -> ModelError:
    """The present step has not ended for long."""
    return ModelError(
        "model_unavailable",
        "模型暂时没有响应，请稍后再问",
        "the model does not respond at the moment, ask again later",
    )


def queue_full(waiting: int) -> RequestError:
    """The line is as long as it may get."""
    return RequestError(
        "queue_full",
        f"排队人数已满({waiting} 人),请 {RETRY_AFTER_S} 秒后再试",
        f"the queue is full ({waiting} waiting): try again in {RETRY_AFTER_S} s",
        retry_after_s=RETRY_AFTER_S,
    )


def out_of_memory() -> RequestError:
    """The machine has no memory left for this request."""
    return RequestError(
        "queue_full",
        f"内存不足，请 {RETRY_AFTER_S} 秒后再试",
        f"the server is out of memory: try again in {RETRY_AFTER_S} s",
        retry_after_s=RETRY_AFTER_S,
    )


def deadline_exceeded(deadline_s: float | None) -> RequestError:
    """The answer took longer than its asker allowed."""
    return RequestError(
        "deadline_exceeded",
        f"回答超过了 {deadline_s:g} 秒的时限，请稍后再试",
        f"the answer took longer than its deadline of {deadline_s:g} s: try again later",
    )


def text_too_long(tokens: int, allowed: int) -> RequestError:
    """The prompt would not fit, whoever else is served."""
    return RequestError(
        "text_too_long",
        f"内容过长:{tokens} 个词元，最多 {allowed} 个，请缩短后再发",
        f"the prompt has {tokens} tokens, {allowed} are allowed: please shorten the text",
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it says so in Python's way, or in one of torch's."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and any(sign in words for sign in ("out of memory", "can't allocate", "not enough memory"))
    )
