"""What is kept of an answer's evidence: enough to show it again, and no more."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..protocol import Received

MAX_TEXT = 600
"""Characters kept of a passage."""

Json = dict[str, Any]


def pack(received: Received) -> Json | None:
    """The evidence as an object of JSON; None where there is none, nor related questions."""
    sources = [{**asdict(source), "text": source.text[:MAX_TEXT]} for source in received.sources]
    if not sources and not received.alter:
        return None
    return {
        "type": received.clue_type,
        "note": received.clue_data[2] if len(received.clue_data) > 2 else "",
        "sources": sources,
        "alter": list(received.alter),
    }


def clue(kept: Json | None, way: str) -> Json:
    """`received.clue` of a frame, from what is kept."""
    kept = kept or {}
    sources = kept.get("sources", [])
    data = []
    if sources:
        data = [sources[0]["text"], str(sources[0]["score"]), kept.get("note", "")]
    return {"type": kept.get("type", ""), "data": data, "sources": sources, "way": way}


def score(received: Received) -> float | None:
    """That of the best passage."""
    return received.sources[0].score if received.sources else None


def clean(text: str) -> str:
    """`text` as every database takes it: without NUL and halves of surrogate pairs."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
