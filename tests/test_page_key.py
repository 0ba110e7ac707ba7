"""Where the operator demands a key, the page asks for it, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from axe import violations
from playwright.sync_api import Browser, expect
from servers import fake_server
from visits import ANSWER, QUESTION, Visit

from pocketqa.storage import ApiKeys, Database

pytest_plugins = ["browsing"]

FILE: Any = {"name": "办法.txt", "mimeType": "text/plain", "buffer": "会议室须预约。".encode()}


def test_the_page_asks_for_a_key_and_keeps_it(
    browser: Browser, demo_index: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'dialogues.db'}"
    database = Database(url)
    _, key = ApiKeys(database).add("大厅")
    database.close()
    server = fake_server(
        demo_index, FAKE_TEXT=ANSWER, POCKETQA_DATABASE_URL=url, POCKETQA_REQUIRE_KEY="true"
    )
    page = browser.new_context(viewport={"width": 390, "height": 800}).new_page()
    page.goto(server.url)
    field = page.locator("#access-key")
    expect(field).to_be_visible(timeout=15_000)
    assert violations(page) == []
    field.fill("pqa-wrong")
    field.press("Enter")
    expect(page.locator("#connection")).to_contain_text("密钥")
    expect(field).to_be_visible()
    field.fill(key)
    page.get_by_role("button", name="进入").click()
    opened = Visit(page, server.url)
    opened.ready()
    expect(field).to_be_hidden()
    assert key not in page.content()
    expect(opened.ask(QUESTION).locator(".text")).to_have_text(ANSWER)
    page.locator("input[type=file]").set_input_files(FILE)
    expect(page.locator("#attachment")).to_contain_text("办法.txt")
    page.reload()
    opened.ready()
    expect(opened.answers.first.locator(".text")).to_have_text(ANSWER)
    page.context.close()
    assert server.stop() == 0
