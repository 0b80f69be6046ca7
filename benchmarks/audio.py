"""The dictations that are compared: the shipped recordings, alone or joined, with the text that is said in them."""

from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
import numpy.typing as npt

from endoscribe.audio import SAMPLE_RATE, load_audio
from endoscribe.samples import shipped_samples

LONG_DICTATION = Path(__file__).parent / "data" / "dictation_4min.ogg"
#: Its four examinations, and the second at which the speaker chooses each procedure.
LONG_PROCEDURES = ((0.0, "col"), (80.0, "egd"), (133.0, "ercp"), (184.5, "eus"))
PAUSE_S = 2.0
#: A joined dictation may be this much shorter than its name says, so that no recording is cut in mid-sentence.
SHORTFALL_S = 45.0


@dataclass(frozen=True, eq=False)
class Dictation:
    """What one speaker says: float32 mono 16 kHz samples, their text, and the procedures chosen on the page.

    Each procedure stands behind the second from which on it is chosen; the first at 0.
    """

    name: str
    samples: npt.NDArray[np.float32]
    text: str
    procedures: tuple[tuple[float, str], ...]

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE


def dictation_of(minutes: int) -> Dictation:
    """About so many minutes: one sample for 1, the long dictation for 4, else all of them again and again."""
    if minutes == 1:
        return samples_as_dictations()[0]
    if minutes == 4:
        return _long_dictation()
    parts: list[Dictation] = []
    for part in cycle((*samples_as_dictations(), _long_dictation())):
        parts.append(part)
        if sum(each.duration_s + PAUSE_S for each in parts) > 60 * minutes - SHORTFALL_S:
            return _joined(f"{minutes}min", parts)
    raise AssertionError("a cycle has no end")


def speakers(count: int) -> list[Dictation]:
    """One dictation of about a minute for each speaker; the fifth says what the first does."""
    samples = samples_as_dictations()
    return [samples[number % len(samples)] for number in range(count)]


def samples_as_dictations() -> list[Dictation]:
    return [
        Dictation(each.id, load_audio(each.path), each.text, ((0.0, each.procedure),)) for each in shipped_samples()
    ]


def _long_dictation() -> Dictation:
    return Dictation(
        LONG_DICTATION.stem,
        load_audio(LONG_DICTATION),
        LONG_DICTATION.with_suffix(".txt").read_text("utf-8"),
        LONG_PROCEDURES,
    )


def _joined(name: str, parts: list[Dictation]) -> Dictation:
    pause = np.zeros(int(PAUSE_S * SAMPLE_RATE), np.float32)
    samples = np.concatenate([piece for part in parts for piece in (part.samples, pause)])
    procedures: list[tuple[float, str]] = []
    start_s = 0.0
    for part in parts:
        procedures += [(start_s + at_s, procedure) for at_s, procedure in part.procedures]
        start_s += part.duration_s + PAUSE_S
    return Dictation(name, samples, "\n\n".join(part.text for part in parts), tuple(procedures))
