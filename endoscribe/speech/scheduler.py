"""Two threads own the speech engine; speakers and uploads hand it their audio and it goes round them fairly.

One thread decodes live text: what was cut at a pause before previews, the speakers in turn. A speaker has at most one
preview waiting, always of its newest audio, so that a slow machine shows text less often but never falls behind. What
several speakers have waiting is decoded in one go where that is cheaper; nobody waits for company. The other thread
decodes the final text, closed chunks before uploads: careful decoding takes seconds, and live text must not wait for
it. Chunks of people who still speak are decoded in one go as well; whoever has pressed Stop waits for nobody else's.
An engine that works on more at a time has as many threads of each kind.
"""

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from endoscribe.audio import SAMPLE_RATE, Samples
from endoscribe.errors import BusyError, EngineError
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.speech.endpointing import SileroDetector, SpeechDetector
from endoscribe.speech.engine import Engine, fit_together
from endoscribe.speech.live import LiveOptions, LiveTranscriber, Task
from endoscribe.speech.live_session import LiveSession, OnLive, lexicon_of, vocabulary_of
from endoscribe.speech.observer import DecodeRequest, SpeechObserver, Work
from endoscribe.speech.terms.lexicon import Lexicon
from endoscribe.speech.upload import OnProgress, Upload
from endoscribe.transcript import Transcript, Word

log = logging.getLogger(__name__)

#: So many windows are decoded together at most: the first of them waits for the last.
MOST_TOGETHER = 8
#: So many chunks of final text are decoded together at most: their encoder takes 30 s each, and its memory grows with
#: every one.
MOST_CHUNKS_TOGETHER = 2

#: When nobody has been served for so long nobody speaks, and what was waited before says nothing any more.
FORGET_AFTER_S = 10.0

_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class SchedulerLimits:
    """How much the machine takes on."""

    #: A new speaker is told to wait where with one more all would get their text later than this after a machine that
    #: is never late. The time of the decode counts: who is decoded with seven others waits for all of them.
    max_wait_s: float = 2.0
    #: The share of the time that previews of one speaker may keep the engine busy.
    preview_share: float = 0.8
    #: Weight of the newest wait in the running average.
    wait_smoothing: float = 0.3


@dataclass(eq=False, slots=True)
class ScheduledSession:
    """A recording being spoken, and how its turns stand."""

    session: LiveSession
    opened_s: float = field(default_factory=time.monotonic)
    due_since_s: float | None = None
    #: Its live text is being decoded or shown; until that is done it is not finished.
    is_served: bool = False
    #: A chunk of its final text is being decoded: chunks are decoded one after the other.
    is_finalised: bool = False
    #: A decode together with others failed: the next one is of this session alone.
    is_apart: bool = False
    #: When its live text was served last, as a running number: who has waited longest is next.
    live_turn: int = 0
    #: When its final text was served last, numbered alike.
    final_turn: int = 0

    @property
    def transcriber(self) -> LiveTranscriber:
        return self.session.transcriber

    @property
    def lexicon(self) -> Lexicon:
        return self.session.lexicon

    def next_live_task(self) -> Task | None:
        """What to decode of its live text now; a pause may have committed words without any decoding."""
        self.is_served = True
        task = self.transcriber.next_task()
        self.session.show()
        self.is_served = False
        if task and self.due_since_s is None:
            self.due_since_s = time.monotonic()
        return task


SessionTasks = Sequence[tuple[ScheduledSession, Task]]


