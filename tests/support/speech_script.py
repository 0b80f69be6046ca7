"""Speech without a model: timed words, an engine that hears them, and a detector that knows when they sound."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from endoscribe.audio import SAMPLE_RATE
from endoscribe.errors import EngineError
from endoscribe.speech.endpointing import FRAME_SAMPLES
from endoscribe.speech.engine import Decoding, Window
from endoscribe.transcript import LiveTranscript, Word

Samples = npt.NDArray[np.float32]


def words_at(
    text: str, start_s: float = 0.5, word_s: float = 0.3, pause_after: dict[str, float] | None = None
) -> tuple[Word, ...]:
    """The words of `text` one after the other; `pause_after` gives the silence after a word, in seconds."""
    words, at_s = [], start_s
    for each in text.split():
        words.append(Word(each, at_s, at_s + word_s, 0.9))
        at_s += word_s + (pause_after or {}).get(each, 0.0)
    return tuple(words)


def audio_of(words: Sequence[Word], tail_s: float = 1.5) -> Samples:
    """Audio that is 0.5 while a word sounds and 0 between."""
    samples = np.zeros(int((words[-1].end_s + tail_s) * SAMPLE_RATE), np.float32)
    for word in words:
        samples[int(word.start_s * SAMPLE_RATE) : int(word.end_s * SAMPLE_RATE)] = 0.5
    return samples


class LevelDetector:
    """Speech is where there is sound."""

    def insert(self, samples: Samples) -> list[float]:
        frames = samples.reshape(-1, FRAME_SAMPLES)
        return [float(np.abs(frame).mean() > 0.05) for frame in frames]


@dataclass
class HearingEngine:
    """Hears the words of a script that lie within a window; a word cut by the window's end is heard wrong.

    `gate` holds every decode back until it is set; `failures` is how many decodes raise before it works.
    """

    words: Sequence[Word]
    name: str = "hearing"
    failures: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    started: threading.Event = field(default_factory=threading.Event)
    decoded: list[tuple[Window, Decoding]] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    problem: str | None = None

    def __post_init__(self) -> None:
        self.gate.set()

    def decode(self, window: Window, decoding: Decoding) -> tuple[Word, ...]:
        self.started.set()
        if not self.gate.wait(30):
            raise EngineError("The gate was never opened.")
        self.decoded.append((window, decoding))
        if self.failures:
            self.failures -= 1
            raise EngineError("Speech recognition failed on a stretch of audio.")
        end_s = window.start_s + window.duration_s
        inside = [word for word in self.words if window.start_s <= (word.start_s + word.end_s) / 2 < end_s]
        return tuple(
            word if word.end_s <= end_s else Word(word.text[:1] + "...", word.start_s, end_s, 0.3) for word in inside
        )

    def decode_all(self, windows: Sequence[Window], decoding: Decoding) -> list[tuple[Word, ...]]:
        self.batches.append(len(windows))
        return [self.decode(window, decoding) for window in windows]

    def close(self) -> None:
        """It holds nothing."""

    def split(self, samples: Samples) -> list[tuple[float, float]]:
        duration_s = len(samples) / SAMPLE_RATE
        return [(start_s, min(start_s + 5.0, duration_s)) for start_s in np.arange(0.0, duration_s, 5.0)]


def ignore(_live: LiveTranscript) -> None:
    """A listener that does not care."""
