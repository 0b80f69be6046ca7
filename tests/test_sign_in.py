"""Two people, one browser, in a real Chromium: signing in and out, and what one spoke never becomes the other's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, expect
from test_browser import CHROMIUM, TESTS, App, Visitor, running
from test_browser import browser as browser  # noqa: PLC0414  (a fixture)
from test_browser import dictation as dictation  # noqa: PLC0414
from test_browser import playwright as playwright  # noqa: PLC0414
from test_workspace import WCAG

from endoscribe.entry.users import UsersFile

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]

PASSWORD = "a long enough password"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[App]:
    users = UsersFile(tmp_path / "users.txt")
    for name in ("roe", "poe"):
        users.add(name, PASSWORD)
    with running(tmp_path, TESTS / "scripted_app.py", ENDOSCRIBE_AUTH=f"users:{tmp_path / 'users.txt'}") as app:
        yield app


def signed_in(context: BrowserContext, app: App, name: str) -> Visitor:
    page = context.new_page()
    page.goto(app.url)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(app.url)
    return Visitor(page, app)


def test_a_wrong_password_is_told_and_a_right_one_opens_the_page(browser: Browser, guarded: App) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(guarded.url)
        assert Axe().run(page, options=WCAG).response["violations"] == []
        page.get_by_label("Name").fill("roe")
        page.get_by_label("Password").fill("not the password")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("not known here")
        visitor = signed_in(context, guarded, "roe")
        visitor.sees("#leave .who", "roe")
        visitor.click("#leave button")
        expect(visitor.page.get_by_role("button", name="Sign in")).to_be_visible()
        visitor.page.goto(guarded.url)
        expect(visitor.page.get_by_role("button", name="Sign in")).to_be_visible()


def test_what_one_person_left_behind_waits_for_them(browser: Browser, guarded: App) -> None:
    with browser.new_context() as context:
        visitor = signed_in(context, guarded, "roe")
        visitor.start.click()
        visitor.until(lambda: visitor.recorded_s() >= 2)
        guarded.kill()
        visitor.sees("#microphone .unsaved", "not yet saved: 3 s", timeout_s=30)
        spoken_s = visitor.recorded_s()
        visitor.page.close()  # as in a crash
        guarded.start()
        guarded.wait_until_ready()
        context.clear_cookies()
        other = signed_in(context, guarded, "poe")
        assert other.page.evaluate("import('./ui/spool.js').then((spool) => spool.leftBehind())") == []
        assert guarded.sessions.search("", owner="poe") == []
        other.page.close()
        context.clear_cookies()
        again = signed_in(context, guarded, "roe")
        again.sees("#status", "of an earlier dictation, which had not reached the server, are saved now", timeout_s=60)
        (session,) = guarded.sessions.sessions()
        assert session.owner == "roe"
        assert guarded.sessions.duration_s(session.id) >= spoken_s
