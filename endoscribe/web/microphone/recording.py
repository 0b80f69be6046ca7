"""One dictation while it comes in: frames to disk, samples to the speaker, text back, whatever carries them.

The state is what counts, not the messages: every connection has a `ClientView` of what it was told, and `news` is the
difference. A connection that breaks and comes back, or a second transport, therefore needs nothing special.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from endoscribe.audio import BYTES_PER_SAMPLE
from endoscribe.errors import EndoscribeError, StorageError, UnknownSessionError
from endoscribe.extraction.record import Record
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.services import Services
from endoscribe.storage.sessions import AudioLog, Session
from endoscribe.transcript import LiveTranscript, Segment, Transcript
from endoscribe.web.job import transcribe
from endoscribe.web.microphone.live_feed import LiveFeed
from endoscribe.web.microphone.protocol import (
    Ack,
    Final,
    Frame,
    Live,
    Notice,
    Preview,
    PreviewPanels,
    ServerMessage,
    Stopped,
)

log = logging.getLogger(__name__)

#: Frames are forced onto the disk, and so acknowledged, at most this long after they came.
SYNC_AFTER_S = 0.3
#: The table that fills while somebody speaks is made anew at most this often.
PREVIEW_EVERY_S = 1.5
#: How far ahead of a gap frames are kept, in samples' worth of seconds; what lies beyond is sent again anyway.
REORDER_S = 30
#: So many frames wait for a missing one; of the browser's 200 ms frames 150 fill that time.
MOST_WAITING = 1500
#: A recording that nobody is connected to stays open so long, then it is kept as interrupted.
ABANDONED_AFTER_S = 120.0
#: Whoever speaks is told so long before the longest dictation ends.
LAST_WARNING_S = 60

#: Frames have threads of their own, so that no slow recognition or reading keeps them from the disk.
_DISK = ThreadPoolExecutor(4, "disk")

#: How the page shows the record of what was said so far.
Presenter = Callable[[Record, ProcedureSchema], PreviewPanels]

_R = TypeVar("_R")


async def on_disk(work: Callable[..., _R], *arguments: object) -> _R:
    """Blocking work on one of the threads that are kept for the disk."""
    return await asyncio.get_running_loop().run_in_executor(_DISK, work, *arguments)


@dataclass
class ClientView:
    """What one connection was told so far."""

    words: int = 0
    tentative: str = ""
    acknowledged: int = -1
    preview: int = 0
    notice: str | None = None
    stopped: bool = False
    final: bool = False


class Recording:
    """Takes the frames of one session in any order, any number of times, and stores each sample once."""

    def __init__(self, session: Session, services: Services, present: Presenter) -> None:
        """Go on where the session's stored audio ends; raises StorageError."""
        self.session = session
        self._services = services
        self._present = present
        self._sessions = services.sessions
        self._metrics = services.metrics
        self._schema = services.schemas.get(session.procedure)
        self._audio: AudioLog | None = None if session.complete else services.sessions.open_audio(session.id)
        self._samples = self._synced = self._audio.synced if self._audio else services.sessions.sample_count(session.id)
        self._waiting: dict[int, Frame] = {}
        self._written: deque[Frame] = deque()
        self._sequence: int | None = None
        self._stop_at: int | None = None
        self._feed = LiveFeed(services, session, self._on_live)
        self._live = LiveTranscript()
        self._preview: Preview | None = None
        self._previewed_words = 0
        self._notice: str | None = None
        self._stopped = session.complete
        self._final: Final | None = self._final_as_stored() if self._stopped else None
        self._lock = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._listeners: set[asyncio.Event] = set()
        self.last_heard_of_s = time.monotonic()

    @property
    def samples(self) -> int:
        """How many samples are safe on disk."""
        return self._synced

    @property
    def is_stopped(self) -> bool:
        return self._stopped

    @property
    def is_abandoned(self) -> bool:
        return not self._listeners and time.monotonic() - self.last_heard_of_s > ABANDONED_AFTER_S

    @contextmanager
    def connected(self) -> Iterator[asyncio.Event]:
        """While a connection lasts; the event is set whenever there may be news."""
        changed = asyncio.Event()
        changed.set()
        self._listeners.add(changed)
        try:
            yield changed
        finally:
            self._listeners.discard(changed)
            self.last_heard_of_s = time.monotonic()

    def news(self, view: ClientView) -> Iterator[ServerMessage]:
        """What the connection does not know yet; afterwards it does."""
        if view.acknowledged != self._synced:
            view.acknowledged = self._synced
            yield Ack(sequence=self._sequence, samples=self._synced)
        yield from self._news_of_text(view)
        if self._preview and self._preview.number > view.preview:
            view.preview = self._preview.number
            yield self._preview
        if view.notice != self._notice:
            view.notice = self._notice
            yield Notice(text=self._notice)
        if self._stopped and not view.stopped:
            view.stopped = True
            yield Stopped(samples=self._synced)
        if self._final and not view.final:
            view.final = True
            yield self._final

    async def accept(self, frames: Sequence[Frame]) -> None:
        """Store what is new in these frames; raises StorageError, after which they must be sent again."""
        self.last_heard_of_s = time.monotonic()
        self._metrics.frames.inc(len(frames))
        self._metrics.frame_bytes.inc(sum(len(frame.pcm) for frame in frames))
        if self._stopped:
            return
        async with self._lock:
            if self._audio is None:
                return
            for frame in frames:
                if self._is_wanted(frame):
                    self._waiting[frame.first_sample] = frame
            with self._metrics.storage_failures.count_exceptions(StorageError):
                await on_disk(self._store_waiting)
        self._run("sync", self._sync_soon())
        await self._complete_if_all_there()

    async def settle(self) -> None:
        """Make what was accepted safe now instead of soon."""
        await self._sync()

    async def choose(self, procedure: str) -> None:
        """Go on for another procedure; raises SchemaError."""
        schema = self._services.schemas.get(procedure)
        if schema.id == self._schema.id:
            return
        self._schema = schema
        self.session = await on_disk(self._sessions.set_procedure, self.session.id, procedure)
        self._feed.change_procedure(schema)
        self._previewed_words = 0
        self._preview_if_due()

    async def pause(self, sample: int) -> None:
        self.session = await on_disk(self._sessions.add_pause, self.session.id, sample)

    async def stop(self, samples: int) -> None:
        """The recording ends after so many samples; finish as soon as they are all there."""
        self._stop_at = samples
        await self._complete_if_all_there()

    async def close(self) -> None:
        """Let go of the speaker and the file; a recording without a Stop is kept as interrupted."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        async with self._lock:
            self._feed.close()
        try:
            with suppress(UnknownSessionError):
                await on_disk(self._leave_interrupted)
        finally:
            await self.let_go_of_audio()

    async def let_go_of_audio(self) -> None:
        """From here on another program may write or move it."""
        async with self._lock:
            if self._audio:
                try:
                    await on_disk(self._audio.sync)
                finally:
                    self._audio.close()
                    self._audio = None

    def _leave_interrupted(self) -> None:
        """A recording without a Stop, or whose Stop could not be written down."""
        if self._sessions.get(self.session.id).state == "recording":
            self._sessions.set_state(self.session.id, "interrupted")
            self._metrics.recordings.labels("interrupted").inc()

    def _news_of_text(self, view: ClientView) -> Iterator[Live]:
        words = self._live.committed
        if view.words != len(words) or view.tentative != self._live.tentative_text:
            first = min(view.words, len(words))
            view.words, view.tentative = len(words), self._live.tentative_text
            committed = tuple(word.text for word in words[first:])
            yield Live(from_word=first, committed=committed, tentative=view.tentative)

    def _store_waiting(self) -> None:
        """Append every waiting frame that joins what is stored, and let the speaker hear it."""
        assert self._audio is not None  # noqa: S101  (nobody closes it meanwhile)
        most = int(self._services.settings.longest_audio_minutes * 60 * self.session.sample_rate)
        while frame := self._next_frame():
            pcm = frame.pcm[(self._samples - frame.first_sample) * BYTES_PER_SAMPLE :]
            pcm = pcm[: max(0, most - self._samples) * BYTES_PER_SAMPLE]
            self._audio.append(pcm)
            self._samples = self._audio.samples
            del self._waiting[frame.first_sample]
            self._written.append(frame)
            self._feed.hear(pcm, self._samples)
            self._notice = self._feed.excuse or self._end_is_near(most - self._samples)
            if self._samples >= most:
                self._stop_at = self._samples
                self._notice = "The longest dictation that is accepted was reached; it is saved."

    def _end_is_near(self, samples_left: int) -> str | None:
        is_near = samples_left <= LAST_WARNING_S * self.session.sample_rate
        return "This dictation ends soon: it is nearly the longest that is accepted." if is_near else None

    @property
    def waiting_bytes(self) -> int:
        """How much is kept in memory because something before it is missing."""
        return sum(len(frame.pcm) for frame in self._waiting.values())

    def _is_wanted(self, frame: Frame) -> bool:
        """Whether it joins what is stored, or there is room for it until it does; what is refused is sent again."""
        ahead = REORDER_S * self.session.sample_rate
        if frame.end_sample <= self._samples or frame.end_sample > self._samples + ahead:
            return False
        has_room = len(self._waiting) < MOST_WAITING and self.waiting_bytes <= ahead * BYTES_PER_SAMPLE
        return frame.first_sample <= self._samples or has_room

    def _next_frame(self) -> Frame | None:
        for first, frame in list(self._waiting.items()):
            if frame.end_sample <= self._samples:
                del self._waiting[first]
            elif first <= self._samples:
                return frame
        return None

    def _run(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start a task of this name unless it is running."""
        running = self._tasks.get(name)
        if running and not running.done():
            work.close()
        else:
            self._tasks[name] = asyncio.create_task(work)

    def _tell(self) -> None:
        for changed in self._listeners:
            changed.set()

    async def _sync_soon(self) -> None:
        await asyncio.sleep(SYNC_AFTER_S)
        await self._sync()

    async def _sync(self) -> None:
        """Acknowledge what is certain; after a failure the disk holds less, and the browser sends the rest again."""
        async with self._lock:
            if self._audio is None:
                return
            try:
                with self._metrics.disk_sync.time(), self._metrics.storage_failures.count_exceptions(StorageError):
                    await on_disk(self._audio.sync)
            except StorageError as error:
                self._notice = str(error)
            self._samples, self._synced = self._audio.samples, self._audio.synced
            while self._written and self._written[0].end_sample <= self._synced:
                self._sequence = self._written.popleft().sequence
        self._tell()

    async def _complete_if_all_there(self) -> None:
        if self._stopped or self._stop_at is None or self._samples < self._stop_at:
            return
        await self._sync()
        if self._synced >= self._stop_at and not self._stopped:
            self._stopped = True
            self._run("finish", self._finish())

    async def _finish(self) -> None:
        """Close the audio, get the last words, keep the transcript."""
        problem = None
        try:
            await on_disk(self._sessions.set_complete, self.session.id)
            self._metrics.recordings.labels("complete").inc()
            await self.let_go_of_audio()
            self._tell()
            await asyncio.to_thread(self._keep_transcript)
        except EndoscribeError as error:
            problem = str(error)
            log.warning("A recording was kept without a transcript: %s", error)
        except Exception as error:  # noqa: BLE001  (whatever it was, the page must not wait for ever)
            problem = "Something went wrong while the text was made."
            log.error("A recording was kept without a transcript: %s", type(error).__name__)
        if problem:
            self._metrics.transcripts_missing.inc()
        self._notice = None
        self._final = Final(session=self.session.id, problem=problem)
        self._tell()

    def _keep_transcript(self) -> None:
        if self._samples == 0:
            raise StorageError("Nothing was recorded.")
        transcript = self._feed.finish()
        if transcript is None:
            transcribe(self._services, self.session.id)
        else:
            self._sessions.save_transcript(self.session.id, transcript, self._feed.problem)

    def _final_as_stored(self) -> Final:
        missing = self._sessions.transcript(self.session.id) is None
        problem = "The recording is saved, but not transcribed yet." if missing else None
        return Final(session=self.session.id, problem=problem)

    def _on_live(self, live: LiveTranscript) -> None:
        """Called on the engine's thread."""
        try:
            self._loop.call_soon_threadsafe(self._take_live, live)
        except RuntimeError:
            log.debug("Live text came after the server had closed.")

    def _take_live(self, live: LiveTranscript) -> None:
        self._live = live
        self._tell()
        self._preview_if_due()

    def _preview_if_due(self) -> None:
        if len(self._live.committed) != self._previewed_words and self._final is None:
            self._run("preview", self._preview_committed())

    async def _preview_committed(self) -> None:
        """Fill the table from the committed words, off the event loop, until there are no new ones."""
        while len(self._live.committed) != self._previewed_words and self._final is None:
            words, schema = self._live.committed, self._schema
            number = self._preview.number + 1 if self._preview else 1
            try:
                self._preview = await asyncio.to_thread(self._read, words_as_transcript(self._live), schema, number)
            except EndoscribeError:
                log.exception("The table could not be filled while somebody spoke.")
            self._previewed_words = len(words)
            self._tell()
            await asyncio.sleep(PREVIEW_EVERY_S)

    def _read(self, transcript: Transcript, schema: ProcedureSchema, number: int) -> Preview:
        record = self._services.preview(transcript, schema)
        return Preview(number=number, **self._present(record, schema))


def words_as_transcript(live: LiveTranscript) -> Transcript:
    """The committed words alone, with the times that they have so far."""
    words = live.committed
    return Transcript.from_segments([Segment(words)] if words else [], words[-1].end_s if words else 0.0)
