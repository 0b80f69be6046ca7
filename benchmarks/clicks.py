"""How soon the page is there and how soon it answers: first paint, clicks and keys, alone and while others dictate.

`python -m benchmarks.clicks --model base` starts the app itself and prints what docs/CLICKS.md reports; with
ENDOSCRIBE_DEMO=true and `--rounds 0` it is the visit to a demonstration alone. Each time runs
from the event's own time stamp, when the browser took the click or the key, to the frame that shows its answer.
"""

import argparse
import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from playwright.async_api import Browser, Page, async_playwright

from benchmarks.load import Server, pcm_of, running, speak

ROUNDS = 40
FIRST_PAINTS = 15
VISITS = 5
#: Between two clicks a person reads; meanwhile whatever the last one began comes to its end.
BETWEEN_MS = 400
#: Speakers are measured from here on: by then their text has begun.
SPEAKING_AFTER_S = 6.0
PATIENCE_MS = 60_000
#: Arms a stop-watch for the next event: it ends with the frame after which `holds` is true, and `took` has the time.
STOPWATCH = """
([type, holds]) => {
  const isThere = new Function(`return ${holds}`);
  window.took = new Promise((resolve) => {
    addEventListener(type, ({ timeStamp }) => {
      const look = () => {
        if (isThere()) setTimeout(() => resolve(performance.now() - timeStamp));
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    }, { capture: true, once: true });
  });
}
"""
FIRST_PAINT = """
() => new Promise((resolve) => new PerformanceObserver((list) => resolve(list.getEntries().at(-1).startTime))
  .observe({ type: 'paint', buffered: true }))
"""
CAN_START = "#microphone .start:enabled"
CELLS = "#record [data-field]:has(.es-play)"


@dataclass(frozen=True)
class Answer:
    """Something that a person does: the event that begins it, what they do, and what is then on the screen."""

    event: str
    act: Callable[[Page, int], Awaitable[None]]
    shown: Callable[[Page, int], Awaitable[str]]
    before: Callable[[Page, int], Awaitable[None]] | None = None
    after: Callable[[Page], Awaitable[None]] | None = None


async def timed(page: Page, answer: Answer, number: int) -> float:
    """Milliseconds of one answer."""
    if answer.before:
        await answer.before(page, number)
    await page.wait_for_timeout(BETWEEN_MS)
    await page.evaluate(STOPWATCH, [answer.event, await answer.shown(page, number)])
    await answer.act(page, number)
    took_ms = float(await page.evaluate("window.took"))
    if answer.after:
        await answer.after(page)
    return took_ms


# -- what a person does ------------------------------------------------------------------------------------------------


async def _field(page: Page, number: int) -> tuple[str, str]:
    """Field and row of one of the report's cells that can be heard."""
    cells = page.locator(CELLS)
    cell = cells.nth(number % await cells.count())
    return await cell.get_attribute("data-field") or "", await cell.get_attribute("data-row") or ""


async def _cell(page: Page, number: int) -> str:
    field, row = await _field(page, number)
    return f"#record [data-field='{field}'][data-row='{row}']"


async def _in_sight(page: Page, number: int) -> None:
    await page.locator(await _cell(page, number)).scroll_into_view_if_needed()


async def _click_cell(page: Page, number: int) -> None:
    await page.locator(f"{await _cell(page, number)} .es-play").click()


async def _card(page: Page, number: int) -> str:
    field, row = await _field(page, number)
    return f"document.querySelector(`#evidence .card[data-card='{field}'][data-card-row='{row}']`)"


async def _lit(page: Page, number: int) -> str:
    cell = await _cell(page, number)
    return f"document.querySelector(`{cell}[data-chosen]`) && document.querySelector('#transcript .lit')"


async def _focus_cell(page: Page, number: int) -> None:
    await page.locator(f"{await _cell(page, number)} .es-play").focus()


async def _press_edit(page: Page, _: int) -> None:
    await page.keyboard.press("e")


async def _editor(page: Page, number: int) -> str:
    return f"document.querySelector(`{await _cell(page, number)} .editor`)"


async def _leave_editor(page: Page) -> None:
    await page.keyboard.press("Escape")


async def _open_editor(page: Page, number: int) -> None:
    await _focus_cell(page, number)
    await page.keyboard.press("e")
    await page.locator("#record .editor").wait_for()


