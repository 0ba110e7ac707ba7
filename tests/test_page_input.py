"""The chat page under the reader's hands: typing, limits, a lost connection, small screens."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from servers import Server, fake_server
from visits import ANSWER, QUESTION, Visit

pytest_plugins = ["browsing"]

NETWORK_ERROR = re.compile(r"ERR_CONNECTION_REFUSED|ERR_SOCKET|WebSocket connection to")


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


def test_connection_lost_and_back(visit: Callable[..., Visit], demo_index: Path) -> None:
    server = fake_server(demo_index, FAKE_PAUSE_S="0.1", FAKE_TEXT=ANSWER)
    opened = visit(server)
    page, bar = opened.page, opened.page.locator("#connection")
    opened.ask("你好")
    answer = opened.ask(QUESTION, "streaming")
    opened.composer.fill("还没有发出去的话")
    server.process.kill()
    server.stop()
    expect(bar).to_contain_text("连接已断开")
    expect(answer).to_have_attribute("data-state", "interrupted")
    expect(answer.locator(".problem")).to_contain_text("没有说完")
    expect(page.locator("#send")).to_be_disabled()
    opened.composer.press("Enter")
    expect(opened.composer).to_have_value("还没有发出去的话")

    server = fake_server(demo_index, POCKETQA_PORT=str(server.port))
    try:
        opened.ready()
        expect(page.locator("#send")).to_be_enabled()
        expect(bar).to_have_text("", timeout=10_000)
        # The new server does not know the old dialogue: the page begins another by itself.
        answer.get_by_role("button", name="再试一次").click()
        expect(answer).to_have_attribute("data-state", "done", timeout=15_000)
        expect(answer.locator(".text")).to_have_text(ANSWER)
        tries = [request for request in opened.sent if request["text"] == QUESTION]
        assert ["token" in request for request in tries] == [True, True, False]
    finally:
        server.stop()
    # The browser itself logs every failed attempt to connect.
    opened.complaints[:] = [c for c in opened.complaints if not NETWORK_ERROR.search(c)]


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
