"""No rule of WCAG 2.2 A and AA is broken in any state of any page, light and dark, on a desk and on a phone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.research.evaluation import evaluate
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.web.page.evaluation import evaluation_page
from tests.support.accessibility import LOOKS, violations
from tests.support.browser import Visitor, needs_chromium
from tests.support.paths import TESTS
from tests.support.program import App

pytestmark = [pytest.mark.slow, needs_chromium]


def states(visitor: Visitor, folder: Path) -> Iterator[str]:
    """Bring the page into one state after the other, and name it."""
    page = visitor.page
    yield "empty"
    visitor.start.click()
    visitor.sees("#live-text .committed", "The cecum was reached.")
    expect(page.locator("#checklist .es-gap-item").first).to_be_visible()
    yield "recording"
    visitor.until(lambda: visitor.recorded_s() >= 5)
    visitor.click("#stop")
    visitor.sees("#status", "Press Submit")
    yield "transcript"
    visitor.click("#submit")
    visitor.sees("#status", "Draft report ready")
    yield "report"
    total = "#record [data-field=bbps_total]"
    page.locator(f"{total} button").first.click()
    visitor.sees("#evidence", "Hear again")
    yield "cell card"
    page.keyboard.press("e")
    expect(page.locator("#record .editor")).to_be_visible()
    yield "editing"
    page.keyboard.press("Escape")
    page.locator("#evidence [data-card-do=close]").click()
    page.locator("#signer").fill("Dr. Example")
    page.once("dialog", lambda dialog: dialog.accept())
    page.keyboard.press("Enter")
    visitor.sees("#review", "Signed by Dr. Example")
    yield "signed"
    page.locator(f"{total} button").first.dblclick()
    page.locator(f"{total} input").fill("7")
    page.keyboard.press("Enter")
    visitor.sees("#review", "Version 2")
    visitor.click("#review .versions summary")
    visitor.click("#review .compare button")
    visitor.sees("#review .comparison", "BBPS total")
    visitor.click("#checks [data-fold=informing] > summary")
    yield "two versions side by side"
    page.locator("#evidence [data-card-do=close]").click()  # on a phone it lies over what comes next
    visitor.click("#earlier button")
    expect(page.locator("#history [data-session]").first).to_be_visible()
    yield "history"
    yield from research_states(visitor, folder)


def research_states(visitor: Visitor, folder: Path) -> Iterator[str]:
    page = visitor.page
    (folder / "a.txt").write_text("Colonoscopy. The cecum was reached.")
    (folder / "empty.txt").write_text(" ")
    page.goto(f"{visitor.app.url}research")
    expect(page.locator("#research-run")).to_be_visible(timeout=30_000)
    page.locator("#research-files input[type=file]").set_input_files([folder / "a.txt", folder / "empty.txt"])
    expect(page.locator("#research-files")).to_contain_text("empty", timeout=20_000)
    yield "research, files chosen"
    visitor.click("#research-run")
    visitor.sees("#research-results .bars", "Extent reached")
    yield "research, done"


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_no_rule_is_broken_and_nothing_overflows(
    browser: Browser, app: App, tmp_path: Path, scheme: str, width: int
) -> None:
    broken: dict[str, list[str]] = {}
    with browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme) as context:  # type: ignore[arg-type]
        visitor = Visitor(context.new_page(), app)
        for state in states(visitor, tmp_path):
            broken[state] = violations(visitor.page)
            if visitor.page.evaluate("document.documentElement.scrollWidth") > width:
                broken[state].append("wider than the screen")
    assert {state: found for state, found in broken.items() if found} == {}


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_no_rule_is_broken_on_the_page_of_an_evaluation(
    browser: Browser, tmp_path: Path, scheme: str, width: int
) -> None:
    library = SchemaLibrary(SHIPPED_SCHEMA_DIR)
    evaluation = evaluate(TESTS / "data" / "dictations", OfflineExtractor(), library, held_out_only=True)
    (tmp_path / "mistakes.html").write_text(evaluation_page(evaluation, "offline"))
    with browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto((tmp_path / "mistakes.html").as_uri())
        assert violations(page) == []
