"""A whole recording on its way through the engine: cut where nobody speaks, decoded one window after another."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from endoscribe.audio import SAMPLE_RATE, Samples
from endoscribe.errors import EngineError
from endoscribe.speech.engine import FINAL, Engine, Window
from endoscribe.speech.observer import DecodeRequest, SpeechObserver
from endoscribe.speech.terms.lexicon import Lexicon
from endoscribe.transcript import Segment

log = logging.getLogger(__name__)

OnProgress = Callable[[float], None]


class Upload:
    """A whole recording, decoded window by window between the speakers' turns."""

    def __init__(
        self,
        samples: Samples,
        vocabulary: str,
        lexicon: Lexicon,
        on_progress: OnProgress | None,
        cancelled: threading.Event | None,
    ) -> None:
        self.samples = samples
        self.done = threading.Event()
        self.error: EngineError | None = None
        self.segments: list[Segment] = []
        self._vocabulary, self._lexicon = vocabulary, lexicon
        self._on_progress = on_progress
        self._cancelled = cancelled or threading.Event()
        self._parts: deque[tuple[float, float]] | None = None
        self._asked_s = time.monotonic()

    def step(self, engine: Engine, observer: SpeechObserver) -> None:
        """Do the next bit of work; `done` is set after the last."""
        try:
            self._step(engine, observer)
        except EngineError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001  (whatever it was, the thread must go on for everybody else)
            log.error("A recording could not be transcribed: %s", type(error).__name__)
            self.error = EngineError("Something went wrong while the recording was transcribed; it is kept.")
        if self.error or not self._parts:
            self.done.set()

    def _step(self, engine: Engine, observer: SpeechObserver) -> None:
        if self._cancelled.is_set():
            raise EngineError("The transcription was cancelled.")
        if self._parts is None:
            observer.waited("upload", time.monotonic() - self._asked_s)
            self._parts = deque(engine.split(self.samples))
            return
        start_s, end_s = self._parts.popleft()
        samples = self.samples[int(start_s * SAMPLE_RATE) : int(end_s * SAMPLE_RATE)]
        window = Window(samples, start_s, self._vocabulary)
        with observer.decoding(DecodeRequest("upload", [window])):
            heard = engine.decode(window, FINAL)
        words = self._lexicon.repair(heard)
        if words:
            self.segments.append(Segment(words))
        if self._on_progress:
            self._on_progress(end_s * SAMPLE_RATE / len(self.samples))
