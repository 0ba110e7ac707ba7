"""A knowledge base as a file that can be read again: CSV for questions, JSONL for everything."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable

from .errors import KnowledgeError
from .passages import Passage

HEADER = ("问题", "答案", "相似问法", "分类", "来源")


def to_csv(passages: Iterable[Passage]) -> str:
    """The questions as CSV, with the mark by which Excel knows UTF-8; documents are left out.

    Raises:
        KnowledgeError: `not_csv`, where a similar question holds what would part it in two.
    """
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out)
    writer.writerow(HEADER)
    for each in passages:
        if each.kind == "document":
            continue
        if any(re.search(r"[|｜\n]", way) for way in each.similar):
            raise KnowledgeError(
                "not_csv",
                f"“{each.title}”的相似问法含有分隔符，请导出为 .jsonl",
                f"a similar question of “{each.title}” holds a separator: export to .jsonl",
            )
        similar = "|".join(each.similar)
        writer.writerow((each.title, each.text, similar, each.category, each.source))
    return out.getvalue()


def to_jsonl(passages: Iterable[Passage]) -> str:
    """Everything, an object a line: `question` and `answer`, or a document's `title` and `text`."""
    return "".join(json.dumps(row(each), ensure_ascii=False) + "\n" for each in passages)


def row(passage: Passage) -> dict[str, object]:
    """A passage as an object of JSON, without what is empty.

    `id`, `place` and `expansion` are for people: they are not read again.
    """
    names = ("title", "text") if passage.kind == "document" else ("question", "answer")
    values: dict[str, object] = {
        "id": passage.id,
        "kind": passage.kind,
        names[0]: passage.title,
        names[1]: passage.text,
        "similar": list(passage.similar),
        "category": passage.category,
        "source": passage.source,
        "place": passage.place,
        "expansion": list(passage.expansion),
    }
    return {key: value for key, value in values.items() if value}


FORMATS: dict[str, Callable[[Iterable[Passage]], str]] = {".csv": to_csv, ".jsonl": to_jsonl}
"""By the suffix of the file."""
