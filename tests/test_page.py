"""The chat page in a real browser, against a real server process with a scripted model."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect
from servers import Server, fake_server
from visits import ANSWER, QUESTION, Visit

from pocketqa import indexing

pytest_plugins = ["browsing"]

MARKUP = '<img src=x onerror="window.ran=1"><script>window.ran=1</script><b>粗体</b>'
TOPICS = ("身份证", "护照", "驾驶证", "营业执照")


def test_an_answer_streams_and_shows_its_evidence(open_page: Visit) -> None:
    page = open_page.page
    page.evaluate(
        """() => {
            window.seen = [];
            const look = () => {
                const text = document.querySelector('#turns .text')?.textContent ?? '';
                if (text !== window.seen.at(-1)) window.seen.push(text);
            };
            new MutationObserver(look).observe(document.body, {
                subtree: true, childList: true, characterData: true });
        }"""
    )
    answer = open_page.ask(QUESTION)
    expect(answer.locator(".text")).to_have_text(ANSWER)
    seen = page.evaluate("window.seen")
    assert len(seen) > 5, "the answer came in one go"
    assert all(after.startswith(before) for before, after in zip(seen, seen[1:], strict=False))

    evidence = answer.locator("details.evidence")
    assert evidence.locator("blockquote").first.is_hidden()
    expect(evidence.locator("summary").first).to_contain_text(re.compile(r"把握.+\d+%"))
    evidence.locator("summary").first.click()
    expect(evidence.locator("blockquote").first).to_be_visible()
    expect(evidence.locator("blockquote").first).to_contain_text("常住户口所在地的公安机关")
    expect(evidence.locator("cite").first).to_contain_text("《居民身份证法》第十条")
    expect(answer.locator(".note")).to_have_text("由语言模型自动生成")
    expect(answer.locator("[data-ask]")).to_have_count(3)
    expect(page.locator("#announcer")).to_have_text(ANSWER)


def test_a_related_question_sends_itself_and_the_dialogue_goes_on(open_page: Visit) -> None:
    answer = open_page.ask(QUESTION)
    related = answer.locator("[data-ask]").first
    question = related.inner_text()
    related.focus()
    open_page.page.keyboard.press("Enter")
    expect(open_page.page.locator("#turns .question").nth(1)).to_have_text(question)
    expect(open_page.answers.nth(1)).to_have_attribute("data-state", "done")
    first, second = open_page.sent
    assert first["dialogue"] and "token" not in first and first["received"] == "ends"
    assert second["text"] == question and second["dialogue"] == first["dialogue"]
    assert second["token"]
    assert first["request_id"] != second["request_id"]


def test_an_example_is_answered_from_the_demo_knowledge(open_page: Visit) -> None:
    examples = open_page.page.locator("#examples [data-ask]:visible")
    questions = [text for text in examples.all_inner_texts()]
    assert len(questions) == 4
    examples.first.click()
    expect(open_page.page.locator("#welcome")).to_be_hidden()
    expect(open_page.answers.first).to_have_attribute("data-state", "done")
    for question in questions[1:]:
        open_page.ask(question)
    expect(open_page.page.locator("#turns details.evidence")).to_have_count(4)


def test_a_refusal_offers_what_can_be_answered(open_page: Visit) -> None:
    answer = open_page.ask("红烧肉怎么做好吃")
    expect(answer.locator("details.evidence")).to_have_count(0)
    expect(answer.locator(".choices [data-ask]")).to_have_count(3)
    expect(answer.locator(".label")).to_have_text("这些问题我可以回答")


def test_small_talk_has_neither_evidence_nor_questions(open_page: Visit) -> None:
    answer = open_page.ask("你好")
    expect(answer.locator(".text")).to_have_text("您好,欢迎您直接问我业务问题。")
    expect(answer.locator("details, [data-ask]")).to_have_count(0)


def test_a_fault_is_told_in_words_and_can_be_tried_again(open_page: Visit) -> None:
    answer = open_page.ask("身份证丢了怎么补办?出错", "error")
    problem = answer.locator(".problem")
    expect(problem).to_contain_text("这次没能回答")
    expect(problem).to_contain_text("编号")
    problem.get_by_role("button", name="再试一次").click()
    expect(answer).to_have_attribute("data-state", "error")
    assert len(open_page.sent) == 2 and open_page.answers.count() == 1
    expect(open_page.ask(QUESTION).locator(".text")).to_have_text(ANSWER)


def test_english(open_page: Visit) -> None:
    page = open_page.page
    open_page.ask(QUESTION)
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("#turns summary").first).to_contain_text(re.compile(r"^Source.*\d+%"))
    expect(page.locator("#turns .label").last).to_have_text("Related questions")
    open_page.ready()
    page.reload()
    open_page.ready()
    expect(page.get_by_role("textbox", name="Your question")).to_be_visible()
    assert not re.search("[\u4e00-\u9fff]", page.locator(".foot").inner_text())
    open_page.ask(QUESTION)
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("textbox", name="您的问题")).to_be_visible()


def test_markup_is_shown_and_never_run(visit: Callable[..., Visit], tmp_path: Path) -> None:
    entries = [f"{MARKUP}{topic}怎么办?,{MARKUP}{topic}的答案,,{MARKUP}," for topic in TOPICS]
    knowledge = tmp_path / "knowledge.csv"
    rows = ["问题,答案,相似问法,分类,来源", *(entry.replace('"', "'") for entry in entries)]
    knowledge.write_text("\n".join(rows), encoding="utf-8")
    indexing.build([knowledge], tmp_path / "index")
    server = fake_server(tmp_path / "index", FAKE_TEXT="答" + MARKUP, FAKE_PAUSE_S="0")
    try:
        opened = visit(server)
        answer = opened.ask(f"{MARKUP}身份证怎么办?")
        expect(answer.locator(".text")).to_have_text("答" + MARKUP)
        answer.locator("summary").first.click()
        expect(answer.locator("blockquote").first).to_contain_text("<script>window.ran=1</script>")
        expect(answer.locator("[data-ask]").first).to_contain_text("<script>")
        assert opened.page.locator("#turns").locator("img, script, b").count() == 0
    finally:
        server.stop()


def test_an_answer_can_be_stopped(visit: Callable[..., Visit], slow_server: Server) -> None:
    opened = visit(slow_server)
    answer = opened.ask(QUESTION, "streaming")
    opened.page.get_by_role("button", name="停止回答").click()
    expect(answer).to_have_attribute("data-state", "done")
    expect(answer.locator(".notice")).to_have_text("已停止回答。")
    said = answer.locator(".text").inner_text()
    assert said and said != ANSWER and ANSWER.startswith(said)
    opened.ready()


def test_the_place_in_the_queue_is_shown(visit: Callable[..., Visit], slow_server: Server) -> None:
    first, second = visit(slow_server), visit(slow_server)
    first.ask(QUESTION, "streaming")
    waiting = second.ask(QUESTION, "waiting")
    expect(waiting.locator(".status")).to_contain_text("前面还有 1 人")
    first.page.get_by_role("button", name="停止回答").click()
    expect(waiting).to_have_attribute("data-state", "streaming")
    second.page.get_by_role("button", name="停止回答").click()
    expect(waiting).to_have_attribute("data-state", "done")


def test_a_new_dialogue_begins_empty(open_page: Visit) -> None:
    open_page.ask(QUESTION)
    open_page.page.get_by_role("button", name="新对话").click()
    expect(open_page.page.locator("#welcome")).to_be_visible()
    expect(open_page.answers).to_have_count(0)
    open_page.ask(QUESTION)
    first, second = open_page.sent
    assert first["dialogue"] != second["dialogue"] and "token" not in second
