"""The rules of WCAG, held against a page in the browser."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}

LOOKS = [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)]


def violations(page: Page) -> list[str]:
    page.emulate_media(reduced_motion="reduce")  # or a colour on its way to another would be measured
    found = Axe().run(page, options=WCAG).response["violations"]
    return [f"{each['id']}: {node['target']} {node['html'][:120]}" for each in found for node in each["nodes"]]
