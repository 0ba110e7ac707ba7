"""The chat page under the reader's hands: typing, limits, small screens."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from servers import Server
from visits import QUESTION, Visit

pytest_plugins = ["browsing"]


def test_enter_sends_and_shift_enter_breaks_the_line(open_page: Visit) -> None:
    open_page.composer.press_sequentially("第一行")
    open_page.composer.press("Shift+Enter")
    open_page.composer.press_sequentially("第二行")
    expect(open_page.composer).to_have_value("第一行\n第二行")
    open_page.composer.press("Enter")
    expect(open_page.composer).to_have_value("")
    expect(open_page.answers).to_have_count(1)
    assert [request["text"] for request in open_page.sent] == ["第一行\n第二行"]
    assert open_page.page.locator(".question").inner_text() == "第一行\n第二行"


def test_enter_in_a_composition_chooses_a_word_and_sends_nothing(open_page: Visit) -> None:
    page = open_page.page
    open_page.composer.focus()
    devtools = page.context.new_cdp_session(page)
    composed = {"text": "shen fen zheng", "selectionStart": 14, "selectionEnd": 14}
    devtools.send("Input.imeSetComposition", composed)
    page.keyboard.press("Enter")
    devtools.send("Input.insertText", {"text": "身份证"})
    # Safari's Enter that ends a composition comes after it, as key 229.
    open_page.composer.dispatch_event("keydown", {"key": "Enter", "keyCode": 229})
    assert not open_page.sent and open_page.answers.count() == 0
    assert "身份证" in open_page.composer.input_value()


def test_never_more_than_4000_characters_are_sent(open_page: Visit) -> None:
    page = open_page.page
    open_page.composer.focus()
    page.keyboard.insert_text("问" * 5000)
    expect(page.locator("#count")).to_contain_text("4000")
    open_page.composer.press("Enter")
    expect(open_page.answers).to_have_count(1)
    assert [len(request["text"]) for request in open_page.sent] == [4000]
    expect(open_page.answers.first).to_have_attribute("data-state", "done")
    # A script or an extension can write past the field's limit.
    open_page.composer.evaluate("field => { field.value = '问'.repeat(4001); }")
    open_page.composer.dispatch_event("input")
    open_page.composer.press("Enter")
    assert len(open_page.sent) == 1 and len(open_page.composer.input_value()) == 4001


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_it_fits_the_screen(
    visit: Callable[..., Visit], fake_server: Server, width: int, scheme: str
) -> None:
    opened = visit(fake_server, viewport={"width": width, "height": 640}, color_scheme=scheme)
    opened.ask(QUESTION).locator("summary").first.click()
    opened.ask("很长的一个词" + "a" * 200)
    for box in ("html", "#conversation"):
        overflow = "box => box.scrollWidth - box.clientWidth"
        assert opened.page.locator(box).evaluate(overflow) == 0
    low = opened.page.locator("#composer").bounding_box()
    assert low and low["y"] + low["height"] <= 640


def test_the_reader_who_scrolled_up_is_left_alone(
    visit: Callable[..., Visit], slow_server: Server
) -> None:
    opened = visit(slow_server, viewport={"width": 400, "height": 400})
    opened.ask("红烧肉怎么做好吃")
    opened.ask(QUESTION, "streaming")
    scroller = opened.page.locator("#conversation")
    scroller.hover()
    opened.page.mouse.wheel(0, -5000)
    expect(opened.page.locator("#latest")).to_be_visible()
    expect(opened.answers.last).to_have_attribute("data-state", "done", timeout=15_000)
    assert scroller.evaluate("box => box.scrollTop") == 0
    opened.page.locator("#latest").click()
    at_end = "box => box.scrollHeight - box.scrollTop - box.clientHeight < 2"
    assert scroller.evaluate(at_end)
