"""axe-core, the accessibility checker, served from the disk into a page."""

from __future__ import annotations

from conftest import missing
from playwright.sync_api import Page
from servers import ROOT

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RUN = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations.map(
    ({id, help, nodes}) => `${id}: ${help}: ` + nodes.map(
        ({target, any}) => target + ' ' + any.map(({message}) => message).join(' ')).join('; '))"""


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong with what `page` shows, a line each: WCAG and best practices."""
    if not AXE.is_file():
        missing("axe-core: npm ci")
    if not page.evaluate("Boolean(window.axe)"):
        # evaluate() is not held back by the page's Content-Security-Policy, a script tag would be.
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(RUN)
    return found
