"""What the page weighs, when it is painted, and how smoothly it shows a long answer.

`python benchmarks/page.py` starts a server with a scripted model and measures in headless
Chromium; it prints the table of docs/page.md. A slow phone is 1.6 Mbit/s, 150 ms to the server and
back, a processor four times slower than this machine's.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from browsing import OPTIONS, executable  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402
from servers import Server, fake_server  # noqa: E402

from pocketqa import indexing  # noqa: E402

PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 3, "has_touch": True}
NETWORK = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1.6e6 / 8,
    "uploadThroughput": 750e3 / 8,
}
CHARACTERS = 4000
FRAMES = """() => {
    window.frames_ = [];
    let last = performance.now();
    const tick = (now) => {
        const streams = document.querySelector('.answer[data-state="streaming"]');
        if (streams) window.frames_.push(now - last);
        last = now;
        requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    window.long_ = [];
    new PerformanceObserver((list) => {
        for (const {duration} of list.getEntries()) window.long_.push(duration);
    }).observe({type: 'longtask'});
}"""
PAINT = """() => Object.fromEntries([
    ...performance.getEntriesByType('paint').map(({name, startTime}) => [name, startTime]),
])"""


def answer(characters: int) -> str:
    """Markdown of so many characters: guides of the demo knowledge, with lists and tables."""
    table = "| 事项 | 地点 |\n|---|---|\n| 补领 | 派出所 |\n| 换领 | 派出所 |\n\n"
    guides = sorted((ROOT / "knowledge" / "procedures").glob("*.md"))
    texts = [guide.read_text(encoding="utf-8").strip() for guide in guides]
    return "\n\n".join([texts[0], table, *texts[1:]])[:characters]


def slow(page: Page) -> Any:
    """Make `page` that of a slow phone; its developer tools."""
    tools = page.context.new_cdp_session(page)
    tools.send("Network.enable")
    tools.send("Network.emulateNetworkConditions", NETWORK)
    tools.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    return tools


def load(browser: Browser, url: str) -> dict[str, float]:
    """Load the page with an empty cache: bytes, requests, milliseconds."""
    context = browser.new_context(**PHONE)
    page = context.new_page()
    sizes: list[float] = []
    tools = slow(page)
    tools.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(url)
    page.wait_for_selector("html[data-asking=yes]", timeout=60_000)
    usable = page.evaluate("performance.now()")
    page.wait_for_load_state("networkidle")
    paint = page.evaluate(PAINT)
    context.close()
    return {
        "bytes": sum(sizes),
        "requests": len(sizes),
        "paint": paint["first-contentful-paint"],
        "usable": usable,
    }


def stream(browser: Browser, url: str, *, phone: bool) -> dict[str, float]:
    """Let an answer stream and count frames."""
    context = browser.new_context(**(PHONE if phone else {}))
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("html[data-asking=yes]")
    page.get_by_label("写作").check()
    if phone:
        tools = page.context.new_cdp_session(page)
        tools.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.evaluate(FRAMES)
    page.fill("#question", "写一份说明")
    page.keyboard.press("Enter")
    page.wait_for_selector(".answer[data-state=done]", timeout=120_000)
    frames = sorted(page.evaluate("window.frames_"))
    long = page.evaluate("window.long_")
    shown = page.evaluate("document.querySelector('.text').innerText.length")
    context.close()
    return {
        "characters": shown,
        "seconds": sum(frames) / 1000,
        "rate": 1000 * len(frames) / sum(frames),
        "median": statistics.median(frames),
        "p99": frames[int(len(frames) * 0.99)],
        "late": sum(frame > 25 for frame in frames) / len(frames),
        "long": len(long),
    }


def measure(server: Server, path: str, rounds: int) -> None:
    """Print the figures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        loads = [load(browser, server.url) for _ in range(rounds)]
        for name, unit in (("bytes", "B"), ("requests", ""), ("paint", "ms"), ("usable", "ms")):
            values = [one[name] for one in loads]
            print(f"load, slow phone: {name:9} {statistics.median(values):8.0f} {unit}")
        for phone in (False, True):
            figures = stream(browser, server.url, phone=phone)
            print(f"stream, {'processor / 4' if phone else 'this machine'}:", end=" ")
            print(", ".join(f"{name} {value:.3g}" for name, value in figures.items()))
        browser.close()


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often the page is loaded")
    parser.add_argument("--pause", type=float, default=0.002, help="seconds a character takes")
    options = parser.parse_args()
    path = executable()
    if path is None:
        sys.exit("no chromium: python tools/browser.py")
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        indexing.build([ROOT / "knowledge"], index)
        server = fake_server(
            index,
            FAKE_TEXT=answer(CHARACTERS),
            FAKE_PAUSE_S=str(options.pause),
            POCKETQA_MAX_NEW_TOKENS="6000",
            POCKETQA_DATABASE_URL=f"sqlite:///{folder}/dialogues.sqlite",
        )
        try:
            measure(server, path, options.rounds)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
