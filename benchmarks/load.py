"""Many open pages and several people who speak, on one server: is anything lost, does memory grow, who waits how long?

`python -m benchmarks.load --minutes 10` starts the app itself and prints what docs/RELIABILITY.md reports. Most pages
are programs that ask for what a page asks for and keep its connections open; `--browsers` of them are real.
"""

import argparse
import asyncio
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from playwright.async_api import Page, async_playwright
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from endoscribe.audio import load_audio
from endoscribe.samples import SAMPLES_DIR
from endoscribe.settings import LOCAL_DATA_DIR
from endoscribe.web.microphone.protocol import Frame

ROOT = Path(__file__).parent.parent
RATE = 16_000
FRAME = 3_200
METER_EVERY_S = 5.0
LOOK_EVERY_S = 20.0
#: People begin so long after each other.
STAGGER_S = 3.0
#: Memory is compared from here on: by then everything is loaded and everybody speaks.
WARM_S = 60.0
PATIENCE_S = 900
WAV_HEADER_BYTES = 44


@dataclass
class Speaking:
    """How one speaker fared."""

    session: str | None = None
    acknowledged: int = 0
    ack_delays_s: list[float] = field(default_factory=list)
    #: Seconds from the first sample to the first text on the screen; None where text came only after Stop.
    first_text_s: float | None = None
    was_told_to_wait: bool = False
    breaks: int = 0
    stop_to_final_s: float = float("nan")
    problem: str | None = None
    is_whole: bool = False


@dataclass
class Server:
    """The app in a process of its own."""

    process: subprocess.Popen[bytes]
    url: str
    rss_mb: list[tuple[float, float]] = field(default_factory=list)

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024

    async def meter(self) -> None:
        began_s = time.monotonic()
        while True:
            self.rss_mb.append((time.monotonic() - began_s, self.memory_mb()))
            await asyncio.sleep(METER_EVERY_S)


