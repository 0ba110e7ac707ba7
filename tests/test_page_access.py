"""For everybody: every view under axe-core in both themes, keyboard only, all screen sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe import violations
from playwright.sync_api import Page, expect
from servers import Server
from visits import QUESTION, Visit

pytest_plugins = ["browsing"]

FILE: Any = {
    "name": "办法.txt",
    "mimeType": "text/plain",
    "buffer": ("会议室须预约。" * 50).encode(),
}
THEMES = pytest.mark.parametrize("scheme", ["light", "dark"])


def check(page: Page, view: str) -> None:
    """No violation in what is shown now, and nothing that sticks out sideways."""
    assert violations(page) == [], view
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0, view


@pytest.mark.parametrize(("width", "lang", "scheme"), [(320, "en", "light"), (1280, "zh", "dark")])
def test_no_view_has_a_violation(
    visit: Callable[..., Visit], fake_server: Server, scheme: str, width: int, lang: str
) -> None:
    size = {"width": width, "height": 800}
    opened = visit(fake_server, viewport=size, color_scheme=scheme, reduced_motion="reduce")
    page = opened.page
    if lang == "en":
        page.locator("#language").click()
        opened.ready()
    check(page, "welcome")
    answer = opened.ask(QUESTION)
    answer.locator("summary").first.click()
    check(page, "evidence")
    answer.locator("[data-act=down]").click()
    expect(answer.locator("form.feedback")).to_be_visible()
    check(page, "feedback")
    opened.ask("红烧肉怎么做好吃")
    check(page, "refusal")
    opened.ask("身份证丢了怎么补办?出错", "error")
    check(page, "fault")
    page.set_input_files("#file", FILE)
    expect(page.locator("#sum-up")).to_be_visible(timeout=20_000)
    check(page, "file")
    page.locator("#menu summary").click()
    check(page, "menu")
    page.keyboard.press("Escape")
    page.locator("#open-dialogues").click()
    entry = page.locator("#dialogue-list > li").first
    entry.locator(".tool").click()
    check(page, "dialogues")
    entry.locator(".tools .plain").last.click()
    check(page, "deleting")


@THEMES
def test_no_view_of_the_kiosk_has_a_violation(
    visit: Callable[..., Visit], fake_server: Server, scheme: str
) -> None:
    size = {"width": 1080, "height": 1920}
    opened = visit(fake_server, "/?kiosk=1&idle=6", viewport=size, color_scheme=scheme)
    check(opened.page, "welcome")
    opened.ask(QUESTION)
    check(opened.page, "answer")
    expect(opened.page.locator("#idle")).to_be_visible(timeout=8000)
    check(opened.page, "countdown")


def test_everything_can_be_done_with_the_keyboard(open_page: Visit) -> None:
    page = open_page.page
    for _ in range(12):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.className") == "skip":
            break
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(open_page.composer).to_be_focused()
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    expect(open_page.answers.first).to_have_attribute("data-state", "done")
    reached = []
    for _ in range(30):
        page.keyboard.press("Shift+Tab")
        reached.append(page.evaluate("document.activeElement.outerHTML.split('>')[0]"))
    for part in ("<summary", "data-act=", "data-ask", 'id="language"', 'id="open-dialogues"'):
        assert [tag for tag in reached if part in tag], part
    page.locator("#open-dialogues").press("Enter")
    expect(page.locator("#dialogues")).to_be_visible()
    expect(page.locator("#dialogue-list .enter").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#open-dialogues")).to_be_focused()
    page.locator("#menu summary").press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("html")).to_have_attribute("data-evidence", "no")


def test_a_screen_reader_hears_what_happens(open_page: Visit) -> None:
    page = open_page.page
    expect(page.get_by_role("log", name="对话")).to_be_visible()
    open_page.ask("你好")
    expect(page.locator("#announcer")).to_have_text("您好,欢迎您直接问我业务问题。")
    assert page.locator("#announcer").get_attribute("aria-live") == "polite"
    expect(page.get_by_role("heading", level=2, name="你好")).to_be_visible()


def test_reduced_motion_is_respected(visit: Callable[..., Visit], slow_server: Server) -> None:
    opened = visit(slow_server, reduced_motion="reduce")
    opened.ask(QUESTION, "streaming")
    assert opened.page.evaluate("document.getAnimations().length") == 0
    opened.page.get_by_role("button", name="停止回答").click()
    opened.ready()


@pytest.mark.parametrize(("width", "height"), [(320, 568), (3840, 2160)])
def test_from_the_smallest_phone_to_4k(
    visit: Callable[..., Visit], fake_server: Server, width: int, height: int
) -> None:
    opened = visit(fake_server, viewport={"width": width, "height": height})
    opened.ask(QUESTION)
    size = "parseFloat(getComputedStyle(document.querySelector('.text')).fontSize)"
    assert opened.page.evaluate(size) == pytest.approx(16 if width == 320 else 23.4, abs=1)
    boxes = opened.page.evaluate(
        """() => [...document.querySelectorAll('button, summary, input, textarea')]
            .filter((node) => node.checkVisibility())
            .map((node) => node.getBoundingClientRect()).map(({left, right}) => [left, right])"""
    )
    assert all(left >= -1 and right <= width + 1 for left, right in boxes)