async def _press_enter(page: Page, _: int) -> None:
    await page.locator("#record .editor :is(input, select)").first.focus()
    await page.locator("#record .editor button[type=submit]").press("Enter")


async def _entered(_page: Page, _: int) -> str:
    return "!document.querySelector('#record .editor')"


async def _saved(_page: Page, _: int) -> str:
    """No entry is on its way any more: the whole report has come back with it."""
    return "!document.querySelector('#record .editor, #record [data-status=saving]')"


async def _click_word(page: Page, number: int) -> None:
    words = page.locator("#transcript [data-start-s]")
    await words.nth(number * 3 % await words.count()).click()


async def _pause_player(page: Page, _: int) -> None:
    await page.evaluate("document.querySelector('#player audio').pause()")


async def _plays(_page: Page, _: int) -> str:
    return "!document.querySelector('#player audio').paused && !document.querySelector('#player audio').seeking"


async def _fold(page: Page, _: int) -> None:
    await page.locator("#note-part > button").click()


async def _unfolded(_page: Page, number: int) -> str:
    return f"Boolean(document.querySelector('#note')?.checkVisibility()) === {str(number % 2 == 0).lower()}"


async def _open_earlier(page: Page, number: int) -> None:
    if number == 0:
        await page.locator("#earlier > button").click()
    await page.locator("#history-search").focus()


async def _type(page: Page, number: int) -> None:
    await page.keyboard.press("abcdefgh"[number % 8])


async def _typed(page: Page, number: int) -> str:
    now = await page.locator("#history-search").input_value()
    return f"document.querySelector('#history-search').value === {json.dumps(now + 'abcdefgh'[number % 8])}"


async def _search(page: Page, number: int) -> None:
    await page.locator("#history-search").press("Backspace" if number % 2 else "x")


async def _empty_search(page: Page, number: int) -> None:
    if number == 0:
        await page.locator("#history-search").fill("colon")
        await page.wait_for_timeout(2 * BETWEEN_MS)


async def _dimmed(page: Page, _: int) -> None:
    await page.locator("#history-search").press("x")


async def _steps_back(_page: Page, _: int) -> str:
    return "!document.querySelector('#history tbody tr:not(.unsure)')"


async def _search_all(page: Page, _: int) -> None:
    await page.locator("#history-search").fill("")
    await page.locator("#history .sessions").wait_for()


async def _found(_page: Page, number: int) -> str:
    return f"Boolean(document.querySelector('#history .sessions')) === {str(number % 2 == 1).lower()}"


ANSWERS: dict[str, Answer] = {
    "a cell is clicked: its words are lit": Answer("click", _click_cell, _lit, _in_sight),
    "a cell is clicked: its card is open": Answer("click", _click_cell, _card, _in_sight),
    "e on a cell: its form is open": Answer("keydown", _press_edit, _editor, _focus_cell, _leave_editor),
    "an edit is saved: its cell shows it, marked as being saved": Answer(
        "keydown", _press_enter, _entered, _open_editor
    ),
    "an edit is saved: it is stored and the report follows": Answer("keydown", _press_enter, _saved, _open_editor),
    "a word is clicked: it plays from there": Answer("click", _click_word, _plays, _pause_player),
    "the note is unfolded or folded": Answer("click", _fold, _unfolded),
    "a letter is typed into the search": Answer("keydown", _type, _typed, _open_earlier),
    "a search is typed: lines without it step back": Answer("keydown", _dimmed, _steps_back, _search_all),
    "a search is typed: what was found is listed": Answer("keydown", _search, _found, _empty_search),
}


# -- the rounds --------------------------------------------------------------------------------------------------------


