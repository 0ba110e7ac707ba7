"""`/admin/import`: read a file into the knowledge base, and say of each bad row why."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge

from .. import editing, importing
from ..errors import KnowledgeError
from .desk import Desk, page, problem

FAULTS = 500
"""Faults that are shown; how many there are is said."""
EXAMPLES = 5
KINDS = ".csv,.tsv,.xlsx,.xls,.jsonl,.md,.txt,.html,.docx,.pptx,.pdf,.zip"


def add_routes(views: Blueprint, desk: Desk) -> None:
    """Add the routes of importing."""
    shared: dict[str, Any] = {"kinds": KINDS, "largest": desk.config.upload_mb}

    @views.route("/import", methods=["GET", "POST"])
    def import_file() -> ResponseReturnValue:
        """Read a file; unless it is only to be checked, put what it holds into the index."""
        if request.method == "GET":
            return page("import", report=None, **shared)
        file, only_check = request.files.get("file"), bool(request.form.get("check"))
        name = (file.filename if file else "") or ""
        try:
            if not file or not name:
                raise KnowledgeError("bad_field", "请选择一个文件", "choose a file first")
            read = importing.read(name, file.stream, desk.config.upload_seconds, desk.worker)
            change = None
            if read.passages and not only_check:
                change = desk.worker.run(
                    partial(editing.add_read, read.passages, desk.config.index_dir)
                )
        except KnowledgeError as error:
            return problem(error, "import", report=None, **shared)
        if change:
            desk.note("import", f"{name} +{change.added} ~{change.replaced} -{change.removed}")
        report = {
            "name": name,
            "read": len(read.passages),
            "change": change,
            "faults": read.faults[:FAULTS],
            "faulty": len(read.faults),
            "examples": read.passages[:EXAMPLES],
        }
        status = 200 if read.passages else 422
        return page("import", status, report=report, **shared)

    @views.errorhandler(RequestEntityTooLarge)
    def too_large(_: RequestEntityTooLarge) -> ResponseReturnValue:
        return problem(
            KnowledgeError(
                "file_too_large",
                f"文件超过 {desk.config.upload_mb} MB：请拆分，或在服务器上使用 pocketqa kb add",
                f"over {desk.config.upload_mb} MB: split it, or use pocketqa kb add on the server",
            )
        )
