"""Several dialogues: the list, names, deleting, saving; and what readers think of answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect
from servers import Server
from visits import ANSWER, QUESTION, Visit

pytest_plugins = ["browsing"]


@pytest.fixture
def two(open_page: Visit) -> Visit:
    """The page with two dialogues, the second of them open."""
    open_page.ask(QUESTION)
    open_page.page.get_by_role("button", name="新对话").click()
    open_page.ask("护照几天能办好?")
    return open_page


def listed(opened: Visit) -> Locator:
    """Open the list; its entries."""
    opened.page.get_by_role("button", name="我的对话").click()
    entries = opened.page.locator("#dialogue-list > li")
    expect(entries.first).to_be_visible()
    return entries


def test_dialogues_are_listed_and_gone_back_to(two: Visit) -> None:
    entries = listed(two)
    expect(entries).to_have_count(2)
    expect(entries.first.locator(".enter")).to_have_attribute("aria-current", "true")
    entries.nth(1).locator(".enter").click()
    expect(two.page.locator("#dialogues")).to_be_hidden()
    expect(two.page.locator("#turns .question")).to_have_text(QUESTION)
    expect(two.answers.locator(".text")).to_have_text(ANSWER)
    two.ask("要带什么?")
    assert two.sent[2]["dialogue"] == two.sent[0]["dialogue"] != two.sent[1]["dialogue"]


def test_a_dialogue_gets_another_name(two: Visit) -> None:
    entry = listed(two).nth(1)
    entry.get_by_role("button", name="重命名、导出、删除").click()
    entry.get_by_role("button", name="重命名", exact=True).click()
    field = entry.get_by_role("textbox", name="新名称")
    field.fill("<b>证件</b>")
    field.press("Enter")
    expect(entry.locator(".name")).to_have_text("<b>证件</b>")
    two.page.reload()
    two.ready()
    expect(listed(two).locator(".name").filter(has_text="<b>证件</b>")).to_have_count(1)


def test_a_dialogue_is_deleted_after_asking(two: Visit) -> None:
    entries = listed(two)
    entry = entries.first
    entry.get_by_role("button", name="重命名、导出、删除").click()
    entry.get_by_role("button", name="删除", exact=True).click()
    expect(entry).to_contain_text("不能恢复")
    entry.get_by_role("button", name="取消").click()
    expect(entries).to_have_count(2)
    entry.get_by_role("button", name="删除", exact=True).click()
    entry.get_by_role("button", name="确认删除").click()
    expect(entries).to_have_count(1)
    two.page.keyboard.press("Escape")
    expect(two.page.locator("#welcome")).to_be_visible()  # it was the open one
    two.page.reload()
    two.ready()
    expect(listed(two)).to_have_count(1)


def test_a_dialogue_is_saved_as_markdown(two: Visit) -> None:
    two.page.locator("#menu summary").click()
    with two.page.expect_download() as download:
        two.page.get_by_role("button", name="导出 Markdown").click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    assert download.value.suggested_filename == "护照几天能办好.md"
    assert "## 护照几天能办好?" in text and ANSWER in text and "> 依据: " in text
    entry = listed(two).nth(1)
    entry.get_by_role("button", name="重命名、导出、删除").click()
    with two.page.expect_download() as download:
        entry.get_by_role("button", name="导出 Markdown").click()
    assert f"## {QUESTION}" in Path(download.value.path()).read_text(encoding="utf-8")


def test_on_paper_everything_is_unfolded(two: Visit) -> None:
    page = two.page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    expect(page.locator("#turns blockquote").first).to_be_visible()
    for away in (".foot", ".actions", ".related", "#menu"):
        expect(page.locator(away).first).to_be_hidden()
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("#turns blockquote").first).to_be_hidden()


def test_older_turns_are_fetched_when_they_are_wanted(open_page: Visit) -> None:
    for n in range(23):
        open_page.ask(f"你好{'!' * n}")
    open_page.page.reload()
    open_page.ready()
    expect(open_page.answers).to_have_count(20)
    open_page.page.get_by_role("button", name="更早的问答").click()
    expect(open_page.answers).to_have_count(23)
    expect(open_page.page.locator("#turns .question").first).to_have_text("你好")
    expect(open_page.page.get_by_role("button", name="更早的问答")).to_be_hidden()


def test_a_vote_with_a_reason_is_kept(visit: Callable[..., Visit], fake_server: Server) -> None:
    opened = visit(fake_server)
    answer = opened.ask(QUESTION)
    down = answer.get_by_role("button", name="没有帮助")
    down.click()
    answer.get_by_role("button", name="不完整").click()
    expect(answer.get_by_role("status")).to_have_text("谢谢，已经记下。")
    up = answer.get_by_role("button", name="有帮助", exact=True)
    opened.page.reload()
    opened.ready()
    expect(down).to_have_attribute("aria-pressed", "true")
    up.click()
    expect(up).to_have_attribute("aria-pressed", "true")
    expect(down).to_have_attribute("aria-pressed", "false")
    up.click()
    expect(up).to_have_attribute("aria-pressed", "false")
    down.click()
    answer.get_by_role("textbox", name="或者用自己的话说").fill("缺了收费标准")
    answer.get_by_role("button", name="提交").click()
    expect(answer.get_by_role("status")).to_have_text("谢谢，已经记下。")
