"""Take the pictures in docs/ of every view, at every size, in both themes.

    .venv/bin/python tools/screenshots.py [--out docs]

A server with the demo knowledge and a scripted model; Debian's chromium. Each picture shows the
views of one size and theme side by side.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from browsing import OPTIONS, executable  # noqa: E402
from servers import Server, fake_server  # noqa: E402
from visits import Visit  # noqa: E402

from pocketqa import indexing  # noqa: E402

KEY = "a key for the pictures, and for nothing else"
GAP, COLOURS = 24, 128
QUESTION = "身份证丢了应该怎么办？"
SAID = (
    "居民身份证丢失后，您应当：\n\n"
    "1. 向**常住户口所在地的公安机关**申请补领，填写《居民身份证申领登记表》；\n"
    "2. 交验居民户口簿，并登记指纹信息。\n\n"
    "公安机关自您提交登记表之日起六十日内发证；急需用证的，可以申领临时居民身份证。"
)
FILE = ("停车管理办法.txt", "停车管理办法\n\n第一条 小型车每小时五元，不足一小时按一小时计。\n" * 9)


@dataclass(frozen=True)
class Size:
    """A screen; `shown` is the width of one view in the picture, in pixels."""

    name: str
    width: int
    height: int
    shown: int
    path: str = "/"


PHONE = Size("390", 390, 844, 390)
DESK = Size("1280", 1280, 800, 800)
KIOSK = Size("kiosk", 1080, 1920, 480, "/?kiosk=1&idle=8")
View = Callable[[Visit], None]


def start(visit: Visit) -> None:
    """What is there before anybody has asked."""


def ask(visit: Visit, question: str = QUESTION) -> None:
    visit.ask(question)


def streaming(visit: Visit) -> None:
    visit.ask(QUESTION, "streaming")
    expect(visit.answers.last.locator(".text")).to_contain_text("登记表", timeout=30_000)


def evidence(visit: Visit) -> None:
    ask(visit)
    visit.page.locator("details summary").last.click()
    visit.page.locator(".extras").last.scroll_into_view_if_needed()


def refused(visit: Visit) -> None:
    visit.ask("核聚变的原理是什么？")


def vote(visit: Visit) -> None:
    ask(visit)
    visit.page.locator("[data-act='down']").last.click()


def file(visit: Visit) -> None:
    name, text = FILE
    content = {"name": name, "mimeType": "text/plain", "buffer": text.encode()}
    visit.page.locator("#file").set_input_files(content)
    expect(visit.page.locator("#sum-up")).to_be_visible(timeout=30_000)


def menu(visit: Visit) -> None:
    ask(visit)
    visit.page.locator("#menu summary").click()


def dialogues(visit: Visit) -> None:
    ask(visit)
    visit.page.locator("#new-dialogue").click()
    visit.ask("护照有效期是几年？")
    visit.page.locator("#open-dialogues").click()
    expect(visit.page.locator("#dialogue-list li")).to_have_count(2)
    visit.page.mouse.move(0, 0)


def lost(visit: Visit) -> None:
    ask(visit)
    visit.page.context.set_offline(True)
    visit.page.evaluate("window.dispatchEvent(new Event('offline'))")
    visit.page.wait_for_timeout(1500)


def idle(visit: Visit) -> None:
    ask(visit)
    expect(visit.page.locator("#idle")).to_be_visible(timeout=60_000)
    visit.page.wait_for_timeout(3000)


def print_view(visit: Visit) -> None:
    evidence(visit)
    visit.page.emulate_media(media="print")


CHAT: list[View] = [start, streaming, evidence, refused, vote, file, menu, dialogues, lost]
HALL: list[View] = [start, ask, evidence, idle]
ADMIN = ("", "/search?q=身份证丢了怎么办", "/entries", "/entries/new?question=身份证丢了",
         "/import", "/unanswered", "/feedback", "/changes")  # fmt: skip


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with serving() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=OPTIONS)
        for theme in ("light", "dark"):
            for size, views in ((PHONE, CHAT), (DESK, CHAT), (KIOSK, HALL)):
                shots = [taken(browser, server, size, theme, view) for view in views]
                sheet(shots, size).save(out / f"page-{size.name}-{theme}.png", optimize=True)
            for size in (PHONE, DESK):
                shots = list(desk(browser, server, size, theme))
                sheet(shots, size).save(out / f"admin-{size.name}-{theme}.png", optimize=True)
        printed = taken(browser, server, DESK, "light", print_view)
        printed.save(out / "page-print.png", optimize=True)
        browser.close()


@contextmanager
def serving() -> Iterator[Server]:
    """The server; it has been asked something that it could not answer."""
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        indexing.build([ROOT / "knowledge"], index)
        server = fake_server(
            index,
            POCKETQA_HOME=folder,
            POCKETQA_ADMIN_KEY=KEY,
            POCKETQA_MAX_STREAMS="8",
            POCKETQA_RATE="off",
            FAKE_TEXT=SAID,
            FAKE_PAUSE_S="0.02",
        )
        try:
            yield server
        finally:
            server.stop()


def taken(browser: Browser, server: Server, size: Size, theme: str, view: View) -> Image.Image:
    """A picture of one view, in a browser that has never been there."""
    context = browser.new_context(
        viewport={"width": size.width, "height": size.height},
        color_scheme=theme,
        reduced_motion="reduce",
        has_touch=size is not DESK,
    )
    visit = Visit(context.new_page(), server.url).open(size.path)
    view(visit)
    visit.page.wait_for_timeout(300)
    shot = Image.open(io.BytesIO(visit.page.screenshot()))
    context.close()
    return shot


def desk(browser: Browser, server: Server, size: Size, theme: str) -> Iterator[Image.Image]:
    """Pictures of the operator's views."""
    viewport = {"width": size.width, "height": size.height}
    context = browser.new_context(viewport=viewport, color_scheme=theme)
    page = context.new_page()
    page.goto(f"{server.url}/admin")
    yield Image.open(io.BytesIO(page.screenshot()))
    page.locator("input[type=password]").fill(KEY)
    page.keyboard.press("Enter")
    expect(page.locator("nav")).to_be_visible()
    for path in ADMIN:
        page.goto(f"{server.url}/admin{path}")
        page.wait_for_timeout(300)
        yield Image.open(io.BytesIO(page.screenshot()))
    context.close()


def sheet(shots: list[Image.Image], size: Size) -> Image.Image:
    """Pictures side by side, three or five in a row."""
    across = 3 if size is DESK else min(5, len(shots))
    height = size.shown * size.height // size.width
    rows = -(-len(shots) // across)
    whole = Image.new(
        "RGB",
        (across * (size.shown + GAP) + GAP, rows * (height + GAP) + GAP),
        "#8a9499",
    )
    for n, shot in enumerate(shots):
        place = GAP + n % across * (size.shown + GAP), GAP + n // across * (height + GAP)
        whole.paste(
            shot.convert("RGB").resize((size.shown, height), Image.Resampling.LANCZOS), place
        )
    return whole.quantize(COLOURS)


if __name__ == "__main__":
    main()
