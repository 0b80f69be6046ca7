"""One speaker's live text: what to decode next, and what becomes of the answer.

Audio is clocked in samples, never by the wall. A window is open from the last cut to the newest sample; it is decoded
again and again as it grows, and words on which two decodes in a row agree, or of which one is sure, are committed. At
a pause the window is cut and what is left of its words is committed too. Cuts fall into pauses, never into a word, and
the longer a window is, the shorter a pause will do. Windows that were cut are gathered into chunks long enough to be
understood, and each chunk is decoded once more, carefully: these are the segments of the final text, nearly all of
which is there before anybody presses Stop.

This module knows nothing of threads or engines: it hands out `Task`s and takes their words back.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from endoscribe.audio import SAMPLE_RATE, Samples
from endoscribe.speech.agreement import AgreementOptions, HypothesisBuffer
from endoscribe.speech.endpointing import (
    ENDPOINT_SILENCES_S,
    FRAME_S,
    FRAME_SAMPLES,
    SileroDetector,
    SpeechActivity,
    SpeechDetector,
)
from endoscribe.speech.engine import FINAL, PREVIEW, REST, Decoding, Window
from endoscribe.transcript import LiveTranscript, Segment, Transcript, Word

#: Where chunks wait for their careful decode, previews leave the engine to them: so many times rarer at most.
RAREST_PREVIEWS = 4
#: Audio is looked at in steps of 128 ms.
STEP_SAMPLES = 4 * FRAME_SAMPLES


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """The pace of live text and the places where it may be cut; seconds of audio."""

    hop_s: float = 0.9  # new audio between two decodes of a window
    first_hop_s: float = 0.5  # speech before the first decode of a window
    preview_silence_s: float = 0.25  # so much silence after speech starts a decode at once; it cuts nothing
    lead_s: float = 0.4  # kept before the first speech of a window, so that no onset is lost
    trail_s: float = 0.3  # kept after the last speech of a chunk
    min_window_s: float = 1.0
    max_window_s: float = 18.0  # from here on the quietest moment must do
    chunk_s: float = 20.0  # windows are gathered until they last so long: the more context, the fewer errors
    max_chunk_s: float = 28.0  # Whisper hears 30 s
    chunk_gap_s: float = 2.0  # a silence this long ends a chunk
    min_speech_s: float = 0.1  # less is a click or a cough, not a word
    agreement: AgreementOptions = field(default_factory=AgreementOptions)
    #: The endpoint rule: (an open window at least so long, ends at a silence so long). The longer, the shorter.
    endpoint_silences_s: tuple[tuple[float, float], ...] = ENDPOINT_SILENCES_S
    #: True while somebody listens: a preview hears all that has arrived. False replays the pace of a machine that is
    #: never late, so that the same audio always gives the same live text.
    catch_up: bool = True


@dataclass(frozen=True, eq=False)
class _Cut:
    """Audio that was cut off at a pause."""

    samples: Samples
    start_s: float
    end_s: float
    words: HypothesisBuffer
    #: The terms listened for when it was spoken.
    vocabulary: str

    @property
    def window(self) -> Window:
        return Window(self.samples, self.start_s, self.vocabulary)


@dataclass(frozen=True, eq=False)
class Task:
    """A window to decode for one speaker; `end_s` is where it ends in the recording.

    A `preview` shows the open window, `rest` commits what is left of one that was cut, `final` is a finished chunk.
    """

    kind: Literal["preview", "rest", "final"]
    window: Window
    end_s: float
    decoding: Decoding
    #: Whether the window ends in silence, so that no word is cut off at its edge.
    in_pause: bool = False


class LiveTranscriber:
    """The live transcript of one recording, from its first sample to its last.

    Three threads may share one: `insert` and `stop` belong to the first, `next_task` and the tasks that it gives to the
    second, `next_chunk` and its tasks to the third.
    """

    def __init__(
        self, vocabulary: str = "", options: LiveOptions | None = None, detector: SpeechDetector | None = None
    ) -> None:
        self._options = options or LiveOptions()
        self._detector = detector or SileroDetector()
        self._activity = SpeechActivity()
        self._hop_s = self._options.hop_s
        self._vocabulary = self._window_vocabulary = vocabulary
        self._waiting: deque[Samples | str] = deque()  # inserted and not yet looked at; texts are vocabularies
        self._unframed = np.zeros(0, np.float32)
        self._open = np.zeros(0, np.float32)  # the window's audio, from frame self._activity.start_frame on
        self._rests: deque[_Cut] = deque()  # cut before a preview had heard all of it
        self._gathered: list[_Cut] = []  # cut and not yet enough for a chunk
        self._chunks: deque[_Cut] = deque()  # waiting for their careful decode
        self._decoded_until_s = 0.0
        self._committed: list[Word] = []
        self._words = HypothesisBuffer(self._options.agreement)
        self._segments: list[Segment] = []
        self._samples = 0
        self._taken = 0
        self._stopping = False
        self._stopped = False

    @property
    def live(self) -> LiveTranscript:
        return LiveTranscript(tuple(self._committed), self._words.tentative)

    @property
    def audio_s(self) -> float:
        """Seconds received so far."""
        return self._samples / SAMPLE_RATE

    @property
    def transcript(self) -> Transcript:
        """The final text of all chunks closed and decoded so far."""
        return Transcript.from_segments(self._segments, self.audio_s)

    @property
    def taken(self) -> int:
        """How many answers it has taken: while that grows, there is progress."""
        return self._taken

    @property
    def is_stopping(self) -> bool:
        """Whether the recording has ended: somebody waits for its final text."""
        return self._stopping

    @property
    def is_finished(self) -> bool:
        """Whether the recording has ended and all of it is in `transcript`."""
        return self._stopped and not self._rests and not self._chunks

    def change_vocabulary(self, vocabulary: str) -> None:
        """Terms to listen for from the next window on; what was said before keeps those of its time."""
        self._waiting.append(vocabulary)

    def slow_down(self, hop_s: float) -> None:
        """Leave at least this much new audio between two previews, a multiple of it where final text is waiting."""
        waiting = min(max(1, len(self._chunks)), RAREST_PREVIEWS)
        self._hop_s = max(self._options.hop_s, waiting * hop_s)

    @property
    def slowed_s(self) -> float:
        """How much longer than wanted it is at present from one preview to the next."""
        return self._hop_s - self._options.hop_s

    def insert(self, samples: Samples) -> None:
        """Take float32 mono 16 kHz samples of any number; cheap, the work is done by `next_task`."""
        self._samples += len(samples)
        self._waiting.append(samples)

    def stop(self) -> None:
        """No more samples will come: what is open becomes the last chunk, whether or not it ends in a pause."""
        self._stopping = True

    def next_task(self) -> Task | None:
        """What to decode now for the live text, what was cut first; None when there is nothing new to hear."""
        while not self._rests and not self._must_preview_now() and self._take_step():
            pass
        if self._rests:
            return Task("rest", self._rests[0].window, self._rests[0].end_s, REST)
        if self._stopped or not self._is_preview_due():
            return None
        window = Window(self._open, self._start_s, self._window_vocabulary)
        return Task("preview", window, self._edge_s, PREVIEW, self._silence_s() >= self._options.preview_silence_s)

    def next_chunk(self) -> Task | None:
        """The next piece of the final text that can be decoded; None while there is none.

        The final text may be decoded on a thread of its own, beside the live text.
        """
        if not self._chunks:
            return None
        return Task("final", self._chunks[0].window, self._chunks[0].end_s, FINAL)

    def accept(self, task: Task, words: Sequence[Word]) -> None:
        """Take the words of the task that `next_task` or `next_chunk` gave last."""
        self._taken += 1
        if task.kind == "final":
            if words:
                self._segments.append(Segment(tuple(words)))
            self._chunks.popleft()
        elif task.kind == "rest":
            self._committed += self._rests.popleft().words.flush(words)
        else:
            self._decoded_until_s = task.end_s
            self._committed += self._words.insert(words, task.end_s, task.in_pause)

    def _take_step(self) -> bool:
        """Look at the next STEP_SAMPLES, so that what is cut depends on the audio alone and not on how it arrived."""
        while len(self._unframed) < STEP_SAMPLES and self._waiting:
            news = self._waiting.popleft()
            if isinstance(news, str):
                self._vocabulary = news
            else:
                self._unframed = np.concatenate([self._unframed, news])
        if len(self._unframed) >= STEP_SAMPLES:
            step, self._unframed = self._unframed[:STEP_SAMPLES], self._unframed[STEP_SAMPLES:]
            self._look_at(step)
            return True
        if self._stopping and not self._waiting and not self._stopped:
            self._look_at(np.concatenate([self._unframed, np.zeros(-len(self._unframed) % FRAME_SAMPLES, np.float32)]))
            self._cut(self._activity.end_frame)
            self._finish_chunk()
            self._stopped = True
        return False

    def _look_at(self, samples: Samples) -> None:
        if self._activity.first_speech() is None:
            self._window_vocabulary = self._vocabulary
        self._activity.extend(self._detector.insert(samples))
        self._open = np.concatenate([self._open, samples])
        self._drop_silence()
        while (cut := self._find_cut()) is not None:
            self._cut(cut)
        if self._gathered and self._start_s - self._gathered[-1].end_s > self._options.chunk_gap_s:
            self._finish_chunk()

    @property
    def _start_s(self) -> float:
        return self._activity.start_frame * FRAME_S

    @property
    def _edge_s(self) -> float:
        return self._activity.end_frame * FRAME_S

    def _silence_s(self) -> float:
        """How long it has been silent since the last speech of the open window."""
        last = self._activity.last_speech()
        return 0.0 if last is None else self._edge_s - (last + 1) * FRAME_S

    def _is_preview_due(self) -> bool:
        first, last = self._activity.first_speech(), self._activity.last_speech()
        if first is None or last is None or (last + 1) * FRAME_S <= self._decoded_until_s:
            return False
        if not self._holds_speech(self._activity.end_frame):
            return False
        if self._silence_s() >= self._options.preview_silence_s:
            return True
        if self._nothing_decoded():
            return self._edge_s - first * FRAME_S >= max(self._options.first_hop_s, self.slowed_s)
        return self._edge_s - self._decoded_until_s >= self._hop_s

    def _holds_speech(self, until: int) -> bool:
        return self._activity.speech_frames(until) * FRAME_S >= self._options.min_speech_s

    def _must_preview_now(self) -> bool:
        return not self._options.catch_up and self._is_preview_due()

    def _drop_silence(self) -> None:
        """Forget audio before the first speech, but for the lead."""
        first = self._activity.first_speech()
        speech = self._activity.end_frame if first is None else first
        keep_from = speech - round(self._options.lead_s / FRAME_S)
        if keep_from > self._activity.start_frame and self._nothing_decoded():
            self._advance(keep_from)

    def _nothing_decoded(self) -> bool:
        return self._decoded_until_s <= self._start_s

    def _find_cut(self) -> int | None:
        first = self._activity.first_speech()
        if first is None:
            return None
        options = self._options
        length_s = (self._activity.end_frame - first) * FRAME_S
        needed_s = next(silence for length, silence in options.endpoint_silences_s if length_s >= length)
        earliest = first + round(options.min_window_s / FRAME_S)
        pause = self._activity.longest_pause(earliest, self._activity.end_frame)
        if pause and (pause[1] - pause[0]) * FRAME_S >= needed_s:
            return min(pause[1], pause[0] + round(options.trail_s / FRAME_S))
        if length_s >= options.max_window_s:
            half = first + round(options.max_window_s / 2 / FRAME_S)
            return self._activity.quietest(half, self._activity.end_frame - round(1.0 / FRAME_S)) + 1
        return None

    def _cut(self, frame: int) -> None:
        """End the window at `frame`; where it holds speech, commit its words and keep its audio for the final text."""
        samples = self._open[: (frame - self._activity.start_frame) * FRAME_SAMPLES]
        cut = _Cut(samples, self._start_s, frame * FRAME_S, self._words, self._window_vocabulary)
        if self._holds_speech(frame):
            self._gather(cut)
            if self._words.is_sure and self._decoded_until_s >= self._activity.speech_end(frame) * FRAME_S:
                self._committed += self._words.flush_as_shown(cut.end_s)
            else:
                self._rests.append(cut)
        self._words, self._window_vocabulary = self._words.after(cut.end_s), self._vocabulary
        self._advance(frame)
        self._decoded_until_s = self._start_s
        self._drop_silence()

    def _gather(self, cut: _Cut) -> None:
        if self._gathered and (
            cut.end_s - self._gathered[0].start_s > self._options.max_chunk_s
            or cut.vocabulary != self._gathered[0].vocabulary
        ):
            self._finish_chunk()
        self._gathered.append(cut)
        if cut.end_s - self._gathered[0].start_s >= self._options.chunk_s:
            self._finish_chunk()

    def _finish_chunk(self) -> None:
        """What was gathered becomes a chunk of the final text; where silence was dropped it is silent again."""
        if not self._gathered:
            return
        start_s, end_s = self._gathered[0].start_s, self._gathered[-1].end_s
        samples = np.zeros(round((end_s - start_s) * SAMPLE_RATE), np.float32)
        for cut in self._gathered:
            first = round((cut.start_s - start_s) * SAMPLE_RATE)
            samples[first : first + len(cut.samples)] = cut.samples
        last = self._gathered[-1]
        self._chunks.append(_Cut(samples, start_s, end_s, last.words, last.vocabulary))
        self._gathered.clear()

    def _advance(self, frame: int) -> None:
        self._open = self._open[(frame - self._activity.start_frame) * FRAME_SAMPLES :]
        self._activity.drop_until(frame)
