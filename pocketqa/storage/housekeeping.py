"""What happens to the dialogues by itself: deltas written each second, the dead's turns marked,
old turns forgotten.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..errors import PocketQAError
from ..threads import native_sleep, start_native_thread
from .turns import Turns

FLUSH_S = 1.0
CUT_S = 5.0
FORGET_S = 3600.0
LATE_S = 30.0
"""After so long without the end of a chore something is wrong."""
DAY_S = 86_400

log = logging.getLogger(__name__)


@dataclass
class _Chore:
    """Something that is done so often."""

    every_s: float
    do: Callable[[], object]
    due: float = 0.0


class Housekeeping:
    """Does it, in a native thread, until closed."""

    def __init__(self, turns: Turns, retention_days: float) -> None:
        """Mark at once what was cut off: whoever asks first shall see it so.

        Raises:
            PocketQAError: `internal`, where the database does not work.
        """
        self._turns, self._retention_s = turns, retention_days * DAY_S
        self._chores = [
            _Chore(FLUSH_S, turns.flush), _Chore(CUT_S, turns.cut), _Chore(CUT_S, turns.tidy),
        ]  # fmt: skip
        if retention_days:
            self._chores.append(_Chore(FORGET_S, self._forget))
        self._is_closed = False
        self._has_failed, self._did = False, time.monotonic()
        cut = turns.cut()
        if cut:
            log.warning("%d answers were cut off by the end of their process", cut)
        start_native_thread(self._run)

    @property
    def state(self) -> Literal["open", "failed", "stuck"]:
        """How the database fares, as it showed at the last chore; `stuck` when one does not end."""
        if time.monotonic() - self._did > LATE_S:
            return "stuck"
        return "failed" if self._has_failed else "open"

    def close(self) -> None:
        """Write what is left, and do nothing any more."""
        self._is_closed = True
        try:
            self._turns.flush()
        except PocketQAError:
            pass  # it has been logged

    def _run(self) -> None:
        while not self._is_closed:
            native_sleep(FLUSH_S)
            for chore in self._chores:
                if time.monotonic() >= chore.due and not self._is_closed:
                    chore.due = time.monotonic() + chore.every_s
                    self._do(chore)

    def _do(self, chore: _Chore) -> None:
        try:
            chore.do()
        except PocketQAError:  # it has been logged, and the next time may do better
            self._has_failed = True
        except Exception:
            log.exception("housekeeping failed")
        else:
            if chore.do == self._turns.cut:  # it always asks the database
                self._has_failed = False
        self._did = time.monotonic()

    def _forget(self) -> None:
        count = self._turns.forget(time.time() - self._retention_s)
        if count:
            log.info("%d turns were older than the retention time, and are forgotten", count)
