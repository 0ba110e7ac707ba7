"""How often somebody may ask: limits of an identity, else of an address, in a moving window."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from limits import RateLimitItem, parse_many
from limits.errors import ConfigurationError, StorageError
from limits.storage import Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from .errors import PocketQAError, RequestError
from .identity import Identity

log = logging.getLogger(__name__)

BROWSERS = 20
"""So many times one browser's limit may come from an address: who throws cookies away gains no
more, and a hall behind one address is not locked out."""


class Rates:
    """Counts what each identity asks, and refuses what is too much.

    Args:
        rate: limits such as `30/minute;1000/day`; `off` for none.
        storage: where they are counted: an address of `limits`; `memory://` for this process.
        options: of the connection there.
    """

    def __init__(
        self, rate: str, storage: str = "memory://", options: Mapping[str, Any] | None = None
    ) -> None:
        self._limits = parsed(rate)
        self._limiter = MovingWindowRateLimiter(_opened(storage, options or {}))

    def ask(self, identity: Identity, address: str) -> None:
        """Count a question.

        Raises:
            RequestError: `rate_limited`; `retry_after_s` says when to come back.
        """
        counted = [(limit, identity.owner or f"from:{address}") for limit in self._limits]
        if identity.kind == "browser":
            shared = f"browsers:{address}"
            counted += [(_times(limit, BROWSERS), shared) for limit in self._limits]
        try:
            waits = [self._wait(limit, who) for limit, who in counted]
            if any(waits):
                raise _limited(max(waits))
            for limit, who in counted:
                self._limiter.hit(limit, who)
        except StorageError as error:
            log.warning("questions are not counted: %s", error)

    def _wait(self, limit: RateLimitItem, who: str) -> int:
        """Seconds until `who` may ask again; 0 for now."""
        if self._limiter.test(limit, who):
            return 0
        again = self._limiter.get_window_stats(limit, who).reset_time
        return max(1, math.ceil(again - time.time()))


def parsed(rate: str) -> Sequence[RateLimitItem]:
    """The limits that `POCKETQA_RATE` says.

    Raises:
        PocketQAError: `bad_config`.
    """
    if rate.strip().lower() in ("", "off"):
        return ()
    try:
        limits = parse_many(rate)
        if all(limit.amount > 0 and limit.get_expiry() > 0 for limit in limits):
            return limits
    except ValueError:
        pass
    raise PocketQAError(
        "bad_config",
        f"配置有误:POCKETQA_RATE: {rate!r} 应形如 30/minute;1000/day，或 off",
        f"bad configuration: POCKETQA_RATE: {rate!r} must be like 30/minute;1000/day, or off",
    )


def storage_of(message_queue: str) -> str:
    """Where `limits` counts for instances that share this queue; this process for none."""
    if message_queue.startswith("unix://"):
        return f"redis+{message_queue}"
    return message_queue or "memory://"


def _opened(address: str, options: Mapping[str, Any]) -> Storage:
    try:
        storage = storage_from_string(address, wrap_exceptions=True, **options)
    except ConfigurationError:
        raise PocketQAError(
            "bad_config",
            "配置有误:POCKETQA_MESSAGE_QUEUE 应形如 redis://127.0.0.1:6379/0",
            "bad configuration: POCKETQA_MESSAGE_QUEUE must be like redis://127.0.0.1:6379/0",
        ) from None
    assert isinstance(storage, Storage)
    return storage


def _times(limit: RateLimitItem, factor: int) -> RateLimitItem:
    return type(limit)(limit.amount * factor, limit.multiples)


def _limited(wait: int) -> RequestError:
    return RequestError(
        "rate_limited",
        f"提问过于频繁，请在 {wait} 秒后再试",
        f"too many questions: please try again in {wait} seconds",
        retry_after_s=wait,
    )
