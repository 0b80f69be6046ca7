"""One thread owns the speech engine; speakers and uploads hand it their audio and it goes round them fairly.

Closed chunks come before previews, previews before uploads; within a kind the speakers take turns. A speaker has at
most one preview waiting, always of its newest audio, so that a slow machine shows text less often but never falls
behind.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from endoscribe.audio import SAMPLE_RATE
from endoscribe.errors import BusyError, EngineError
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.procedures.vocabulary import prompt_terms
from endoscribe.speech.endpointing import SileroDetector, SpeechDetector
from endoscribe.speech.engine import FINAL, Engine, Window
from endoscribe.speech.live import LiveOptions, LiveTranscriber, Task
from endoscribe.transcript import LiveTranscript, Segment, Transcript, Word

log = logging.getLogger(__name__)

Samples = npt.NDArray[np.float32]
#: About 110 of the 224 tokens that Whisper has for a prompt; each one costs time at every decode.
PROMPT_CHARS = 400

OnLive = Callable[[LiveTranscript], None]
OnProgress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the machine takes on."""

    #: A new speaker is told to wait while tasks of the present ones wait longer than this for the engine.
    max_wait_s: float = 2.5
    #: The share of the time that previews of one speaker may keep the engine busy.
    preview_share: float = 0.6
    #: Weight of the newest wait in the running average.
    wait_smoothing: float = 0.3


class Speaker:
    """One recording being spoken; made by `Scheduler.open_speaker`."""

    def __init__(self, scheduler: "Scheduler", transcriber: LiveTranscriber, on_live: OnLive) -> None:
        self._scheduler = scheduler
        self._on_live = on_live
        self.transcriber = transcriber
        self.problem: str | None = None
        self.due_since_s: float | None = None
        self.finished = threading.Event()

    @property
    def live(self) -> LiveTranscript:
        return self.transcriber.live

    @property
    def audio_s(self) -> float:
        return self.transcriber.audio_s

    def insert(self, samples: Samples) -> None:
        """Hand over float32 mono 16 kHz samples; returns at once."""
        self.transcriber.insert(samples)
        self._scheduler.wake()

    def change_procedure(self, schema: ProcedureSchema | None) -> None:
        """Listen for another procedure's words from now on."""
        self.transcriber.change_vocabulary(_vocabulary(schema))

    def finish(self, timeout_s: float = 120) -> Transcript:
        """The final text, after the last sample has been inserted.

        Blocks. Raises EngineError when the engine has stopped or needs longer than `timeout_s`.
        """
        self.transcriber.stop()
        self._scheduler.wake()
        if not self.finished.wait(timeout_s):
            self.close()
            raise EngineError("The final text is taking too long; the recording is kept and can be transcribed again.")
        if not self.transcriber.is_finished:
            raise EngineError("Speech recognition was stopped; the recording is kept and can be transcribed again.")
        return self.transcriber.transcript

    def close(self) -> None:
        """Give up on this speaker; nothing more is decoded for it."""
        self._scheduler.remove(self)

    def show(self) -> None:
        """Tell the listener what is known now; its errors are its own."""
        try:
            self._on_live(self.live)
        except Exception:  # a listener's fault must not stop the engine for everybody
            log.exception("A listener to live text failed")


class _Upload:
    """A whole recording, decoded window by window between the speakers' turns."""

    def __init__(
        self, samples: Samples, vocabulary: str, on_progress: OnProgress | None, cancelled: threading.Event | None
    ) -> None:
        self.samples = samples
        self.done = threading.Event()
        self.error: EngineError | None = None
        self.segments: list[Segment] = []
        self._vocabulary = vocabulary
        self._on_progress = on_progress
        self._cancelled = cancelled or threading.Event()
        self._parts: deque[tuple[float, float]] | None = None

    def step(self, engine: Engine) -> None:
        """Do the next bit of work; `done` is set after the last."""
        try:
            self._step(engine)
        except EngineError as error:
            self.error = error
        if self.error or not self._parts:
            self.done.set()

    def _step(self, engine: Engine) -> None:
        if self._cancelled.is_set():
            raise EngineError("The transcription was cancelled.")
        if self._parts is None:
            self._parts = deque(engine.split(self.samples))
            return
        start_s, end_s = self._parts.popleft()
        samples = self.samples[int(start_s * SAMPLE_RATE) : int(end_s * SAMPLE_RATE)]
        words = engine.decode(Window(samples, start_s, self._vocabulary), FINAL)
        if words:
            self.segments.append(Segment(words))
        if self._on_progress:
            self._on_progress(end_s * SAMPLE_RATE / len(self.samples))


