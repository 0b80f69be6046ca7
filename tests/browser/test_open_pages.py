"""What an operator is told of pages that are open in a real Chromium."""

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser
from prometheus_client.parser import text_string_to_metric_families

from tests.support.browser import needs_chromium
from tests.support.paths import SUPPORT
from tests.support.patience import wait_until
from tests.support.program import App, running

pytestmark = [pytest.mark.slow, needs_chromium]


def open_pages(app: App) -> float:
    """As a scraper asks."""
    families = text_string_to_metric_families(httpx.get(f"{app.url}metrics").text)
    (figure,) = (each.value for family in families for each in family.samples if each.name == "endoscribe_pages_open")
    return float(figure)


def test_open_pages_are_counted_while_they_are_open(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path, SUPPORT / "scripted_app.py") as app, browser.new_context() as context:
        pages = [context.new_page() for _ in range(2)]
        for page in pages:
            page.goto(app.url)
        wait_until(lambda: open_pages(app) == 2, "two pages are counted")
        pages[0].close()
        wait_until(lambda: open_pages(app) == 1, "one page is counted")
