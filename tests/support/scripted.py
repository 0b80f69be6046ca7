"""A speech engine that says a fixed text at a fixed pace, and the real app on top of it."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from endoscribe.audio import SAMPLE_RATE
from endoscribe.errors import BusyError, EngineError
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.services import Services
from endoscribe.settings import Settings
from endoscribe.transcript import LiveTranscript, Segment, Transcript, Word
from endoscribe.web.access import Access
from endoscribe.web.review_service import ReviewService
from tests.support.patience import wait_until

Samples = NDArray[np.float32]

SCRIPT = (
    "This is a screening colonoscopy. The cecum was reached. Boston bowel prep score left colon 3 transverse colon 3 "
    "right colon 2 total 8. In the sigmoid colon is a 6 millimeter sessile polyp. It was removed with a cold snare."
)
#: Words a second: an unhurried dictation, only faster, so that tests are short.
PACE = 10


class ScriptedEngine:
    name = "scripted"
    problem: str | None = None

    def close(self) -> None:
        """It holds nothing."""


def spoken_until(samples: int) -> tuple[Word, ...]:
    """The words of the script that fit into so many samples at 16 kHz."""
    count = int(samples / SAMPLE_RATE * PACE)
    return tuple(Word(text, index / PACE, (index + 1) / PACE, 0.9) for index, text in enumerate(SCRIPT.split()[:count]))


def transcript_of(samples: int) -> Transcript:
    words = spoken_until(samples)
    return Transcript.from_segments([Segment(words)] if words else [], samples / SAMPLE_RATE)


class ScriptedSession:
    """Commits all but the last two words; `heard` is every sample that was inserted."""

    def __init__(self, schema: ProcedureSchema | None, on_live: Callable[[LiveTranscript], None]) -> None:
        self.schema = schema
        self.heard: list[Samples] = []
        self.live = LiveTranscript()
        self.closed = False
        self.problem: str | None = None
        self.finished = threading.Event()
        self._on_live = on_live

    @property
    def samples(self) -> Samples:
        return np.concatenate([np.zeros(0, np.float32), *self.heard])

    @property
    def audio_s(self) -> float:
        return sum(map(len, self.heard)) / SAMPLE_RATE

    def insert(self, samples: Samples) -> None:
        self.heard.append(samples)
        words = spoken_until(sum(map(len, self.heard)))
        if len(words) != len(self.live.committed) + len(self.live.tentative):
            self.live = LiveTranscript(words[:-2], words[-2:])
            self._on_live(self.live)

    def change_procedure(self, schema: ProcedureSchema) -> None:
        self.schema = schema

    def finish(self, timeout_s: float = 120) -> Transcript:
        self.closed = True
        return transcript_of(sum(map(len, self.heard)))

    def close(self) -> None:
        self.closed = True


class ScriptedScheduler:
    """`seats` speakers at once; `failure` makes everything but waiting fail."""

    def __init__(self, seats: int = 8, failure: str | None = None) -> None:
        self.engine = ScriptedEngine()
        self.sessions: list[ScriptedSession] = []
        self.seats = seats
        self.failure = failure
        self.closed = False

    @property
    def present(self) -> int:
        return sum(not session.closed for session in self.sessions)

    def open_session(self, schema: ProcedureSchema | None, on_live: Callable[[LiveTranscript], None]) -> Any:
        if self.present >= self.seats:
            raise BusyError("As many people are speaking as this machine can hear.")
        self.sessions.append(ScriptedSession(schema, on_live))
        return self.sessions[-1]

    def transcribe(
        self,
        samples: Samples,
        schema: ProcedureSchema | None = None,
        on_progress: Callable[[float], None] | None = None,
        cancelled: threading.Event | None = None,
    ) -> Transcript:
        if self.failure:
            raise EngineError(self.failure)
        if on_progress:
            on_progress(0.5)
        if cancelled and cancelled.is_set():
            raise EngineError("The transcription was cancelled.")
        return transcript_of(len(samples))

    def close(self) -> None:
        self.closed = True


#: What the test client calls the server.
OWN_NAME = {"ENDOSCRIBE_HOST_NAMES": "testserver"}


class Server:
    """The real app on a folder, with a scripted engine; `has_page` where a test needs it: it takes a second."""

    def __init__(
        self, folder: Path, scheduler: ScriptedScheduler | None = None, *, has_page: bool = False, **settings: str
    ) -> None:
        environ = {"ENDOSCRIBE_DATA_DIR": str(folder), "ENDOSCRIBE_EXTRACTOR": "offline", **OWN_NAME, **settings}
        self.services = Services(Settings.from_environment(environ, None))
        self.scheduler = scheduler
        app = asyncio.run(self._build(has_page=has_page))
        self.reviews: ReviewService = app.state.reviews
        self.access: Access = app.state.access
        self.app = app
        self.client = TestClient(app, "http://testserver")

    async def _build(self, *, has_page: bool) -> FastAPI:
        """Gradio is imported and used inside an event loop; otherwise it makes some and never closes them."""
        from endoscribe.web.app import create_api, create_app

        create = create_app if has_page else create_api
        return create(self.services, self._start)

    def _start(self) -> None:
        if self.scheduler:
            scheduler = self.scheduler
            self.services.start(lambda _: scheduler)  # type: ignore[arg-type,return-value]

    def __enter__(self) -> "Server":
        self.client.__enter__()
        if self.scheduler:
            wait_until(lambda: self.client.get("/health").json()["status"] != "starting", "the server has started")
        return self

    def __exit__(self, *error: object) -> None:
        self.client.__exit__(*error)

    def stored(self, session_id: str) -> bytes:
        return (np.round(self.services.sessions.audio(session_id) * 32768)).astype("<i2").tobytes()