def pcm_of(minutes: float, first: int) -> bytes:
    """The shipped dictations one after the other, again and again, from the `first` one on."""
    dictations = [load_audio(path) for path in sorted(SAMPLES_DIR.glob("*.flac"))]
    in_order = dictations[first % len(dictations) :] + dictations[: first % len(dictations)]
    wanted = int(minutes * 60 * RATE)
    joined = np.concatenate(in_order * (wanted // sum(map(len, in_order)) + 1))[:wanted]
    return (np.clip(joined, -1, 1) * 32767).astype("<i2").tobytes()


async def speak(url: str, pcm: bytes, start_after_s: float) -> Speaking:
    """One dictation in real time; after a break it goes on as the browser does."""
    await asyncio.sleep(start_after_s)
    speaking = Speaking()
    began_s = time.monotonic()
    while True:
        try:
            async with connect(url.replace("http", "ws", 1) + "ws/microphone", max_size=None) as connection:
                await _dictate(connection, pcm, began_s, speaking)
                break
        except (WebSocketException, OSError):
            speaking.breaks += 1
            await asyncio.sleep(0.5)
    async with httpx.AsyncClient(timeout=60) as client:
        stored = (await client.get(f"{url}audio/{speaking.session}")).content[WAV_HEADER_BYTES:]
    speaking.is_whole = stored == pcm
    return speaking


async def _dictate(connection: ClientConnection, pcm: bytes, began_s: float, speaking: Speaking) -> None:
    hello = {"type": "hello", "protocol": 1, "session": speaking.session, "procedure": "col", "sample_rate": RATE}
    await connection.send(json.dumps(hello))
    sent_at_s: dict[int, float] = {}
    stopped_s: list[float] = []
    sending = asyncio.create_task(_send(connection, pcm, began_s, speaking, sent_at_s, stopped_s))
    try:
        async for text in connection:
            message = json.loads(text)
            now_s = time.monotonic()
            if message["type"] in ("welcome", "ack"):
                speaking.session = message.get("session", speaking.session)
                speaking.acknowledged = max(speaking.acknowledged, message["samples"])
                for end in [end for end in sent_at_s if end <= message["samples"]]:
                    speaking.ack_delays_s.append(now_s - sent_at_s.pop(end))
            elif message["type"] == "live" and not stopped_s:
                speaking.first_text_s = speaking.first_text_s or now_s - began_s
            elif message["type"] == "notice" and message["text"]:
                speaking.was_told_to_wait = True
            elif message["type"] == "final":
                speaking.stop_to_final_s = now_s - stopped_s[0]
                speaking.problem = message["problem"]
                return
    finally:
        sending.cancel()
        with suppress(asyncio.CancelledError, WebSocketException):
            await sending


async def _send(
    connection: ClientConnection,
    pcm: bytes,
    began_s: float,
    speaking: Speaking,
    sent_at_s: dict[int, float],
    stopped_s: list[float],
) -> None:
    samples, start = len(pcm) // 2, speaking.acknowledged
    while start < samples:
        end = min(samples, start + FRAME)
        await asyncio.sleep(began_s + end / RATE - time.monotonic())
        sent_at_s[end] = time.monotonic()
        await connection.send(Frame(start // FRAME, start, pcm[2 * start : 2 * end]).encode())
        start = end
    stopped_s.append(time.monotonic())
    await connection.send(json.dumps({"type": "stop", "samples": samples}))


async def open_page(url: str, delays_s: list[float], ended: asyncio.Event) -> None:
    """What an open page asks for: its files once, a connection that stays open, and the list now and then."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client, AsyncExitStack() as stack:
        for path in ("", "config", "ui/page.js", "ui/microphone.js", "ui/uplink.js", "ui/page.css"):
            (await client.get(path)).raise_for_status()
        heartbeat = client.stream("GET", f"gradio_api/heartbeat/{secrets.token_hex(6)}", timeout=None)
        await stack.enter_async_context(heartbeat)
        while not ended.is_set():
            began_s = time.monotonic()
            (await client.post("sessions/list", json={"search": ""})).raise_for_status()
            delays_s.append(time.monotonic() - began_s)
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), LOOK_EVERY_S)


@asynccontextmanager
async def real_pages(url: str, count: int, speech: Path) -> AsyncIterator[list[Page]]:
    """Pages in a real Chromium whose microphone hears a file."""
    if not count:
        yield []
        return
    arguments = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    program = shutil.which("chromium") or shutil.which("google-chrome")
    async with (
        async_playwright() as playwright,
        await playwright.chromium.launch(
            executable_path=program, args=[*arguments, f"--use-file-for-fake-audio-capture={speech}"]
        ) as browser,
    ):
        pages = []
        for _ in range(count):
            context = await browser.new_context()
            pages.append(await context.new_page())
            await pages[-1].goto(url)
        yield pages


async def speak_in_browser(page: Page, minutes: float) -> str:
    """One of the speakers is real: what its status says in the end."""
    await page.locator("#microphone button").first.click()
    await asyncio.sleep(minutes * 60)
    await page.locator("#stop").click()
    await page.locator("#status", has_text="Press Submit").wait_for(timeout=PATIENCE_S * 1000)
    await page.locator("#submit").click()
    await page.locator("#status", has_text="Draft report ready").wait_for(timeout=PATIENCE_S * 1000)
    return (await page.locator("#status").inner_text()).strip()


def start(model: str, folder: Path) -> Server:
    """The app as `make run` starts it, on an empty data folder."""
    (folder / "models").symlink_to((ROOT / LOCAL_DATA_DIR / "models").resolve())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {**os.environ, "PORT": str(port), "ENDOSCRIBE_DATA_DIR": str(folder), "ENDOSCRIBE_WHISPER_MODEL": model}
    environ |= {"ENDOSCRIBE_EXTRACTOR": "offline", "ENDOSCRIBE_DEVICE": "cpu"}
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environ)
    return Server(process, f"http://127.0.0.1:{port}/")


@asynccontextmanager
async def running(model: str, folder: Path) -> AsyncIterator[Server]:
    server = start(model, folder)
    try:
        await _until_ready(server)
        yield server
    finally:
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(120)


async def _until_ready(server: Server) -> None:
    async with httpx.AsyncClient() as client:
        while True:
            with suppress(httpx.TransportError):
                if (await client.get(f"{server.url}ready")).status_code == 200:
                    return
            if server.process.poll() is not None:
                sys.exit("The app ended.")
            await asyncio.sleep(0.2)


async def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    speech = folder / "speech.wav"
    spoken = [pcm_of(options.minutes, number) for number in range(options.speakers)]
    with wave.open(str(speech), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(spoken[0])
    async with (
        running(options.model, folder / "data") as server,
        real_pages(server.url, options.browsers, speech) as real,
    ):
        metering = asyncio.create_task(server.meter())
        delays_s: list[float] = []
        ended = asyncio.Event()
        programs = options.pages - options.browsers
        pages = [asyncio.create_task(open_page(server.url, delays_s, ended)) for _ in range(programs)]
        in_browser = [asyncio.create_task(speak_in_browser(page, options.minutes)) for page in real[:1]]
        cpu_s, began_s = server.cpu_s(), time.monotonic()
        by_program = spoken[len(in_browser) :]
        speakers = await asyncio.gather(
            *(speak(server.url, pcm, number * STAGGER_S) for number, pcm in enumerate(by_program))
        )
        said = await asyncio.gather(*in_browser)
        cores = (server.cpu_s() - cpu_s) / (time.monotonic() - began_s)
        ended.set()
        await asyncio.gather(*pages)
        metering.cancel()
    return {
        "pages": options.pages, "minutes": options.minutes, "model": options.model, **_memory(server, options.minutes),
        "cores_busy": round(cores, 2), "page_answer_s": _spread(delays_s), "browser": said, **_fates(speakers),
    }  # fmt: skip


def _memory(server: Server, minutes: float) -> dict[str, object]:
    """While everybody speaks; what the final texts need afterwards is told apart."""
    warm_s = min(WARM_S, minutes * 30)
    spoken = [(at_s, rss) for at_s, rss in server.rss_mb if warm_s <= at_s <= minutes * 60]
    at_s, rss = np.array(spoken).T
    slope = float(np.polyfit(at_s, rss, 1)[0]) * 60
    first, last = rss[0], rss[-1]
    return {
        "rss_mb_after_a_minute": round(first), "rss_mb_at_stop": round(last), "growth_mb_a_minute": round(slope, 2),
        "rss_mb_each_minute": [round(mb) for _, mb in server.rss_mb[:: int(60 / METER_EVERY_S)]],
        "rss_mb_most": round(max(rss for _, rss in server.rss_mb)), "rss_mb_in_the_end": round(server.rss_mb[-1][1]),
    }  # fmt: skip


def _fates(speakers: list[Speaking]) -> dict[str, object]:
    waited = [each for each in speakers if each.first_text_s is None]
    return {
        "speakers_by_program": len(speakers),
        "bit_exact": sum(each.is_whole for each in speakers),
        "breaks": sum(each.breaks for each in speakers),
        "problems": [each.problem for each in speakers if each.problem],
        "told_to_wait": sum(each.was_told_to_wait for each in speakers),
        "text_only_after_stop": len(waited),
        "waited_untold": sum(not each.was_told_to_wait for each in waited),
        "ack_s": _spread([delay_s for each in speakers for delay_s in each.ack_delays_s]),
        "first_text_s": _spread([each.first_text_s for each in speakers if each.first_text_s is not None]),
        "stop_to_final_s": _spread([each.stop_to_final_s for each in speakers]),
    }


def _spread(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    return {
        name: round(float(np.percentile(values, share)), 2) for name, share in (("p50", 50), ("p95", 95), ("max", 100))
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=10, help="how long each dictation lasts")
    parser.add_argument("--pages", type=int, default=50, help="open pages, those of the speakers not counted")
    parser.add_argument("--browsers", type=int, default=2, help="how many of the pages are a real Chromium; one speaks")
    parser.add_argument("--speakers", type=int, default=8, help="how many speak")
    parser.add_argument("--model", default="tiny.en")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data").mkdir()
        result = asyncio.run(measure(options, Path(folder)))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
