"""What an answer from passages may say: its facts, checks before, while and after it is said.

`asks_for` and `has` tell before that what is asked for is not there, `NumbersFrom` is the
constraint under which an answer is decoded, `check` finds the rest afterwards.
"""

from __future__ import annotations

from .aspects import NAMES, Kind, asks_for, has
from .checks import Verdict, check, support, unsupported
from .constraining import NumbersFrom
from .extracting import extract, sentences
from .facts import ungrounded
from .spans import most_read, shortest

__all__ = [
    "NAMES", "Kind", "NumbersFrom", "Verdict", "asks_for", "check", "extract", "has", "most_read",
    "sentences", "shortest", "support", "ungrounded", "unsupported",
]  # fmt: skip
