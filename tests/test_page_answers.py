"""What can be done with an answer: evidence, copying, asking again, hearing it."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect
from servers import Server
from visits import ANSWER, QUESTION, Visit

pytest_plugins = ["browsing"]

VOICE = """
window.spoken = [];
const voice = {
    getVoices: () => [{lang: 'zh-CN'}],
    speak: (utterance) => window.spoken.push([utterance.text, utterance.lang]),
    cancel: () => window.spoken.push('hush'),
};
Object.defineProperty(window, 'speechSynthesis', {value: voice});
window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
window.SpeechRecognition = class {
    start() {
        setTimeout(() => {
            this.onresult({results: [[{transcript: '护照几天'}], [{transcript: '能办好'}]]});
            this.onend();
        }, 50);
    }
    stop() {}
};
"""
NO_VOICE = """
for (const name of ['SpeechRecognition', 'webkitSpeechRecognition', 'speechSynthesis']) {
    Object.defineProperty(window, name, {value: undefined});
}
"""


def test_words_of_the_question_are_marked_in_the_evidence(open_page: Visit) -> None:
    answer = open_page.ask(QUESTION)
    answer.locator(".evidence summary").first.click()
    marks = answer.locator("blockquote mark")
    assert "身份证" in {mark.inner_text() for mark in marks.all()}
    expect(answer.locator("blockquote").first).to_contain_text("常住户口所在地的公安机关")


def test_evidence_can_be_hidden_for_a_public_screen(
    visit: Callable[..., Visit], fake_server: Server
) -> None:
    opened = visit(fake_server)
    evidence = opened.ask(QUESTION).locator("details.evidence")
    expect(evidence).to_be_visible()
    opened.page.locator("#menu summary").click()
    opened.page.get_by_role("switch", name="显示依据").uncheck()
    expect(evidence).to_be_hidden()
    expect(opened.answers.first.locator(".note")).to_have_text("由语言模型自动生成")
    opened.page.reload()
    opened.ready()
    assert not opened.page.locator("#prefer-evidence").is_checked()
    by_address = visit(fake_server, "/?evidence=0")
    expect(by_address.ask(QUESTION).locator("details.evidence")).to_be_hidden()


def test_an_answer_can_be_copied(visit: Callable[..., Visit], fake_server: Server) -> None:
    opened = visit(fake_server, permissions=["clipboard-read", "clipboard-write"])
    answer = opened.ask(QUESTION)
    answer.get_by_role("button", name="复制").click()
    expect(opened.page.locator("#announcer")).to_have_text("已复制")
    assert opened.page.evaluate("navigator.clipboard.readText()") == ANSWER


def test_the_same_can_be_asked_again(open_page: Visit) -> None:
    open_page.ask(QUESTION).get_by_role("button", name="再问一次").click()
    expect(open_page.answers).to_have_count(2)
    expect(open_page.answers.nth(1)).to_have_attribute("data-state", "done")
    assert [request["text"] for request in open_page.sent] == [QUESTION, QUESTION]


def test_short_answers_are_questions_of_their_own(open_page: Visit) -> None:
    open_page.page.locator("#menu summary").click()
    open_page.page.get_by_role("switch", name=re.compile("简短回答")).check()
    open_page.page.keyboard.press("Escape")
    expect(open_page.page.locator("#menu summary")).to_be_focused()
    expect(open_page.ask(QUESTION).locator("details.evidence")).to_be_visible()
    assert open_page.events == ["QA_CS"]


def test_voice_in_and_out(visit: Callable[..., Visit], fake_server: Server) -> None:
    opened = visit(fake_server, script=VOICE)
    opened.page.get_by_role("button", name="语音输入").click()
    expect(opened.composer).to_have_value("护照几天能办好")
    answer = opened.ask(QUESTION)
    speak = answer.get_by_role("button", name="朗读")
    speak.click()
    expect(speak).to_have_attribute("aria-pressed", "true")
    speak.click()
    expect(speak).to_have_attribute("aria-pressed", "false")
    assert [ANSWER, "zh-CN"] in opened.page.evaluate("window.spoken")


def test_without_voice_nothing_offers_it(visit: Callable[..., Visit], fake_server: Server) -> None:
    opened = visit(fake_server, script=NO_VOICE)
    answer = opened.ask(QUESTION)
    expect(opened.page.locator("#voice")).to_be_hidden()
    expect(answer.get_by_role("button", name="朗读")).to_have_count(0)
