"""The language model: one native thread that owns it and answers requests in turn.

Importing this package loads no torch; `engine.model` and `engine.convert` do.
"""

from .engine import Engine
from .generation import Constraint, EndReason, Generation, Message, Model, Options

__all__ = ["Constraint", "EndReason", "Engine", "Generation", "Message", "Model", "Options"]
