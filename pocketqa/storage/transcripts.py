"""Dialogues as files: for people (Markdown, CSV) and programs (JSONL)."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Iterable, Iterator

from ..dialogue import Listed, Record

Kept = tuple[Listed, list[Record]]
"""A dialogue and its turns."""

HEADER = (
    "所有者 owner", "对话 dialogue", "时间 time", "类型 event", "问题 question", "回答 answer",
    "状态 state", "来源 way", "得分 score", "依据 sources", "评价 vote", "理由 reason",
    "编号 request_id",
)  # fmt: skip
VOTES = {"": "", "up": "👍", "down": "👎"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_jsonl(dialogues: Iterable[Kept]) -> Iterator[str]:
    """An object a turn, with its dialogue's owner, name and title."""
    for listed, records in dialogues:
        about = {"owner": listed.owner, "dialogue": listed.dialogue, "title": listed.title}
        for record in records:
            yield json.dumps(about | record.as_json(), ensure_ascii=False) + "\n"


def to_csv(dialogues: Iterable[Kept]) -> Iterator[str]:
    """A row a turn, with the mark by which Excel knows UTF-8."""
    yield "\ufeff" + line(HEADER)
    for listed, records in dialogues:
        for each in records:
            titles = "\n".join(source["title"] for source in each.clue["sources"])
            score = "" if each.score is None else f"{each.score:.3f}"
            yield line(
                (
                    listed.owner, listed.dialogue, moment(each.created), each.event,
                    each.question, each.answer, each.state, each.way, score, titles, each.vote,
                    each.reason, each.request_id,
                )
            )  # fmt: skip


def to_markdown(dialogues: Iterable[Kept]) -> Iterator[str]:
    """A chapter a dialogue; questions are quoted."""
    for listed, records in dialogues:
        yield f"# {listed.title or listed.dialogue}\n\n"
        yield f"{moment(listed.created)} · `{listed.dialogue}` · `{listed.owner}`\n\n"
        for record in records:
            yield _turn(record)


FORMATS: dict[str, Callable[[Iterable[Kept]], Iterator[str]]] = {
    "jsonl": to_jsonl, "csv": to_csv, "md": to_markdown,
}  # fmt: skip


def line(cells: Iterable[str]) -> str:
    """A row of CSV. What people wrote is never a formula of a spreadsheet's."""
    out = io.StringIO()
    csv.writer(out).writerow(f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells)
    return out.getvalue()


def moment(seconds: float) -> str:
    """Local time, for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _turn(record: Record) -> str:
    said = "\n".join(f"> {row}" for row in record.question.splitlines() or [""])
    notes = [moment(record.created), record.event, record.state, record.way, VOTES[record.vote]]
    notes += [record.reason, *(f"《{source['title']}》" for source in record.clue["sources"])]
    return f"{said}\n\n{record.answer}\n\n*{' · '.join(filter(None, notes))}*\n\n"
