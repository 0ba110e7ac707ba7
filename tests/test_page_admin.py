"""The operator's view in a real browser: an edit in the next answer, hostile entries, axe."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe import violations
from operators import HOSTILE, KEY
from playwright.sync_api import Browser, Page, expect
from servers import ROOT, Server, fake_server
from visits import Visit

from pocketqa import indexing

pytest_plugins = ["browsing"]

VIEWS = (
    *("/", "/search?q=身份证丢了怎么办", "/search?q=核聚变", "/entries", "/import", "/unanswered"),
    *("/entries/new?question=身份证丢了", "/feedback", "/changes", "/entries/none"),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an operator's view, whose index these tests may change."""
    folder = tmp_path_factory.mktemp("admin")
    question = HOSTILE.replace('"', '""') + "怎么办?"
    rows = f'问题,答案,相似问法,分类,来源\n"{question}",有毒的答案。,,有毒,\n'
    (folder / "hostile.csv").write_text(rows, encoding="utf-8")
    indexing.build([ROOT / "knowledge", folder / "hostile.csv"], folder / "index")
    found = fake_server(
        folder / "index",
        POCKETQA_ADMIN_KEY=KEY,
        POCKETQA_HOME=str(folder),
        POCKETQA_ANSWER_MODE="curated",
        FAKE_PAUSE_S="0",
    )
    yield found
    found.stop()


@pytest.fixture
def enter(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """Signs in; at the end no script of an entry ran and the console is clean."""
    pages: list[tuple[Page, list[str]]] = []

    def go(**options: Any) -> Page:
        page = browser.new_context(**options).new_page()
        said: list[str] = []
        page.on("console", lambda m: said.append(m.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        pages.append((page, said))
        page.goto(f"{server.url}/admin")
        page.get_by_label(re.compile("管理密钥|Operator")).fill(KEY)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("概况|Overview"))
        return page

    yield go
    for page, said in pages:
        assert not page.evaluate("window.ran")
        assert not [text for text in said if "404" not in text and "409" not in text]
        page.context.close()


def test_an_edit_is_in_the_next_answer(
    enter: Callable[..., Page], visit: Callable[..., Visit], server: Server
) -> None:
    opened = visit(server)
    opened.ask("宠物狗怎么办证?")
    page = enter()
    page.get_by_role("link", name="未答问题").click()
    page.get_by_role("link", name=re.compile("加入知识库.*宠物狗")).click()
    expect(page.get_by_label("问题", exact=True)).to_have_value("宠物狗怎么办证?")
    page.get_by_label("答案", exact=True).fill("在三楼八号窗口登记。")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("status")).to_contain_text("已添加")
    page.wait_for_timeout(2500)
    answer = opened.ask("宠物狗怎么办证?")
    expect(answer.locator(".text")).to_have_text("在三楼八号窗口登记。")

    page.get_by_role("link", name="宠物狗怎么办证?").click()
    page.get_by_label("答案", exact=True).fill("已改到五楼。")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("status")).to_contain_text("已保存")
    page.wait_for_timeout(2500)
    answer = opened.ask("宠物狗怎么办证?")
    expect(answer.locator(".text")).to_have_text("已改到五楼。")

    page.get_by_text("删除这个条目").click()
    page.get_by_role("button", name="确定删除").click()
    expect(page.get_by_role("status")).to_contain_text("已删除")
    page.goto(f"{server.url}/admin/changes")
    expect(page.get_by_role("row").nth(1)).to_contain_text("删除")


def test_a_hostile_entry_runs_nothing(
    enter: Callable[..., Page], visit: Callable[..., Visit], server: Server
) -> None:
    page = enter()
    for path in ("/entries?category=有毒", "/search?q=有毒的答案怎么办"):
        page.goto(f"{server.url}/admin{path}")
        link = page.get_by_role("link", name=re.compile("<script>")).first
        expect(link).to_be_visible()
        assert page.locator("main img, main script").count() == 0
    link.click()
    expect(page.get_by_label("问题", exact=True)).to_have_value(f"{HOSTILE}怎么办?")
    opened = visit(server)
    opened.ask("有毒的答案怎么办")
    expect(opened.page.locator("#turns")).to_contain_text("有毒的答案")
    assert opened.page.locator("#turns").locator("img, script").count() == 0


def test_figures_come_anew_without_a_reload(enter: Callable[..., Page]) -> None:
    page = enter()
    with page.expect_response(lambda response: response.url.endswith("/admin/now"), timeout=9000):
        pass
    expect(page.locator("#now dt").first).to_have_text("模型")
    expect(page.locator("#now dd").first).to_have_text("就绪")


def test_english_is_chosen_and_kept(enter: Callable[..., Page], server: Server) -> None:
    page = enter()
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.goto(f"{server.url}/admin/entries")
    expect(page.get_by_role("heading", level=1)).to_have_text("Knowledge base")
    page.get_by_role("link", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_signing_out(enter: Callable[..., Page], server: Server) -> None:
    page = enter()
    page.get_by_role("button", name="退出").click()
    expect(page.get_by_label("管理密钥")).to_be_focused()
    page.goto(f"{server.url}/admin/entries")
    expect(page.get_by_role("heading", level=1)).to_have_text("登录")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_view_is_accessible_and_fits(
    enter: Callable[..., Page], server: Server, width: int, scheme: Any
) -> None:
    page = enter(viewport={"width": width, "height": 900}, color_scheme=scheme)
    entry = page.request.get(f"{server.url}/admin/entries").text()
    first = re.search(r"/admin(/entries/curated-\w+)", entry)
    assert first
    for path in (*VIEWS, first[1]):
        page.goto(f"{server.url}/admin{path}")
        assert not violations(page), path
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, (path, wide)
    page.context.clear_cookies()
    page.goto(f"{server.url}/admin/login")
    assert not violations(page)
