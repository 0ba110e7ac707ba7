"""The operator's view over Flask's client: every form and page, hostile entries, errors."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import gevent
import pytest
from fakes import FakeModel
from flask import Flask
from flask.testing import FlaskClient
from operators import ENTRIES, KEY, VIEWS, post, sign_in, text, version
from werkzeug.test import TestResponse

from pocketqa import editing, generations, indexing
from pocketqa.app import create_app
from pocketqa.config import load
from pocketqa.engine import Engine
from pocketqa.live import Live

pytest_plugins = ["operating"]


@pytest.mark.parametrize("path", VIEWS)
def test_hostile_entries_are_text(operator: FlaskClient, path: str) -> None:
    for query in (
        "",
        f"{'&' if '?' in path else '?'}lang=en&text=<script>&days=x&page=-1&kind=<b>",
    ):
        response = operator.get(f"/admin{path}{query}")
        page = text(response)
        assert response.status_code == 200, page
        assert "window.ran=1</script>" not in page and "<img src=x" not in page
        assert "<script>" not in page and "49" not in re.findall(r"onerror.{40}", page)
        assert not re.search(r"\son\w+=|style=", re.sub(r"&lt;.*?&gt;", "", page)), "inline code"


def test_english_and_chinese(operator: FlaskClient) -> None:
    assert "知识库" in text(operator.get("/admin/entries"))
    assert "Knowledge base" in text(operator.get("/admin/entries?lang=en"))
    assert "Knowledge base" in text(operator.get("/admin/entries")), "remembered"
    assert "知识库" in text(operator.get("/admin/entries?lang=zh"))


def test_the_list_is_filtered(operator: FlaskClient) -> None:
    page = text(operator.get("/admin/entries"))
    assert all(f"/admin/entries/{each.id}" in page for each in ENTRIES)
    page = text(operator.get("/admin/entries?text=饭堂开放"))
    assert "curated-a" in page and "document-c" not in page
    page = text(operator.get("/admin/entries?kind=document"))
    assert "document-c" in page and "curated-a" not in page
    assert "没有这样的条目" in text(operator.get("/admin/entries?category=没有"))


def test_an_entry_is_added_changed_and_deleted(
    operator: FlaskClient, index: Path, tmp_path: Path
) -> None:
    fields = {
        "question": "图书馆怎么借书?",
        "answer": "凭工作证。\r\n在一楼。",
        "similar": "借书流程\r\n\r\n 怎么借书 ",
        "category": "图书馆",
        "source": "员工手册",
    }
    response = post(operator, "/entries/new", **fields)
    assert response.status_code == 303
    (added,) = [each for each in indexing.read_all(index) if each.title == fields["question"]]
    assert added.text == "凭工作证。\n在一楼。" and added.similar == ("借书流程", "怎么借书")
    page = text(operator.get(f"/admin/entries/{added.id}"))
    assert "凭工作证。\n在一楼。" in page and "借书流程\n怎么借书" in page

    response = post(operator, "/entries/new", **fields)
    assert (
        response.status_code == 409
        and "已有问题" in text(response)
        and "凭工作证" in text(response)
    )

    seen = version(index, added.id)
    changed = {**fields, "question": "在图书馆借书?", "version": seen}
    response = post(operator, f"/entries/{added.id}", **changed)
    assert response.status_code == 303 and added.id not in response.location
    assert "已保存" in text(operator.get(response.location))
    new = response.location.split("?")[0].rsplit("/", 1)[1]
    assert indexing.find(index, added.id) is None

    response = post(operator, f"/entries/{new}/delete", version=seen)
    assert response.status_code == 409 and "已被他人修改" in text(response)
    assert post(operator, f"/entries/{new}/delete", version=version(index, new)).status_code == 303
    assert indexing.find(index, new) is None
    lines = (tmp_path / "changes.jsonl").read_text(encoding="utf-8").splitlines()
    actions = [json.loads(line)["action"] for line in lines]
    assert actions == ["login", "add", "update", "delete"]
    assert "图书馆怎么借书" in text(operator.get("/admin/changes"))


def test_what_was_changed_meanwhile_is_not_overwritten_unseen(
    operator: FlaskClient, index: Path
) -> None:
    seen = version(index, "curated-a")
    editing.update("curated-a", index, answer="别人的答案。")
    (id,) = [each.id for each in indexing.read_all(index) if each.text == "别人的答案。"]
    mine = {"question": "食堂几点开门?", "answer": "我的答案。", "version": seen}
    response = post(operator, f"/entries/{id}", **mine)
    page = text(response)
    assert response.status_code == 409 and "别人的答案。" in page and "我的答案。" in page
    again = re.search(r'name="version" value="(\w+)"', page)
    assert again
    assert post(operator, f"/entries/{id}", **{**mine, "version": again[1]}).status_code == 303
    assert "我的答案。" in [each.text for each in indexing.read_all(index)]
    response = post(operator, f"/entries/{id}", **{**mine, "version": ""})
    assert response.status_code == 409, "a form without a version has seen nothing"


def test_another_writer_is_told_of_and_nothing_entered_is_lost(
    operator: FlaskClient, index: Path
) -> None:
    fields = {"question": "新的问题?", "answer": "很长的答案。"}
    with generations.lock(index):
        response = post(operator, "/entries/new", **fields)
        assert response.status_code == 409 and "正在被写入" in text(response)
        assert "新的问题?" in text(response) and "很长的答案。" in text(response)
        gone = post(operator, "/entries/curated-a/delete", version=version(index, "curated-a"))
        assert gone.status_code == 409
    assert post(operator, "/entries/new", **fields).status_code == 303


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"question": "", "answer": "有。"}, "问题"),
        ({"question": "有?", "answer": " "}, "答案"),
        ({"question": "长" * 501, "answer": "有。"}, "不能超过 500 字"),
    ],
)
def test_a_bad_entry_is_refused_with_the_reason(
    operator: FlaskClient, index: Path, fields: dict[str, str], word: str
) -> None:
    before = indexing.read_all(index)
    response = post(operator, "/entries/new", **fields)
    assert response.status_code == 422 and word in text(response)
    assert 'role="alert"' in text(response) and indexing.read_all(index) == before


def test_what_is_not_there_and_what_is_a_document(operator: FlaskClient, index: Path) -> None:
    assert operator.get("/admin/entries/none").status_code == 404
    assert post(operator, "/entries/none/delete", version="x").status_code == 404
    assert operator.get("/admin/nothing").status_code in (303, 404)
    page = text(operator.get("/admin/entries/document-c"))
    assert "不能逐条修改" in page and 'name="answer"' not in page
    form = {"question": "a?", "answer": "b", "version": version(index, "document-c")}
    assert post(operator, "/entries/document-c", **form).status_code == 422


def test_a_file_is_checked_then_imported_with_its_report(
    operator: FlaskClient, index: Path
) -> None:
    rows = "问题,答案,分类\n班车几点?,七点半。,班车\n没有答案?,,\n班车几点?,八点。,\n"

    def send(**more: str) -> TestResponse:
        file = (io.BytesIO(rows.encode()), "../../班车<b>.csv")
        return post(operator, "/import", file=file, **more)

    before = indexing.read_all(index)
    page = text(send(check="1"))
    assert "可以导入 1 条" in page and "2 处有误" in page and indexing.read_all(index) == before
    assert "班车b.csv:3" in page and "班车b.csv:4" in page and "重复" in page
    page = text(send())
    assert "新增 1 条" in page and "2 处有误" in page
    (added,) = [each for each in indexing.read_all(index) if each.title == "班车几点?"]
    assert added.text == "七点半。"
    assert "&lt;b&gt;" in text(operator.get("/admin/changes"))


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.exe", b"MZ\0\0", "不支持"),
        ("a.csv", b"", "空"),
        ("a.pdf", b"not a pdf at all", "不是 .pdf"),
        ("", b"x", "请选择"),
        ("a.csv", "问题,答案\n,\n".encode(), "没有读到"),
    ],
)
def test_a_file_that_cannot_be_read(
    operator: FlaskClient, index: Path, name: str, data: bytes, words: str
) -> None:
    before = indexing.read_all(index)
    response = post(operator, "/import", file=(io.BytesIO(data), name))
    assert response.status_code == 422 and words in text(response)
    assert indexing.read_all(index) == before


def test_forms_and_files_have_a_limit(operator: FlaskClient) -> None:
    response = post(operator, "/entries/new", question="a?", answer="b" * (2 << 20))
    assert response.status_code == 413
    kind = "multipart/form-data; boundary=x"
    response = operator.post("/admin/import", data=b"x" * 22_000_000, content_type=kind)
    assert response.status_code == 413 and "pocketqa kb add" in text(response)


def test_a_search_is_explained(operator: FlaskClient) -> None:
    page = text(operator.get("/admin/search?q=请问食堂什么时候开门"))
    assert (
        "食堂几点开门?" in page and "虚词" in page and "排名分" in page and "属于本知识库" in page
    )
    assert "会拒答" in text(operator.get("/admin/search?q=核聚变"))
    assert "这是闲聊" in text(operator.get("/admin/search?q=你好"))


def test_without_an_index_the_view_says_so(tmp_path: Path) -> None:
    engine, live = Engine(FakeModel), Live(tmp_path / "index")
    config = load(index=tmp_path / "index", home=tmp_path, admin_key=KEY)
    client = create_app(config, live, engine).test_client()
    sign_in(client)
    for path in ("/", "/search?q=食堂", "/entries", "/entries/new"):
        assert client.get(f"/admin{path}").status_code == 200
    assert post(client, "/entries/new", question="第一个?", answer="有了。").status_code == 303
    assert [each.title for each in indexing.read_all(tmp_path / "index")] == ["第一个?"]
    engine.close()
    live.close()


def test_questions_that_were_not_answered_are_listed(app: Flask, operator: FlaskClient) -> None:
    client = app.extensions["socketio"].test_client(app)
    for question in ("核聚变电站怎么办?", "=1+1 是什么?", "核聚变电站怎么办"):
        assert client.emit("CHAT_CS", {"text": question}, callback=True)["ok"]
        gevent.sleep(0.3)
    page = text(operator.get("/admin/unanswered"))
    assert "核聚变电站怎么办" in page and "2 次" in page and "/admin/entries/new?question=" in page
    rows = operator.get("/admin/unanswered.csv").get_data(as_text=True)
    assert rows.startswith("\ufeff问题,答案") and "\n =1+1" in rows, "no formula for a spreadsheet"
    assert "核聚变" in text(operator.get("/admin/"))
