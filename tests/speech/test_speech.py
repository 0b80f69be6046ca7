"""Real speech, real weights: live and final text from the first sample to the last."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from jiwer import wer

from endoscribe.audio import SAMPLE_RATE, load_audio
from endoscribe.procedures.library import load_schema
from endoscribe.samples import shipped_samples
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.speech.engine import WhisperXEngine
from endoscribe.speech.live import LiveOptions
from endoscribe.speech.scheduler import Scheduler
from endoscribe.transcript import LiveTranscript, Transcript

Samples = npt.NDArray[np.float32]

pytestmark = pytest.mark.slow

#: How the recogniser may write what the sample's text says otherwise; which it chooses depends on the processor.
SPELLINGS = {"two": "2", "three": "3", "six": "6", "eight": "8", "eleven": "11", "twelve": "12", "mm": "millimeters"}


def plain(text: str) -> str:
    """Lower case without punctuation, numbers in digits."""
    words = "".join(char if char.isalnum() else " " for char in text.casefold()).split()
    return " ".join(SPELLINGS.get(word, word) for word in words)


def dictated(engine: WhisperXEngine, audio: Samples, size: int) -> tuple[list[LiveTranscript], Transcript]:
    """What is shown and what is final when the audio comes in pieces of this size, at the pace of a fast machine."""
    scheduler = Scheduler(engine, options=LiveOptions(catch_up=False))
    shown: list[LiveTranscript] = []
    try:
        session = scheduler.open_session(load_schema(SHIPPED_SCHEMA_DIR / "col.yaml"), shown.append)
        for first in range(0, len(audio), size):
            session.insert(audio[first : first + size])
        return shown, session.finish()
    finally:
        scheduler.close()


@pytest.mark.smoke
def test_the_same_audio_in_pieces_of_any_size_gives_the_same_text(
    tiny_engine: WhisperXEngine, colonoscopy_speech: Samples
) -> None:
    audio = colonoscopy_speech[: 11 * SAMPLE_RATE]
    shown, final = dictated(tiny_engine, audio, 1600)
    assert "screening colonoscopy" in shown[-1].committed_text.lower()
    for size in (777, 48_000, len(audio)):
        again, final_again = dictated(tiny_engine, audio, size)
        assert again[-1].committed_text == shown[-1].committed_text
        assert final_again == final


def test_a_real_dictation_is_shown_early_and_heard_to_its_end(
    base_engine: WhisperXEngine, colonoscopy_speech: Samples
) -> None:
    shown, final = dictated(base_engine, colonoscopy_speech, 3200)
    early = next(live for live in shown if live.committed)
    assert early.committed[-1].end_s < 5
    for before, after in pairwise(shown):
        assert after.committed[: len(before.committed)] == before.committed
    said = next(sample for sample in shipped_samples() if sample.id == "col-two-polyps").text
    for heard in (plain(shown[-1].committed_text), plain(final.text)):
        assert heard.startswith("this is a screening colonoscopy")
        assert heard.endswith("3 years")
        assert wer(plain(said), heard) < 0.2
    assert final.duration_s == pytest.approx(len(colonoscopy_speech) / SAMPLE_RATE)


@pytest.mark.parametrize(
    ("sample", "start_s", "end_s", "said"),
    [
        ("egd-reflux", 30.98, 32.43, "stomach is otherwise normal"),
        ("col-two-polyps", 0.0, 5.0, "screening colonoscopy"),
    ],
)
def test_words_without_any_silence_before_and_after_them_are_heard(
    base_engine: WhisperXEngine, sample: str, start_s: float, end_s: float, said: str
) -> None:
    """As of somebody who speaks while the microphone opens, and presses Stop with the last word."""
    audio = load_audio(next(each.path for each in shipped_samples() if each.id == sample))
    sentence = audio[int(start_s * SAMPLE_RATE) : int(end_s * SAMPLE_RATE)]
    loud = np.flatnonzero(np.abs(sentence) > 0.02)
    _, final = dictated(base_engine, sentence[loud[0] : loud[-1]], 4000)
    assert said in plain(final.text)


def test_a_room_without_speech_gives_no_words(tiny_engine: WhisperXEngine) -> None:
    """Silence, a hissing room, and clatter: short bursts as of keys."""
    random = np.random.default_rng(11)
    hiss = random.normal(0, 0.01, 10 * SAMPLE_RATE).astype(np.float32)
    clatter = hiss.copy()
    for start in range(0, len(clatter) - 400, SAMPLE_RATE // 3):
        clatter[start : start + 400] += random.normal(0, 0.3, 400).astype(np.float32)
    for audio in (np.zeros(10 * SAMPLE_RATE, np.float32), hiss, clatter):
        shown, final = dictated(tiny_engine, audio, 3200)
        assert final.text == ""
        assert not any(live.committed for live in shown)
