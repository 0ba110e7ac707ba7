"""`/admin/entries`: browse, edit, add and delete what the knowledge base holds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from .. import editing
from ..errors import KnowledgeError
from ..passages import Hit, Passage
from .desk import Desk, page, problem, to
from .listing import KINDS, Shelf

PER_PAGE = 50
LONGEST = {"question": 500, "answer": 20_000, "similar": 10_000, "category": 100, "source": 500}
"""Characters that a form takes of each field."""
NEAR = 3
"""Entries shown beside a new question: it may only be another way to ask one of them."""


def add_routes(views: Blueprint, desk: Desk) -> None:
    """Add the routes of entries."""
    directory, run = desk.config.index_dir, desk.worker.run
    shelf = Shelf(directory, desk.worker)

    @views.get("/entries")
    def entries() -> ResponseReturnValue:
        """The list, a page at a time."""
        asked = {name: request.args.get(name, "").strip() for name in ("text", "category", "kind")}
        found = shelf.list(**asked)
        last = max(1, -(-len(found.rows) // PER_PAGE))
        number = min(max(1, request.args.get("page", 1, int)), last)
        rows = found.rows[(number - 1) * PER_PAGE : number * PER_PAGE]
        done = request.args.get("done", "")
        return page(
            "entries",
            found=found, rows=rows, asked=asked, number=number, last=last, kinds=KINDS, done=done,
        )  # fmt: skip

    @views.route("/entries/new", methods=["GET", "POST"])
    def new() -> ResponseReturnValue:
        """Add a question."""
        fields = _fields(request.values)
        shown: dict[str, Any] = {"fields": fields, "entry": None, "longest": LONGEST}
        if request.method == "GET":
            near = _near(desk, fields["question"])
            return page("entry", near=near, categories=shelf.list().categories, **shown)
        try:
            _require_short(fields)
            run(partial(editing.add_question, directory, replacing=False, **_joined(fields)))
        except KnowledgeError as error:
            near = _near(desk, fields["question"])
            categories = shelf.list().categories
            return problem(error, "entry", near=near, categories=categories, **shown)
        desk.note("add", fields["question"])
        return to("entries", text=fields["question"], done="added")

    @views.route("/entries/<id>", methods=["GET", "POST"])
    def entry(id: str) -> ResponseReturnValue:
        """Show an entry, change it."""
        found = shelf.find(id)
        shown: dict[str, Any] = {"entry": found, "near": [], "longest": LONGEST}
        if request.method == "GET":
            return page(
                "entry",
                fields=_fields_of(found, request.args.get("similar", "")),
                version=editing.version(found),
                categories=shelf.list().categories,
                done=request.args.get("done", ""),
                **shown,
            )
        fields, seen = _fields(request.form), request.form.get("version", "")
        try:
            _require_short(fields)
            change = partial(editing.update, id, directory, seen=seen or "none", **_joined(fields))
            _, changed = run(change)
        except KnowledgeError as error:
            # What was entered is shown with the entry as it is now: who saves again has seen it.
            now = editing.version(found)
            categories = shelf.list().categories
            return problem(
                error, "entry", fields=fields, version=now, categories=categories,
                differs=error.code == "changed_meanwhile", **shown,
            )  # fmt: skip
        desk.note("update", f"{changed.id} {changed.title}")
        return to("entry", id=changed.id, done="saved")

    @views.post("/entries/<id>/delete")
    def delete(id: str) -> ResponseReturnValue:
        """Delete an entry, as it was seen."""
        seen = request.form.get("version", "")
        for gone in run(partial(editing.delete, [id], directory, seen=seen or "none")):
            desk.note("delete", f"{gone.id} {gone.title}")
        return to("entries", done="deleted")


def _fields(given: Mapping[str, str]) -> dict[str, str]:
    """The fields of a form, where each other way to ask has a line."""
    return {name: given.get(name, "").replace("\r\n", "\n").strip() for name in editing.FIELDS}


def _fields_of(passage: Passage, further: str) -> dict[str, str]:
    similar = "\n".join((*passage.similar, *filter(None, [further])))
    values = (passage.title, passage.text, similar, passage.category, passage.source)
    return dict(zip(editing.FIELDS, values, strict=True))


def _joined(fields: dict[str, str]) -> dict[str, Any]:
    ways = filter(None, map(str.strip, fields["similar"].split("\n")))
    return {**fields, "similar": "|".join(ways)}


def _require_short(fields: dict[str, str]) -> None:
    for name, longest in LONGEST.items():
        if len(fields[name]) > longest:
            label = {
                "question": "问题", "answer": "答案", "similar": "其他问法", "category": "分类",
                "source": "来源",
            }[name]  # fmt: skip
            raise KnowledgeError(
                "bad_question",
                f"{label}不能超过 {longest:,} 字",
                f"{name}: at most {longest:,} characters",
            )


def _near(desk: Desk, question: str) -> list[Hit]:
    """Questions like one that is about to be added."""
    if not question:
        return []
    found = desk.worker.run(desk.live.call, lambda it: it.retrieve(question, NEAR)) or []
    return [hit for hit in found if hit.passage.kind != "document"]
