"""Documents and the other modes: choose, drop, paste, ask, summarise, remove."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from servers import Server
from visits import QUESTION, Visit

pytest_plugins = ["browsing"]

RULES = "会议室需要提前三个工作日预约，由综合办公室登记。\n\n" * 20
FILE: Any = {"name": "会议室办法.txt", "mimeType": "text/plain", "buffer": RULES.encode()}
GIVE = """(field, [kind, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], '办法.md', {type: 'text/markdown'}));
    const given = kind === 'paste' ? {clipboardData: data} : {dataTransfer: data};
    for (const name of kind === 'paste' ? ['paste'] : ['dragover', 'drop']) {
        const event = kind === 'paste'
            ? new ClipboardEvent(name, {...given, bubbles: true, cancelable: true})
            : new DragEvent(name, {...given, bubbles: true, cancelable: true});
        field.dispatchEvent(event);
        if (name === 'dragover') window.veiled = !document.getElementById('drop').hidden;
    }
}"""


@pytest.fixture
def with_file(open_page: Visit) -> Visit:
    """The page with a file to ask about."""
    open_page.page.set_input_files("#file", FILE)
    expect(open_page.page.locator("#sum-up")).to_be_visible(timeout=20_000)
    return open_page


def test_a_file_says_what_was_read_and_is_asked(with_file: Visit) -> None:
    chip = with_file.page.locator("#attachment")
    expect(chip).to_contain_text("会议室办法.txt")
    expect(chip).to_contain_text(re.compile(r"\d{3} 字"))
    answer = with_file.ask("会议室要提前多久预约？")
    expect(with_file.page.locator("#turns .about")).to_have_text("会议室办法.txt")
    answer.locator(".evidence summary").first.click()
    expect(answer.locator(".evidence .label")).to_have_text("来自上传的文件")
    assert with_file.sent[0]["upload_id"]
    with_file.page.reload()
    with_file.ready()
    expect(chip).to_contain_text("会议室办法.txt")
    expect(with_file.page.locator("#turns .about")).to_have_text("会议室办法.txt")


def test_a_file_is_summarised_with_one_button(with_file: Visit) -> None:
    with_file.page.get_by_role("button", name="做摘要").click()
    expect(with_file.answers.first).to_have_attribute("data-state", "done", timeout=20_000)
    expect(with_file.page.locator("#turns .about")).to_contain_text("摘要")
    expect(with_file.page.locator("#turns .about")).to_contain_text("会议室办法.txt")
    assert with_file.events == ["SUM_CS"] and with_file.sent[0]["text"] == ""


def test_a_file_can_be_removed(with_file: Visit) -> None:
    with with_file.page.expect_response(lambda r: r.request.method == "DELETE") as deleted:
        with_file.page.get_by_role("button", name="移除文件").click()
    assert deleted.value.status == 204
    expect(with_file.page.locator("#attachment")).to_be_hidden()
    with_file.ask(QUESTION)
    assert "upload_id" not in with_file.sent[0]


def test_a_file_that_has_gone_is_said_to_have(with_file: Visit) -> None:
    upload_id = with_file.page.evaluate(
        "JSON.parse(sessionStorage.getItem('pocketqa.upload')).upload_id"
    )
    assert with_file.page.request.delete(f"{with_file.origin}/upload/{upload_id}").status == 204
    with_file.ask("会议室要提前多久预约？", "error")
    expect(with_file.page.locator("#attachment")).to_contain_text("文件已过期")


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_file_can_be_dropped_and_pasted(open_page: Visit, kind: str) -> None:
    open_page.composer.evaluate(GIVE, [kind, RULES])
    expect(open_page.page.locator("#attachment")).to_contain_text("办法.md")
    expect(open_page.page.locator("#sum-up")).to_be_visible(timeout=20_000)
    expect(open_page.page.locator("#drop")).to_be_hidden()
    assert kind == "paste" or open_page.page.evaluate("window.veiled")


def test_progress_is_shown_and_can_be_cancelled(open_page: Visit) -> None:
    open_page.page.route("**/upload", lambda route: None)  # never ends
    open_page.page.set_input_files("#file", FILE)
    chip = open_page.page.locator("#attachment")
    expect(chip.get_by_role("progressbar")).to_be_visible()
    expect(chip).to_contain_text(re.compile("正在"))
    open_page.page.get_by_role("button", name="取消").click()
    expect(chip).to_be_hidden()


def test_a_file_that_cannot_be_read_is_explained(open_page: Visit) -> None:
    fault: Any = {"name": "照片.pdf", "mimeType": "application/pdf", "buffer": b"not a pdf"}
    open_page.page.set_input_files("#file", fault)
    told = open_page.page.get_by_role("alert")
    expect(told).to_contain_text("照片.pdf")
    assert len(told.inner_text()) > len("照片.pdf") + 5
    open_page.page.get_by_role("button", name="知道了").click()
    expect(open_page.page.locator("#attachment")).to_be_hidden()
    open_page.complaints.clear()  # the browser's own, of the status 415


def test_text_is_summarised_and_drafts_are_written(open_page: Visit) -> None:
    page = open_page.page
    page.get_by_label("摘要").check()
    expect(open_page.composer).to_have_attribute("placeholder", re.compile("粘贴"))
    open_page.ask(RULES * 10)
    more = page.locator("#turns .more")
    expect(more).to_have_text("展开全部")
    height = page.locator(".question").evaluate("node => node.offsetHeight")
    more.click()
    assert page.locator(".question").evaluate("node => node.offsetHeight") > height
    page.get_by_label("写作").check()
    open_page.ask("写一份放假通知")
    assert open_page.events == ["SUM_CS", "GEN_CS"]
    assert len(open_page.sent[0]["text"]) > 4000


def test_two_windows_keep_files_of_their_own(
    visit: Callable[..., Visit], fake_server: Server, tmp_path: Path
) -> None:
    first = visit(fake_server)
    first.page.set_input_files("#file", FILE)
    expect(first.page.locator("#sum-up")).to_be_visible(timeout=20_000)
    second = visit(fake_server)
    expect(second.page.locator("#attachment")).to_be_hidden()
