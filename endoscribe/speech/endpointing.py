"""Where speech is and where it pauses, frame by frame, with a state of its own for each speaker.

Silero's voice detector (its ONNX file ships inside faster-whisper) gives the probability of speech for each 32 ms. From
these the live transcript learns when there is something to decode, and where an utterance ends: `ENDPOINT_SILENCES_S`.
"""

from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from endoscribe.audio import SAMPLE_RATE, Samples

FRAME_SAMPLES = 512  # Silero's frame at 16 kHz
FRAME_S = FRAME_SAMPLES / SAMPLE_RATE
_CONTEXT_SAMPLES = 64  # of the frame before, which Silero sees again

#: Above: speech. Below: silence. Silero's own defaults: `threshold` and `threshold - 0.15` of `get_speech_timestamps`.
SPEECH_PROBABILITY = 0.5
SILENCE_PROBABILITY = 0.35

#: Where an utterance ends: in a window at least so long, at a silence at least so long. A window that has become long
#: may end at a shorter one, so that text is committed soon and a decode stays short; the first row that fits holds.
ENDPOINT_SILENCES_S = ((12.0, 0.19), (8.0, 0.32), (4.0, 0.6), (0.0, 0.9))


class SpeechDetector(Protocol):
    """Probabilities of speech, 0 to 1, one a frame; samples come in whole frames."""

    def insert(self, samples: Samples) -> list[float]: ...


class SileroDetector:
    """Silero's recurrent detector for one stream of audio."""

    def __init__(self) -> None:
        self._hidden = np.zeros((1, 1, 128), np.float32)
        self._cell = np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros(_CONTEXT_SAMPLES, np.float32)

    def insert(self, samples: Samples) -> list[float]:
        """Float32 mono 16 kHz, a multiple of FRAME_SAMPLES long; returns a probability a frame."""
        if not len(samples):
            return []
        frames = samples.reshape(-1, FRAME_SAMPLES)
        before = np.vstack([self._context[None], frames[:-1, -_CONTEXT_SAMPLES:]])
        self._context = frames[-1, -_CONTEXT_SAMPLES:].copy()
        inputs = {"input": np.hstack([before, frames]), "h": self._hidden, "c": self._cell}
        output, self._hidden, self._cell = _silero_session().run(None, inputs)
        return [float(probability) for probability in np.asarray(output).reshape(-1)]


@cache
def _silero_session() -> Any:
    """One ONNX session for all speakers; it holds weights only, the state travels with each call."""
    import onnxruntime
    from faster_whisper.utils import get_assets_path

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.log_severity_level = 3
    model = Path(get_assets_path()) / "silero_vad_v6.onnx"
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


class SpeechActivity:
    """The speech probabilities of a stretch of audio that is still open, for finding its pauses."""

    def __init__(self) -> None:
        self.start_frame = 0
        self._probabilities: list[float] = []

    @property
    def end_frame(self) -> int:
        return self.start_frame + len(self._probabilities)

    def extend(self, probabilities: list[float]) -> None:
        self._probabilities.extend(probabilities)

    def drop_until(self, frame: int) -> None:
        del self._probabilities[: max(0, frame - self.start_frame)]
        self.start_frame = max(self.start_frame, frame)

    def first_speech(self) -> int | None:
        """The first frame with speech, or None."""
        spoken = (at for at, each in enumerate(self._probabilities) if each >= SPEECH_PROBABILITY)
        at = next(spoken, None)
        return None if at is None else self.start_frame + at

    def last_speech(self) -> int | None:
        """The last frame that is not silence, once there has been speech; or None."""
        if self.first_speech() is None:
            return None
        for at in range(len(self._probabilities) - 1, -1, -1):
            if self._probabilities[at] >= SILENCE_PROBABILITY:
                return self.start_frame + at
        return None

    def speech_frames(self, until: int) -> int:
        """How many frames before `until` hold speech."""
        return sum(each >= SPEECH_PROBABILITY for each in self._probabilities[: until - self.start_frame])

    def speech_end(self, until: int) -> int:
        """The frame after the last one before `until` that holds speech."""
        heard = self._probabilities[: until - self.start_frame]
        return next(
            (self.start_frame + at + 1 for at in range(len(heard) - 1, -1, -1) if heard[at] >= SPEECH_PROBABILITY), 0
        )

    def longest_pause(self, first: int, last: int) -> tuple[int, int] | None:
        """The longest run of silence within the frames [first, last), half-open, or None; the later of equals."""
        best: tuple[int, int] | None = None
        begin: int | None = None
        for frame in range(max(first, self.start_frame), min(last, self.end_frame) + 1):
            silent = frame < min(last, self.end_frame) and self._at(frame) < SILENCE_PROBABILITY
            if silent and begin is None:
                begin = frame
            elif not silent and begin is not None:
                if best is None or frame - begin >= best[1] - best[0]:
                    best = (begin, frame)
                begin = None
        return best

    def quietest(self, first: int, last: int) -> int:
        """The frame within [first, last) least like speech."""
        return min(range(max(first, self.start_frame), min(last, self.end_frame)), key=self._at)

    def _at(self, frame: int) -> float:
        return self._probabilities[frame - self.start_frame]