class Scheduler:
    """The resident engine and everybody who waits for it."""

    def __init__(
        self,
        engine: Engine,
        limits: SchedulerLimits | None = None,
        options: LiveOptions | None = None,
        new_detector: Callable[[], SpeechDetector] = SileroDetector,
        parallel: int = 1,
    ) -> None:
        """`parallel` is how many speakers' live texts, and as many final ones, the engine decodes at a time."""
        self.engine = engine
        #: Who watches what waits and what is decoded.
        self.observer = SpeechObserver()
        self._parallel = parallel
        self._new_detector = new_detector
        self._limits = limits or SchedulerLimits()
        self._options = options or LiveOptions()
        self._sessions: deque[ScheduledSession] = deque()
        self._uploads: deque[Upload] = deque()
        self._lock = threading.Lock()
        #: Held while a thread chooses whom to serve: nobody is served by two at a time.
        self._live_choice, self._final_choice = threading.Lock(), threading.Lock()
        self._closing = False
        self._turns = itertools.count(1)
        self._live_news, self._final_news = threading.Event(), threading.Event()
        self._wait_s = self._noted_s = 0.0
        self._threads = [
            threading.Thread(target=self._run, args=(work, news), name=name)
            for work, news, name in (
                (self._work_on_live_text, self._live_news, "live-text"),
                (self._work_on_final_text, self._final_news, "final-text"),
            )
            for _ in range(parallel)
        ]
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    @property
    def wait_s(self) -> float:
        """How long after it would best be due text is there at present, a running average."""
        is_recent = time.monotonic() - self._noted_s < FORGET_AFTER_S
        return self._wait_s if is_recent else 0.0

    @property
    def present(self) -> int:
        """How many speakers there are at present."""
        return len(self._present())

    def open_session(self, schema: ProcedureSchema | None, on_live: OnLive) -> LiveSession:
        """Begin a recording; `on_live` is called from the engine's thread.

        Raises BusyError where those who speak would wait too long, EngineError when the engine is closed.
        """
        transcriber = LiveTranscriber(vocabulary_of(schema), self._options, self._new_detector())
        session = LiveSession(self, transcriber, lexicon_of(schema), on_live)
        with self._lock:
            if self._closing:
                raise EngineError("Speech recognition has been stopped.")
            if self._sessions and self._expected_wait_s() > self._limits.max_wait_s:
                raise BusyError("As many people are dictating as this machine can follow; please try again shortly.")
            self._sessions.append(ScheduledSession(session))
        return session

    def _expected_wait_s(self) -> float:
        """What everybody would wait with one more: what they wait now comes from those who have been heard so far.

        Whoever has just begun is about to be heard; who has long been silent costs nothing.
        """
        now_s = time.monotonic()
        heard = sum(each.live_turn > 0 for each in self._sessions)
        begun = sum(not each.live_turn and now_s - each.opened_s < FORGET_AFTER_S for each in self._sessions)
        return self.wait_s * (heard + begun + 1) / max(1, heard)

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
        upload = Upload(samples, vocabulary_of(schema), lexicon_of(schema), on_progress, cancelled)
        with self._lock:
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
        self._live_news.set()
        self._final_news.set()

    def remove(self, session: LiveSession) -> None:
        """Nothing more is decoded for this one."""
        with self._lock:
            self._sessions = deque(each for each in self._sessions if each.session is not session)
            if not self._sessions:
                self._wait_s = 0.0
        session.finished.set()

    def close(self) -> None:
        """Stop both threads; whoever still waits gets an EngineError."""
        with self._lock:
            self._closing = True
        self.wake()
        for thread in self._threads:
            thread.join()
        for upload in self._uploads:
            upload.error = EngineError("Speech recognition was stopped.")
            upload.done.set()
        for scheduled in self._present():
            self.remove(scheduled.session)

    def _run(self, work: Callable[[], bool], news: threading.Event) -> None:
        """One thread's life: work while there is any, else wait for news."""
        while not self._closing:
            news.wait()
            news.clear()
            while not self._closing and work():
                pass
        news.set()  # the others of this kind end as well

    def _work_on_live_text(self) -> bool:
        """Decode what is most urgent for those who speak; False when there is nothing."""
        with self._live_choice:
            present = [scheduled for scheduled in self._present() if not scheduled.is_served]
            tasks = [
                (scheduled, task)
                for scheduled in present
                if (task := self._or_drop(scheduled, scheduled.next_live_task))
            ]
            if any(scheduled.transcriber.next_chunk() or scheduled.transcriber.is_finished for scheduled in present):
                self._final_news.set()
            if not tasks:
                return False
            together = self._most_urgent(tasks)
            for scheduled, _ in together:
                scheduled.is_served = True
            if len(tasks) > len(together):
                self._live_news.set()
        if len(together) > 1:
            self._serve_together(together)
        else:
            self._or_drop(together[0][0], self._serve, *together[0])
        return True

    def _most_urgent(self, tasks: SessionTasks) -> SessionTasks:
        """What is decoded next, and what others have waiting that goes with it.

        Threads that work side by side share what waits. A replay that is never late decodes each window alone: the same
        audio gives the same text whoever else speaks.
        """
        tasks = sorted(tasks, key=lambda each: (each[1].kind == "preview", each[0].live_turn))
        scheduled, first = tasks[0]
        if scheduled.is_apart or not self._options.catch_up:
            return tasks[:1]
        company = [
            (other, task)
            for other, task in tasks[1:]
            if task.kind == first.kind
            and not other.is_apart
            and fit_together(first.window, task.window, first.decoding)
        ]
        share = -(-len(tasks) // self._parallel)
        return [*tasks[:1], *company][: min(share, MOST_TOGETHER)]

    def _work_on_final_text(self) -> bool:
        """Decode the next chunk of somebody's final text, else the next window of an upload."""
        chosen = self._choose_chunks()
        if not chosen:
            return self._work_on_upload()
        together = self._decode_together(chosen) if len(chosen) > 1 else None
        heard: Sequence[tuple[Word, ...] | None] = together or [None] * len(chosen)
        for (scheduled, chunk), words in zip(chosen, heard, strict=True):
            self._or_drop(scheduled, self._finalise, scheduled, chunk, words)
        return True

    def _choose_chunks(self) -> SessionTasks:
        with self._final_choice:
            present = [scheduled for scheduled in self._present() if not scheduled.is_finalised]
            for scheduled in present:
                if scheduled.transcriber.is_finished and not scheduled.is_served:
                    self.remove(scheduled.session)
            chunks = [(scheduled, chunk) for scheduled in present if (chunk := scheduled.transcriber.next_chunk())]
            chosen = self._most_urgent_chunks(chunks)
            for scheduled, _ in chosen:
                scheduled.is_finalised = True
                scheduled.final_turn = next(self._turns)
            if len(chunks) > len(chosen):
                self._final_news.set()
            return chosen

    def _most_urgent_chunks(self, chunks: SessionTasks) -> SessionTasks:
        """Who has stopped comes first and alone; the others have time, and in one go they cost less."""
        chunks = sorted(chunks, key=lambda each: (not each[0].transcriber.is_stopping, each[0].final_turn))
        if not chunks or chunks[0][0].transcriber.is_stopping or not self._options.catch_up:
            return chunks[:1]
        return chunks[: min(-(-len(chunks) // self._parallel), MOST_CHUNKS_TOGETHER)]

    def _or_drop(self, scheduled: ScheduledSession, work: Callable[..., _R], *arguments: object) -> _R | None:
        """What nobody foresaw costs one speaker the text, not everybody."""
        try:
            return work(*arguments)
        except Exception as error:  # noqa: BLE001
            log.error("A speaker was given up: %s", type(error).__name__)
            self.remove(scheduled.session)
            return None

    def _present(self) -> list[ScheduledSession]:
        with self._lock:
            return list(self._sessions)

    def _serve(self, scheduled: ScheduledSession, task: Task) -> None:
        began_s = time.monotonic()
        due_s = self._begin(scheduled, task, began_s)
        words = self._decode(task, scheduled.lexicon)
        if words is None and task.kind == "rest":
            words = self._decode(task, scheduled.lexicon)
        self._note_wait(due_s)
        self._take(scheduled, task, words or (), began_s)
        scheduled.is_apart = scheduled.is_apart and words is None

    def _serve_together(self, turns: SessionTasks) -> None:
        """Decode for several speakers at once; where that fails, each of them has the next turn alone."""
        began_s = time.monotonic()
        due_s = min(self._begin(scheduled, task, began_s) for scheduled, task in turns)
        heard = self._decode_together(turns)
        self._note_wait(due_s)
        if heard is None:
            for scheduled, _ in turns:
                scheduled.is_apart, scheduled.is_served = True, False
            return
        for (scheduled, task), words in zip(turns, heard, strict=True):
            self._or_drop(scheduled, self._repair_and_take, scheduled, task, words, began_s)

    def _decode_together(self, turns: SessionTasks) -> list[tuple[Word, ...]] | None:
        """None where that failed: whose fault it was shows when each is decoded alone."""
        try:
            windows = [task.window for _, task in turns]
            with self.observer.decoding(DecodeRequest(_work(turns[0][1]), windows)):
                return self.engine.decode_all(windows, turns[0][1].decoding)
        except Exception as error:  # noqa: BLE001
            log.warning("%d windows could not be decoded together: %s", len(turns), type(error).__name__)
            return None

    def _repair_and_take(
        self, scheduled: ScheduledSession, task: Task, words: tuple[Word, ...], began_s: float
    ) -> None:
        """With the repair in it, so that one that fails costs its own session only."""
        self._take(scheduled, task, scheduled.lexicon.repair(words), began_s)

    def _begin(self, scheduled: ScheduledSession, task: Task, now_s: float) -> float:
        """Since when a task would have been due, were previews as frequent as they should be."""
        due_s = now_s if scheduled.due_since_s is None else scheduled.due_since_s
        scheduled.due_since_s = None
        scheduled.live_turn = next(self._turns)
        self.observer.waited("live", now_s - due_s)
        has_waited_for_more = task.kind == "preview" and not task.in_pause
        return due_s - scheduled.transcriber.slowed_s if has_waited_for_more else due_s

    def _take(self, scheduled: ScheduledSession, task: Task, words: tuple[Word, ...], began_s: float) -> None:
        if task.kind == "preview" and self._options.catch_up:
            scheduled.transcriber.slow_down((time.monotonic() - began_s) / self._limits.preview_share)
        scheduled.transcriber.accept(task, words)
        scheduled.session.show()
        scheduled.is_served = False

    def _finalise(self, scheduled: ScheduledSession, chunk: Task, heard: tuple[Word, ...] | None) -> None:
        """Take what was heard together with others' chunks, or hear it alone, twice if need be."""
        if heard is not None:
            words: tuple[Word, ...] | None = scheduled.lexicon.repair(heard)
        else:
            words = self._decode(chunk, scheduled.lexicon)
            if words is None:
                words = self._decode(chunk, scheduled.lexicon)
        if words is None:
            span = f"{chunk.window.start_s:.0f} to {chunk.end_s:.0f} s"
            scheduled.session.problem = f"The words from {span} could not be recognised; the recording is kept."
        scheduled.transcriber.accept(chunk, words or ())
        scheduled.is_finalised = False

    def _decode(self, task: Task, lexicon: Lexicon) -> tuple[Word, ...] | None:
        try:
            with self.observer.decoding(DecodeRequest(_work(task), [task.window])):
                words = self.engine.decode(task.window, task.decoding)
            return lexicon.repair(words)
        except EngineError as error:
            log.warning("%s (%s of %.1f s)", error, task.kind, task.window.duration_s)
            return None

    def _note_wait(self, due_s: float) -> None:
        weight = self._limits.wait_smoothing
        self._noted_s = time.monotonic()
        self._wait_s = (1 - weight) * self._wait_s + weight * (self._noted_s - due_s)

    def _work_on_upload(self) -> bool:
        with self._final_choice:
            if not self._uploads:
                return False
            upload = self._uploads.popleft()
            if self._uploads:
                self._final_news.set()
        upload.step(self.engine, self.observer)
        if not upload.done.is_set():
            self._uploads.append(upload)
        return True


def _work(task: Task) -> Work:
    return "final" if task.kind == "final" else "live"
