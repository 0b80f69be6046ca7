"""Two people, one browser, in a real Chromium: signing in and out, and what one spoke never becomes the other's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from endoscribe.auth.users import UsersFile
from tests.support.accessibility import LOOKS, violations
from tests.support.browser import LESS_THAN_A_FRAME_S, Samples, Visitor, lag_s, needs_chromium
from tests.support.paths import SUPPORT
from tests.support.program import App, running

pytestmark = [pytest.mark.slow, needs_chromium]

PASSWORD = "a long enough password"
#: How many frames of sound lie in the browser's own storage.
KEPT_FRAMES = """() => new Promise((resolve) => {
  const opening = indexedDB.open('endoscribe');
  opening.onsuccess = () => {
    const counting = opening.result.transaction('frames').objectStore('frames').count();
    counting.onsuccess = () => resolve(counting.result);
  };
})"""


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[App]:
    users = UsersFile(tmp_path / "users.txt")
    for name in ("roe", "poe"):
        users.add(name, PASSWORD)
    with running(tmp_path, SUPPORT / "scripted_app.py", ENDOSCRIBE_AUTH=f"users:{tmp_path / 'users.txt'}") as app:
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
        for scheme, width in LOOKS:
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": 844})
            assert violations(page) == []
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
        visitor.until(lambda: visitor.unsaved_s() >= 3)
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
        assert guarded.sessions.duration_s(session) >= spoken_s


def sign_in_again(visitor: Visitor, name: str) -> None:
    """By the link that the page offers, in a tab that is closed then."""
    with visitor.page.expect_popup() as opened:
        visitor.click("#microphone .sign-in a")
    tab = opened.value
    tab.get_by_label("Name").fill(name)
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Sign in").click()
    expect(tab.locator("main")).to_contain_text("You are signed in again")
    tab.close()


@pytest.mark.parametrize("has_sockets", [True, False], ids=["socket", "posts"])
def test_a_sign_in_that_ends_while_somebody_dictates_costs_nothing(
    browser: Browser, guarded: App, colonoscopy_speech: Samples, has_sockets: bool
) -> None:
    with browser.new_context() as context:
        visitor = signed_in(context, guarded, "roe")
        alert = visitor.page.locator("#microphone .sign-in")
        if not has_sockets:
            visitor.page.route_web_socket("**/ws/microphone", lambda route: route.close())
        visitor.start.click()
        visitor.until(lambda: visitor.recorded_s() >= 3)
        expect(alert).to_be_hidden()
        assert context.request.post(f"{guarded.url}logout").ok  # as in another tab
        expect(alert).to_contain_text("Your sign-in has ended.", timeout=30_000)
        expect(alert).to_contain_text("Nothing that you dictated is lost.")
        visitor.until(lambda: visitor.unsaved_s() >= 3)
        assert visitor.page.evaluate(KEPT_FRAMES) > 10
        assert violations(visitor.page) == []
        ended_s = visitor.recorded_s()
        sign_in_again(visitor, "roe")
        expect(alert).to_be_hidden(timeout=30_000)
        expect(visitor.page.locator("#microphone .unsaved")).to_have_text("saved", timeout=30_000)
        visitor.until(lambda: visitor.recorded_s() >= ended_s + 3)
        visitor.click("#stop")
        visitor.sees("#status", "Press Submit", timeout_s=60)
        visitor.click("#submit")
        visitor.sees("#status", "Draft report ready")
        (session,) = guarded.sessions.sessions()
        assert session.owner == "roe"
        recorded = guarded.sessions.audio(session.id)
        end_s = len(recorded) / 16_000
        assert end_s >= ended_s + 3
        before = lag_s(recorded, colonoscopy_speech, 0, 3)
        for from_s in (3, ended_s - 2, end_s - 3):
            assert lag_s(recorded, colonoscopy_speech, from_s, from_s + 3) == pytest.approx(
                before, abs=LESS_THAN_A_FRAME_S
            )
        assert visitor.errors == []


def test_whoever_signs_in_meanwhile_does_not_get_what_another_one_dictates(browser: Browser, guarded: App) -> None:
    with browser.new_context() as context:
        visitor = signed_in(context, guarded, "roe")
        visitor.start.click()
        visitor.until(lambda: visitor.recorded_s() >= 2)
        assert context.request.post(f"{guarded.url}logout").ok
        other = signed_in(context, guarded, "poe")
        visitor.sees(
            "#microphone .sign-in", "Somebody else has signed in in this browser. Sign in as roe", timeout_s=30
        )
        spoken_s = visitor.recorded_s()
        assert guarded.sessions.search("", owner="poe") == []
        other.page.close()
        sign_in_again(visitor, "roe")
        expect(visitor.page.locator("#microphone .unsaved")).to_have_text("saved", timeout=30_000)
        visitor.click("#stop")
        visitor.sees("#status", "Press Submit", timeout_s=60)
        (session,) = guarded.sessions.sessions()
        assert session.owner == "roe"
        assert guarded.sessions.duration_s(session) >= spoken_s


@pytest.mark.parametrize("how", ["signed out", "taken out"])
def test_whoever_signs_out_at_one_page_has_signed_out_at_all(
    browser: Browser, guarded: App, tmp_path: Path, how: str
) -> None:
    with browser.new_context() as context, browser.new_context() as elsewhere:
        idle, speaking = signed_in(context, guarded, "roe"), Visitor(context.new_page(), guarded)
        other = signed_in(elsewhere, guarded, "poe")
        speaking.start.click()
        speaking.until(lambda: speaking.recorded_s() >= 2)
        speaking.click("#pause")  # nothing is sent any more
        if how == "signed out":
            assert context.request.post(f"{guarded.url}logout").ok
        else:
            UsersFile(tmp_path / "users.txt").remove("roe")
        for visitor in (speaking, idle):
            visitor.page.bring_to_front()
            visitor.sees("#microphone .sign-in", "Your sign-in has ended.", timeout_s=30)
            assert violations(visitor.page) == []
        expect(other.page.locator("#microphone .sign-in")).to_be_hidden()
        if how == "signed out":
            sign_in_again(idle, "roe")
            expect(idle.page.locator("#microphone .sign-in")).to_be_hidden(timeout=30_000)
            speaking.page.bring_to_front()
            expect(speaking.page.locator("#microphone .sign-in")).to_be_hidden(timeout=30_000)
            speaking.click("#stop")
            speaking.sees("#status", "Press Submit", timeout_s=60)
        assert idle.errors == []
