"""What tests of the operator's view share: the key, some entries, signing in, sending forms."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from pocketqa import editing, indexing
from pocketqa.passages import Passage

KEY = "a key that nobody guesses"
HOSTILE = '<script>window.ran=1</script><img src=x onerror="window.ran=1">\'"{{ 7*7 }}'
ENTRIES = [
    Passage("curated-a", "食堂几点开门?", "早上七点。", ("饭堂开放时间",), "食堂", "员工手册"),
    Passage("curated-b", f"{HOSTILE}怎么办?", HOSTILE, (HOSTILE,), HOSTILE, HOSTILE),
    Passage("document-c", "入职指南 › 报到", "第一天九点到前台。", kind="document", place="指南:3"),
    Passage("smalltalk-d", "你好", "您好！", kind="smalltalk", category="闲聊"),
]  # fmt: skip
VIEWS = ("/", "/now", "/search", "/search?q=食堂", "/entries", "/entries/new", "/entries/curated-a",
         "/entries/curated-b", "/entries/document-c", "/import", "/unanswered", "/unanswered.csv",
         "/feedback", "/changes")  # fmt: skip


def text(response: TestResponse) -> str:
    return str(response.get_data(as_text=True))


def token(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found, page
    return found[1]


def sign_in(client: FlaskClient, key: str = KEY, **more: str) -> TestResponse:
    csrf = token(text(client.get("/admin/login")))
    return client.post("/admin/login", data={"csrf": csrf, "key": key, **more})


def post(client: FlaskClient, path: str, **fields: Any) -> TestResponse:
    """Send a form of this session."""
    fields.setdefault("csrf", token(text(client.get("/admin/entries/new"))))
    return client.post(f"/admin{path}", data=fields)


def version(index: Path, id: str) -> str:
    found = indexing.find(index, id)
    assert found
    return editing.version(found)
