"""The chat button on another site, in a real browser: where it works, where it is refused."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe import violations
from playwright.sync_api import Browser, FrameLocator, Page, expect
from servers import Server, fake_server
from visits import ANSWER, QUESTION

pytest_plugins = ["browsing"]

SITE = """<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>A site</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src {origin};
frame-src {origin}"></head><body><main><h1>A site</h1><p><a href="#">A link</a></p></main>
<script src="{origin}/static/embed.js" {data}></script></body></html>"""


class Site:
    """Another site: its server answers `localhost` and `127.0.0.1`, which are two origins."""

    def __init__(self) -> None:
        self.page = ""
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = site.page.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    found = Site()
    yield found
    found.close()


@pytest.fixture(scope="module")
def server(demo_index: Path, site: Site) -> Iterator[Server]:
    """A server that lets itself be embedded by the site's name `localhost`, and by no other."""
    origin = f"http://localhost:{site.port}"
    found = fake_server(demo_index, POCKETQA_ORIGINS=origin, FAKE_PAUSE_S="0")
    yield found
    found.stop()


@pytest.fixture
def enter(browser: Browser, site: Site, server: Server) -> Iterator[Callable[..., Page]]:
    """Opens the site, by a name that is allowed or not, with the script's data attributes."""
    pages: list[Page] = []

    def go(host: str = "localhost", data: str = "", lang: str = "zh-CN", **options: Any) -> Page:
        site.page = SITE.format(origin=server.url, data=data, lang=lang)
        page = browser.new_context(**options).new_page()
        pages.append(page)
        page.add_init_script("window.names = Object.keys(window)")
        page.goto(f"http://{host}:{site.port}/")
        return page

    yield go
    for page in pages:
        page.context.close()


def framed(page: Page) -> FrameLocator:
    return page.frame_locator("[data-pocketqa] iframe")


def is_open(page: Page) -> None:
    expect(page.get_by_role("button", name="在线咨询")).to_have_attribute("data-ready", "yes")
    expect(page.get_by_role("dialog", name="在线咨询")).to_be_visible()


def test_a_question_is_asked_from_an_allowed_site(enter: Callable[..., Page]) -> None:
    page = enter()
    complaints: list[str] = []
    page.on("console", lambda m: m.type == "error" and complaints.append(m.text))
    button = page.get_by_role("button", name="在线咨询")
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(page.locator("[data-pocketqa] iframe")).to_have_count(0)
    button.click()
    is_open(page)
    expect(button).to_have_attribute("aria-expanded", "true")
    frame = framed(page)
    expect(frame.locator("#question")).to_be_focused()
    frame.locator("#question").fill(QUESTION)
    page.keyboard.press("Enter")
    expect(frame.locator("#turns .answer .text")).to_have_text(ANSWER, timeout=15_000)
    # Without the cookie, which a browser keeps from a third party's frame, the dialogue goes on.
    frame.locator("#question").fill(QUESTION)
    page.keyboard.press("Enter")
    expect(frame.locator("#turns .answer .text")).to_have_count(2, timeout=15_000)
    assert not [text for text in complaints if "autofocusing" not in text]
    new = page.evaluate("Object.keys(window).filter((name) => !window.names.includes(name))")
    assert new == ["names"] or new == [], "no globals"


def test_escape_and_the_button_close_it_and_give_the_focus_back(enter: Callable[..., Page]) -> None:
    page = enter()
    button = page.get_by_role("button", name="在线咨询")
    panel = page.locator("[data-pocketqa] section")
    button.focus()
    page.keyboard.press("Enter")
    is_open(page)
    expect(framed(page).locator("#question")).to_be_focused()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(framed(page).locator("#question")).to_be_focused()
    framed(page).get_by_role("button", name="关闭").click()
    expect(panel).to_be_hidden()
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(panel).to_be_visible()
    button.focus()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()


def test_escape_closes_first_what_is_open_within(enter: Callable[..., Page]) -> None:
    page = enter()
    page.get_by_role("button", name="在线咨询").click()
    is_open(page)
    menu = framed(page).locator("#menu")
    menu.locator("summary").click()
    expect(menu).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(page.locator("[data-pocketqa] section")).to_be_visible()


def test_another_site_is_refused(enter: Callable[..., Page]) -> None:
    page = enter("127.0.0.1")
    refused: list[str] = []
    page.on("console", lambda m: refused.append(m.text))
    page.get_by_role("button", name="在线咨询").click()
    page.wait_for_timeout(1500)
    assert any("frame-ancestors" in text for text in refused)
    expect(page.get_by_role("button", name="在线咨询")).not_to_have_attribute("data-ready", "yes")
    link = page.get_by_role("link", name="没有显示？在新标签页中打开")
    expect(link).to_be_visible(timeout=10_000)


def test_the_data_attributes(enter: Callable[..., Page]) -> None:
    page = enter(
        data='data-position="left" data-color="#ffe08a" data-label="Ask <b>us</b>" data-kiosk',
        lang="en",
    )
    button = page.get_by_role("button", name="Ask <b>us</b>")
    box = button.bounding_box()
    assert box and box["x"] < 100
    colours = button.evaluate(
        "(b) => [getComputedStyle(b).backgroundColor, getComputedStyle(b).color]"
    )
    assert colours == ["rgb(255, 224, 138)", "rgb(0, 0, 0)"]
    button.click()
    expect(framed(page).locator("html")).to_have_attribute("lang", "en")
    expect(framed(page).locator("html")).to_have_attribute("data-kiosk", "yes")
    assert page.locator("[data-pocketqa]").locator("b").count() == 0


def test_it_speaks_the_sites_language(enter: Callable[..., Page]) -> None:
    expect(enter(lang="en-GB").get_by_role("button", name="Ask a question")).to_be_visible()
    nothing = enter(data='data-color="red;}*{display:none}" data-lang="zh"', lang="en")
    expect(nothing.get_by_role("button", name="在线咨询")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_also_on_a_phone(enter: Callable[..., Page], scheme: Any) -> None:
    page = enter(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    button = page.get_by_role("button", name="在线咨询")
    assert not violations(page)
    button.click()
    is_not_yet = page.locator("[data-pocketqa] button:not([data-ready])")
    expect(is_not_yet).to_have_count(0, timeout=15_000)
    expect(page.locator("[data-pocketqa] button")).to_be_hidden()
    box = page.locator("[data-pocketqa] iframe").bounding_box()
    assert box and (box["width"], box["height"]) == (390, 844)
    assert not violations(page)
    framed(page).get_by_role("button", name="关闭").click()
    expect(button).to_be_focused()