class Scheduler:
    """The resident engine and everybody who waits for it."""

    def __init__(
        self,
        engine: Engine,
        limits: Limits | None = None,
        options: LiveOptions | None = None,
        new_detector: Callable[[], SpeechDetector] = SileroDetector,
    ) -> None:
        self.engine = engine
        self._new_detector = new_detector
        self._limits = limits or Limits()
        self._options = options or LiveOptions()
        self._speakers: deque[Speaker] = deque()
        self._uploads: deque[_Upload] = deque()
        self._awake = threading.Condition()
        self._closing = False
        self._has_news = False
        self._wait_s = 0.0
        self._thread = threading.Thread(target=self._run, name="speech-engine", daemon=True)
        self._thread.start()

    @property
    def wait_s(self) -> float:
        """How long tasks wait for the engine at present, a running average."""
        return self._wait_s

    def open_speaker(self, schema: ProcedureSchema | None, on_live: OnLive) -> Speaker:
        """Begin a recording; `on_live` is called from the engine's thread.

        Raises BusyError while those who speak already wait too long, EngineError when the engine is closed.
        """
        transcriber = LiveTranscriber(_vocabulary(schema), self._options, self._new_detector())
        speaker = Speaker(self, transcriber, on_live)
        with self._awake:
            if self._closing:
                raise EngineError("Speech recognition has been stopped.")
            if self._speakers and self._wait_s > self._limits.max_wait_s:
                raise BusyError("As many people are dictating as this machine can follow; please try again shortly.")
            self._speakers.append(speaker)
        return speaker

    def transcribe(
        self,
        samples: Samples,
        schema: ProcedureSchema | None = None,
        on_progress: OnProgress | None = None,
        cancelled: threading.Event | None = None,
    ) -> Transcript:
        """The text of a whole recording (float32 mono 16 kHz). Blocks; `on_progress` gets 0 to 1.

        Raises EngineError when recognition fails, is cancelled or has been stopped.
        """
        upload = _Upload(samples, _vocabulary(schema), on_progress, cancelled)
        with self._awake:
            if self._closing:
                raise EngineError("Speech recognition has been stopped.")
            self._uploads.append(upload)
        self.wake()
        upload.done.wait()
        if upload.error:
            raise upload.error
        return Transcript.from_segments(upload.segments, len(samples) / SAMPLE_RATE)

    def wake(self) -> None:
        """There is something new to look at."""
        with self._awake:
            self._has_news = True
            self._awake.notify()

    def remove(self, speaker: Speaker) -> None:
        with self._awake:
            if speaker in self._speakers:
                self._speakers.remove(speaker)
            if not self._speakers:
                self._wait_s = 0.0
        speaker.finished.set()

    def close(self) -> None:
        """Stop the thread; whoever still waits gets an EngineError."""
        with self._awake:
            self._closing = True
            self._awake.notify()
        self._thread.join()
        for upload in self._uploads:
            upload.error = EngineError("Speech recognition was stopped.")
            upload.done.set()
        for speaker in list(self._speakers):
            self.remove(speaker)

    def _run(self) -> None:
        while True:
            with self._awake:
                self._awake.wait_for(lambda: self._closing or self._has_news)
                if self._closing:
                    return
                self._has_news = False
            while not self._closing and self._work():
                pass

    def _work(self) -> bool:
        """Do the most urgent task; False when there is none."""
        with self._awake:
            speakers = list(self._speakers)
        tasks = [(speaker, task) for speaker in speakers if (task := _next_task(speaker))]
        for speaker in speakers:
            if speaker.transcriber.is_finished:
                self.remove(speaker)
        if tasks:
            speaker, task = min(tasks, key=lambda each: each[1].kind != "final")
            self._serve(speaker, task)
            return True
        return self._work_on_upload()

    def _serve(self, speaker: Speaker, task: Task) -> None:
        began_s = time.monotonic()
        self._note_wait(began_s - (speaker.due_since_s or began_s))
        speaker.due_since_s = None
        with self._awake:
            if speaker in self._speakers:
                self._speakers.remove(speaker)
                self._speakers.append(speaker)
        words = self._decode(task)
        if words is None and task.kind == "final":
            words = self._decode(task)
        if words is None and task.kind == "final":
            span = f"{task.window.start_s:.0f} to {task.end_s:.0f} s"
            speaker.problem = f"The words from {span} could not be recognised; the recording is kept."
        if task.kind == "preview" and self._options.catch_up:
            speaker.transcriber.slow_down((time.monotonic() - began_s) / self._limits.preview_share)
        speaker.transcriber.accept(task, words or ())
        speaker.show()

    def _decode(self, task: Task) -> tuple[Word, ...] | None:
        try:
            return self.engine.decode(task.window, task.decoding)
        except EngineError as error:
            log.warning("%s (%s of %.1f s)", error, task.kind, task.window.duration_s)
            return None

    def _note_wait(self, wait_s: float) -> None:
        weight = self._limits.wait_smoothing
        self._wait_s = (1 - weight) * self._wait_s + weight * wait_s

    def _work_on_upload(self) -> bool:
        if not self._uploads:
            return False
        upload = self._uploads[0]
        upload.step(self.engine)
        self._uploads.popleft()
        if not upload.done.is_set():
            self._uploads.append(upload)
        return True


def _next_task(speaker: Speaker) -> Task | None:
    task = speaker.transcriber.next_task()
    if task and speaker.due_since_s is None:
        speaker.due_since_s = time.monotonic()
    return task


def _vocabulary(schema: ProcedureSchema | None) -> str:
    return prompt_terms(schema, PROMPT_CHARS) if schema else ""
