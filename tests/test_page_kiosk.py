"""`?kiosk=1`: the page of a hall's touch screen."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect
from servers import Server
from visits import ANSWER, Visit

pytest_plugins = ["browsing"]

SCREEN = {"viewport": {"width": 1080, "height": 1920}, "has_touch": True}


def test_no_typing_is_needed_and_targets_are_large(
    visit: Callable[..., Visit], fake_server: Server
) -> None:
    opened = visit(fake_server, "/?kiosk=1", **SCREEN)
    page = opened.page
    expect(page.locator("#examples [data-ask]")).to_have_count(6)
    page.locator("#examples [data-ask]").first.tap()
    expect(opened.answers.first).to_have_attribute("data-state", "done")
    expect(opened.answers.first.locator(".text")).to_have_text(ANSWER)
    opened.answers.first.locator(".chips [data-ask]").first.tap()
    expect(opened.answers.nth(1)).to_have_attribute("data-state", "done")
    small = page.evaluate(
        """() => [...document.querySelectorAll('button, summary')]
            .filter((node) => node.checkVisibility())
            .map((node) => [node.outerHTML.slice(0, 60), node.getBoundingClientRect()])
            .filter(([, box]) => box.height < 44 || box.width < 44)
            .map(([name]) => name)"""
    )
    assert small == []
    for private in ("#open-dialogues", "#attach", "#save", "#print", ".modes"):
        expect(page.locator(private)).to_be_hidden()
    size = "parseFloat(getComputedStyle(document.querySelector('.text')).fontSize)"
    assert page.evaluate(size) >= 24


def test_it_goes_back_to_its_start_when_nobody_is_there(
    visit: Callable[..., Visit], fake_server: Server
) -> None:
    opened = visit(fake_server, "/?kiosk=1&idle=6", **SCREEN)
    page, countdown = opened.page, opened.page.locator("#idle")
    page.wait_for_timeout(7000)
    expect(countdown).to_be_hidden()  # there is nothing to clear
    opened.ask("你好")
    opened.composer.fill("还没有发出去")
    expect(countdown).to_be_visible(timeout=8000)
    expect(page.locator("#idle-left")).to_have_text(re.compile(r"[1-5] 秒后清空"))
    page.get_by_role("button", name="继续使用").tap()
    expect(countdown).to_be_hidden()
    expect(opened.answers).to_have_count(1)
    expect(countdown).to_be_visible(timeout=8000)
    expect(page.locator("#welcome")).to_be_visible(timeout=8000)
    expect(countdown).to_be_hidden()
    expect(opened.answers).to_have_count(0)
    expect(opened.composer).to_have_value("")
    page.reload()
    opened.ready()
    expect(page.locator("#welcome")).to_be_visible()
    opened.ask("你好")
    assert opened.sent[0]["dialogue"] != opened.sent[1]["dialogue"]


def test_the_next_visitor_can_clear_it_at_once(
    visit: Callable[..., Visit], fake_server: Server
) -> None:
    opened = visit(fake_server, "/?kiosk=1", **SCREEN)
    opened.ask("你好")
    opened.page.get_by_role("button", name="重新开始").tap()
    expect(opened.page.locator("#welcome")).to_be_visible()
    expect(opened.answers).to_have_count(0)
