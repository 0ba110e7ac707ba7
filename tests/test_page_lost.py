"""Nothing is lost: reload, a lost connection, a server that dies and comes back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect
from servers import Server, fake_server
from visits import ANSWER, QUESTION, Visit

pytest_plugins = ["browsing"]

NETWORK_ERROR = re.compile(
    r"ERR_CONNECTION_REFUSED|ERR_SOCKET|ERR_INTERNET|WebSocket connection to"
)


def test_a_reload_shows_the_dialogue_and_goes_on_with_it(open_page: Visit) -> None:
    open_page.ask(QUESTION)
    open_page.page.reload()
    open_page.ready()
    answer = open_page.answers.first
    expect(open_page.page.locator("#turns .question")).to_have_text(QUESTION)
    expect(answer.locator(".text")).to_have_text(ANSWER)
    expect(answer.locator("[data-ask]")).to_have_count(3)
    answer.locator(".evidence summary").first.click()
    expect(answer.locator("blockquote").first).to_contain_text("常住户口所在地的公安机关")
    open_page.ask("护照几天能办好?")
    first, second = open_page.sent
    assert second["dialogue"] == first["dialogue"]


def test_a_reload_in_mid_answer_loses_nothing(
    visit: Callable[..., Visit], slow_server: Server
) -> None:
    opened = visit(slow_server)
    answer = opened.ask(QUESTION, "streaming")
    expect(answer.locator(".text")).to_contain_text(ANSWER[:8])
    opened.page.reload()
    answer = opened.answers.first
    expect(answer).to_have_attribute("data-state", "done", timeout=20_000)
    expect(answer.locator(".text")).to_have_text(ANSWER)
    expect(answer.locator("details.evidence")).to_have_count(1)
    assert len(opened.sent) == 1, "it was asked again"


def test_another_network_in_mid_answer_loses_nothing(
    visit: Callable[..., Visit], slow_server: Server
) -> None:
    opened = visit(slow_server)
    answer = opened.ask(QUESTION, "streaming")
    opened.page.context.set_offline(True)
    # A WebSocket that is open outlives Chromium's "offline": the page is told as after sleep.
    opened.page.evaluate(
        """() => {
            const now = Date.now;
            Object.defineProperty(document, 'hidden', {value: true, configurable: true});
            document.dispatchEvent(new Event('visibilitychange'));
            Object.defineProperty(document, 'hidden', {value: false, configurable: true});
            Date.now = () => now() + 3600_000;
            document.dispatchEvent(new Event('visibilitychange'));
            Date.now = now;
        }"""
    )
    expect(answer.locator(".status")).to_contain_text("恢复后会接着显示")
    said = answer.locator(".text").inner_text()
    assert said and said != ANSWER
    opened.page.context.set_offline(False)
    expect(answer).to_have_attribute("data-state", "done", timeout=20_000)
    expect(answer.locator(".text")).to_have_text(ANSWER)
    assert len(opened.sent) == 1, "it was asked again"
    opened.complaints[:] = [c for c in opened.complaints if not NETWORK_ERROR.search(c)]


def test_a_server_that_dies_in_mid_answer_and_comes_back(
    visit: Callable[..., Visit], demo_index: Path, tmp_path: Path
) -> None:
    kept = {"POCKETQA_DATABASE_URL": f"sqlite:///{tmp_path}/dialogues.sqlite"}
    server = fake_server(demo_index, FAKE_PAUSE_S="0.1", FAKE_TEXT=ANSWER, **kept)
    opened = visit(server)
    page, bar = opened.page, opened.page.locator("#connection")
    opened.ask("你好")
    answer = opened.ask(QUESTION, "streaming")
    expect(answer.locator(".text")).to_contain_text(ANSWER[:8])
    opened.composer.fill("还没有发出去的话")
    server.process.kill()
    server.stop()
    expect(bar).to_contain_text("连接已断开")
    expect(answer.locator(".status")).to_contain_text("恢复后会接着显示")
    said = answer.locator(".text").inner_text()
    opened.composer.press("Enter")
    expect(opened.composer).to_have_value("还没有发出去的话")

    server = fake_server(demo_index, POCKETQA_PORT=str(server.port), **kept)
    try:
        opened.ready()
        expect(bar).to_have_text("", timeout=10_000)
        expect(answer.locator(".notice")).to_have_text("服务器中断过，这个回答没有说完。")
        assert answer.locator(".text").inner_text().startswith(said)
        answer.get_by_role("button", name="再试一次").click()
        expect(answer).to_have_attribute("data-state", "done", timeout=15_000)
        expect(answer.locator(".text")).to_have_text(ANSWER)
        page.reload()
        opened.ready()
        expect(page.locator("#turns .question").first).to_have_text("你好")
        expect(opened.answers.last.locator(".text")).to_have_text(ANSWER)
    finally:
        server.stop()
    # The browser itself logs every failed attempt to connect.
    opened.complaints[:] = [c for c in opened.complaints if not NETWORK_ERROR.search(c)]


def test_what_another_window_asked_is_there_too(
    visit: Callable[..., Visit], fake_server: Server
) -> None:
    opened = visit(fake_server)
    opened.ask(QUESTION)
    other = Visit(opened.page.context.new_page(), fake_server.url).open()
    other.page.get_by_role("button", name="我的对话").click()
    other.page.locator("#dialogue-list .enter").first.click()
    expect(other.answers.first.locator(".text")).to_have_text(ANSWER)