async def ready_page(browser: Browser, url: str) -> Page:
    """A page with a report of the first sample on it."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    await page.goto(url)
    await page.locator(CAN_START).wait_for(timeout=PATIENCE_MS)
    await page.locator("#example button").first.click()
    await page.locator("#status", has_text="Draft report ready").wait_for(timeout=PATIENCE_MS)
    return page


async def answers_ms(browser: Browser, server: Server, rounds: int) -> dict[str, list[float]]:
    if not rounds:
        return {}
    page = await ready_page(browser, server.url)
    try:
        return {
            name: [await timed(page, answer, number) for number in range(rounds)] for name, answer in ANSWERS.items()
        }
    finally:
        await page.context.close()


async def first_paints_ms(browser: Browser, url: str, times: int) -> dict[str, list[float]]:
    """Milliseconds to the first contentful paint: with nothing kept of an earlier visit, and once more with it."""
    cold, warm = [], []
    for _ in range(times):
        context = await browser.new_context(viewport={"width": 1440, "height": 900})
        page = await context.new_page()
        await page.goto(url)
        cold.append(float(await page.evaluate(FIRST_PAINT)))
        await page.locator(CAN_START).wait_for(timeout=PATIENCE_MS)
        await page.goto(url)
        warm.append(float(await page.evaluate(FIRST_PAINT)))
        await page.locator(CAN_START).wait_for(timeout=PATIENCE_MS)
        await context.close()
    return {"first paint, nothing cached": cold, "first paint, cached": warm}


async def visit_s(browser: Browser, url: str) -> dict[str, float]:
    """A visitor who has a link and reads nothing: seconds from opening it to each thing that happens."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    began_s, seen = time.monotonic(), {}

    async def see(name: str, selector: str, text: str | None = None) -> None:
        await page.locator(selector, has_text=text).first.wait_for(timeout=PATIENCE_MS)
        seen[name] = time.monotonic() - began_s

    await page.goto(url)
    await see("the page can be used", CAN_START)
    await page.locator("#example button").first.click()
    await see("first words", "#live-text .committed", "colonoscopy")
    await see("the table fills", "#record [data-field=extent_reached]", "cecum")
    await see("the report is ready", "#status", "Draft report ready")
    await page.locator(f"{CELLS} .es-play").first.click()
    await page.wait_for_function("document.querySelector('#player audio').currentTime > 0", timeout=PATIENCE_MS)
    seen["a cell is heard"] = time.monotonic() - began_s
    await context.close()
    return seen


# -- the report --------------------------------------------------------------------------------------------------------


def spread(values: list[float], digits: int = 0) -> dict[str, float]:
    shares = {"p50": 50, "p95": 95, "max": 100}
    return {name: round(float(np.percentile(values, share)), digits) for name, share in shares.items()}


def spreads(measured: dict[str, list[float]], digits: int = 0) -> dict[str, dict[str, float]]:
    return {name: spread(values, digits) for name, values in measured.items() if values}


async def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running(options.model, folder))
        playwright = await stack.enter_async_context(async_playwright())
        arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        browser = await stack.enter_async_context(
            await playwright.chromium.launch(executable_path=program, args=arguments)
        )
        result: dict[str, object] = {"model": options.model, "speakers": options.speakers}
        visits = [await visit_s(browser, server.url) for _ in range(options.visits)]
        result["visit_s"] = spreads({name: [each[name] for each in visits] for name in visits[0]}, 1) if visits else {}
        result["alone_ms"] = spreads(
            {
                **await first_paints_ms(browser, server.url, options.paints),
                **await answers_ms(browser, server, options.rounds),
            }
        )
        if options.speakers:
            result["beside_speakers_ms"] = await beside_speakers(browser, server, options)
    return result


async def beside_speakers(browser: Browser, server: Server, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """The same while others dictate by program, for as long as it takes."""
    speaking = [
        asyncio.create_task(speak(server.url, pcm_of(30, number), number * 3.0)) for number in range(options.speakers)
    ]
    await asyncio.sleep(SPEAKING_AFTER_S + 3 * options.speakers)
    cpu_s, began_s = server.cpu_s(), time.monotonic()
    measured = spreads(
        {
            **await first_paints_ms(browser, server.url, options.paints),
            **await answers_ms(browser, server, options.rounds),
        }
    )
    cores = (server.cpu_s() - cpu_s) / (time.monotonic() - began_s)
    for task in speaking:
        task.cancel()
    await asyncio.gather(*speaking, return_exceptions=True)
    return {**measured, "cores busy": {"mean": round(cores, 2)}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="base")
    parser.add_argument("--speakers", type=int, default=1, help="how many dictate meanwhile")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each click is made")
    parser.add_argument("--paints", type=int, default=FIRST_PAINTS, help="how often the page is opened")
    parser.add_argument("--visits", type=int, default=VISITS, help="how many visitors play a sample and hear a cell")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data").mkdir()
        result = asyncio.run(measure(options, Path(folder) / "data"))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
