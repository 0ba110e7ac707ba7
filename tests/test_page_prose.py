"""Answers as Markdown: drawn as it streams, without flicker, and never run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from servers import Server, fake_server
from visits import QUESTION, Visit

pytest_plugins = ["browsing"]

MARKDOWN = """身份证丢失的，**注意：**请尽快申请补领。

# 需要做的

1. 填写*申领登记表*
2. 交验 `户口簿`
   - 原件
   - 复印件

| 事项 | 地点 |
|---|---:|
| 补领 | 派出所 |

> 急需用证的，可以申请临时身份证。

见 [办事指南](https://example.gov.cn/guide) 和 https://example.gov.cn/form查询。
"""
HOSTILE = """<script>window.ran=1</script><img src=x onerror="window.ran=1"><b>粗体</b>

[点我](javascript:window.ran=1) ![图](https://example.org/a.png)
<a href="javascript:window.ran=1">甲</a>

| <svg onload="window.ran=1"> | 乙 |
|---|---|
| <iframe src="https://example.org"></iframe> | [丙](data:text/html,<script>window.ran=1</script>) |

<style>body{display:none}</style> <details open ontoggle="window.ran=1">丁</details>
"""
WATCH = """() => {
    window.seen = new Set();
    window.replaced = 0;
    const look = () => {
        const text = document.querySelector('#turns .text');
        if (!text) return;
        window.seen.add(text.innerText);
        const first = text.firstElementChild;
        if (first && window.first && first !== window.first) window.replaced += 1;
        window.first = first ?? window.first;
    };
    new MutationObserver(look).observe(document.body, {
        subtree: true, childList: true, characterData: true });
}"""


@pytest.fixture(scope="module")
def markdown_server(demo_index: Path) -> Iterator[Server]:
    """A server whose model speaks Markdown."""
    server = fake_server(demo_index, FAKE_TEXT=MARKDOWN, FAKE_PAUSE_S="0.005")
    yield server
    server.stop()


@pytest.fixture
def writer(visit: Callable[..., Visit], markdown_server: Server) -> Visit:
    """The page where the model writes freely: nothing of its text is held back or added."""
    opened = visit(markdown_server)
    opened.page.get_by_label("写作").check()
    return opened


def test_markdown_is_drawn(writer: Visit) -> None:
    text = writer.ask(QUESTION).locator(".text")
    expect(text.locator("strong")).to_have_text("注意：")
    expect(text.locator("h3")).to_have_text("需要做的")
    expect(text.locator("ol > li")).to_have_count(2)
    expect(text.locator("ol ul > li")).to_have_text(["原件", "复印件"])
    expect(text.locator("td.right")).to_have_text("派出所")
    expect(text.locator("blockquote")).to_contain_text("急需用证")
    links = text.locator("a")
    addresses = [link.get_attribute("href") for link in links.all()]
    assert addresses == ["https://example.gov.cn/guide", "https://example.gov.cn/form"]
    for link in links.all():
        assert link.get_attribute("target") == "_blank"
        assert "noopener" in (link.get_attribute("rel") or "")


def test_it_streams_without_flicker(writer: Visit) -> None:
    writer.page.evaluate(WATCH)
    writer.ask(QUESTION)
    seen = writer.page.evaluate("[...window.seen]")
    assert len(seen) > 10, "the answer came in one go"
    for marks in ("**", "`", "|", "](", "# ", "> 急"):
        assert not [text for text in seen if marks in text], marks
    assert writer.page.evaluate("window.replaced") == 0, "a block that had ended was drawn anew"


def test_a_selection_outlives_what_streams_in(writer: Visit) -> None:
    answer = writer.ask(QUESTION, "streaming")
    expect(answer.locator("strong")).to_have_text("注意：")
    writer.page.evaluate(
        "getSelection().selectAllChildren(document.querySelector('#turns .text strong'))"
    )
    expect(answer).to_have_attribute("data-state", "done", timeout=15_000)
    assert writer.page.evaluate("getSelection().toString()") == "注意："


def test_nothing_in_an_answer_runs_or_loads(visit: Callable[..., Visit], demo_index: Path) -> None:
    server = fake_server(demo_index, FAKE_TEXT=HOSTILE, FAKE_PAUSE_S="0.002")
    try:
        opened = visit(server)
        opened.page.get_by_label("写作").check()
        text = opened.ask("写一段").locator(".text")
        expect(text).to_contain_text("<script>window.ran=1</script>")
        assert text.locator("img, script, svg, iframe, style, details, b").count() == 0
        hrefs = [link.get_attribute("href") or "" for link in text.locator("a").all()]
        assert not [href for href in hrefs if not href.startswith("https://")]
        expect(opened.page.locator("body")).to_be_visible()
        # fixture `visit` sees to the rest: no other origin was asked, nothing ran, no complaint
    finally:
        server.stop()


def test_without_the_parser_an_answer_is_plain_text(writer: Visit) -> None:
    writer.page.route("**/markdown-it*", lambda route: route.abort())
    writer.page.reload()
    writer.ready()
    text = writer.ask(QUESTION).locator(".text")
    assert text.inner_text().startswith("身份证丢失的，**注意：**请")
    writer.complaints.clear()  # the browser's own, of the file that did not come
