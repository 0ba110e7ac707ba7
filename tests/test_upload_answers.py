"""Answers from an upload, by Socket.IO, with a scripted model."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_files import THINGS, handbook
from servers import Client, Connect, Server, fake_server, text_of

from pocketqa.client import upload

PAGE = 37
THING = THINGS[PAGE - 1]


@pytest.fixture(scope="module")
def server(demo_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = str(tmp_path_factory.mktemp("home"))
    said = f"{THING}的服务热线是 {7000 + PAGE}。"
    running = fake_server(demo_index, POCKETQA_HOME=home, FAKE_TEXT=said, FAKE_PAUSE_S="0.001")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def upload_id(server: Server) -> str:
    said = upload(server.url, "手册.pdf", handbook(50))
    assert said["pages"] == 50
    return str(said["upload_id"])


@pytest.mark.parametrize("event", ["CHAT_CS", "QA_CS"])
def test_an_answer_cites_its_page(
    server: Server, upload_id: str, connect: Connect, event: str
) -> None:
    client = connect(server)
    question = f"{THING}的服务热线是多少？"
    frames = client.ask({"text": question, "upload_id": upload_id}, event)
    received = frames[-1]["received"]
    assert f"{7000 + PAGE}" in text_of(frames) and frames[-1]["finish_reason"] == "stop"
    assert received["upload_id"] == upload_id and received["clue"]["type"] == "文件依据:"
    assert received["clue"]["sources"][0]["page"] == PAGE
    assert f"{7000 + PAGE}" in received["prompt"]


def test_what_the_upload_does_not_say_is_refused(
    server: Server, upload_id: str, connect: Connect
) -> None:
    frames = connect(server).ask({"text": "身份证丢了应该怎么办?", "upload_id": upload_id})
    assert frames[-1]["received"]["clue"]["way"] == "refused", "though the knowledge base knows"
    assert "文件" in text_of(frames)


SHORT = (
    "关于食堂的通知\n\n午餐十一点半至一点。访客到前台领取临时餐卡，每张押金二十元。周末只供应午餐。"
)


@pytest.mark.parametrize(
    ("question", "way"),
    [
        ("周末有晚饭吗？", "extracted"),
        ("访客怎么吃饭", "extracted"),
        ("护照几天能办好", "refused"),
        ("今天天气怎么样", "refused"),
    ],
)
def test_a_short_file_is_quoted_where_it_has_a_word_of_the_question(
    server: Server, connect: Connect, question: str, way: str
) -> None:
    upload_id = upload(server.url, "食堂.txt", SHORT.encode())["upload_id"]
    frames = connect(server).ask({"text": question, "upload_id": upload_id})
    assert frames[-1]["received"]["clue"]["way"] == way
    assert way == "refused" or text_of(frames) in SHORT


def test_a_summary_tells_pages(server: Server, upload_id: str, connect: Connect) -> None:
    frames = connect(server).ask({"text": "", "upload_id": upload_id}, "SUM_CS")
    said = text_of(frames)
    assert said.startswith("第1–") and "–50页：" in said and frames[-1]["finish_reason"] == "stop"
    assert not frames[-1]["received"]["clue"]["sources"]


def test_a_deleted_upload_is_unknown_to_all(server: Server, connect: Connect) -> None:
    gone = upload(server.url, "手册.pdf", handbook(2))["upload_id"]
    request = urllib.request.Request(f"{server.url}/upload/{gone}", method="DELETE")
    assert urllib.request.urlopen(request, timeout=10).status == 204
    client: Client = connect(server)
    for event in ("CHAT_CS", "QA_CS", "SUM_CS", "GEN_CS"):
        (frame,) = client.ask({"text": "电话?", "upload_id": gone}, event)
        assert frame["error"]["code"] == "unknown_upload"
