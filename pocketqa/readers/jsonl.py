"""JSONL: an object a line, either a question with its answer or a titled text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from ..analysis import normalise
from ..documents import BROKEN, BROKEN_REASON, Block, Document, Entry, Fault, visible
from . import File, Part, tables
from .text import text

TICK_EVERY = 1_000  # lines
WITHOUT_TITLE = 20  # characters of the text that are the title where there is none

_READ = {"question", "answer", "similar", "category", "source", "title", "text"}

_QUESTION = re.compile(
    r"[?？]\s*$|如何|怎么|怎样|什么|哪[些里个儿]|多少|多久|多长|是否|能否|可否|[吗呢]\s*$"
    r"|^(how|what|when|where|who|which|why|can|do|does|is|are)\b",
    re.IGNORECASE,
)


def read(file: File) -> Iterator[Part]:
    """Each line's object: keys as the columns of a table, or `title` and `text` (BEIR's corpus).

    A title that asks something makes the text its answer; any other is a document's.
    """
    lines = text(file).split("\n")
    empty = True
    for number, line in enumerate(lines, 1):
        if line.strip():
            empty = False
            yield _part(line, str(number), file.name)
        if number % TICK_EVERY == 0:
            file.tick(number / len(lines))
    if empty:
        yield Fault(file.name, 0, "文件是空的", "the file is empty", code="empty")


def _part(line: str, spot: str, name: str) -> Entry | Document | Fault:
    try:
        found = json.loads(line)
    # RecursionError: brackets in brackets in brackets. ValueError: a number of 5,000 digits too.
    except (ValueError, RecursionError) as error:
        return Fault.at(name, spot, "不是有效的 JSON", f"not JSON: {error}")
    if not isinstance(found, dict):
        return Fault.at(name, spot, "应是 JSON 对象 {…}", "a line must be an object {…}")
    fields: dict[str, str] = {}
    similar: tuple[str, ...] = ()
    for key, value in found.items():
        field = tables.columns([key])[0] or key.strip().lower()
        if field == "similar" and isinstance(value, list):
            shown = (visible(way).strip() for way in value if isinstance(way, str))
            similar += tuple(filter(None, shown))
        elif field in _READ and isinstance(value, (dict, list)):
            return Fault.at(name, spot, f"“{key}”应是文字", f"{key} must be a string")
        elif field == "similar":
            similar += tables.ways([visible(str(value or ""))])
        elif value is not None:
            fields.setdefault(field, visible(str(value)).strip())
    if "answer" in fields:
        return _entry(
            fields, fields.get("question") or fields.get("title", ""), similar, spot, name
        )
    if "text" in fields:
        return _titled(fields, similar, spot, name)
    zh, en = (
        "缺少 question 和 answer，或 title 和 text",
        "no question and answer, or title and text",
    )
    return Fault.at(name, spot, zh, en)


def _titled(
    fields: dict[str, str], similar: tuple[str, ...], spot: str, name: str
) -> Entry | Document | Fault:
    title, body = fields.get("question") or fields.get("title", ""), fields["text"]
    if not body:
        return Fault.at(name, spot, "没有正文", "there is no text")
    asks = "question" in fields or normalise(title) and _QUESTION.search(title)
    # What we exported says its kind.
    if asks and fields.get("kind") != "document":
        return _entry({**fields, "answer": body}, title, similar, spot, name)
    if BROKEN in title + body:
        return Fault.at(name, spot, *BROKEN_REASON)
    blocks = tuple(Block(line, spot) for line in body.split("\n"))
    title = title or body[:WITHOUT_TITLE]
    return Document(title, blocks, fields.get("category", ""), fields.get("source", ""))


def _entry(
    fields: dict[str, str], question: str, similar: tuple[str, ...], spot: str, name: str
) -> Entry | Fault:
    category, source = fields.get("category", ""), fields.get("source", "")
    return tables.entry(name, spot, question, fields["answer"], similar, category, source)
