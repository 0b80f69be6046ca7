"""Speech and pauses."""

import numpy as np
import numpy.typing as npt
import pytest

from endoscribe.speech.endpointing import FRAME_SAMPLES, SileroDetector, SpeechActivity


def activity_of(*probabilities: float) -> SpeechActivity:
    activity = SpeechActivity()
    activity.extend(list(probabilities))
    return activity


def test_silence_holds_no_speech() -> None:
    activity = activity_of(0.1, 0.2, 0.1)
    assert activity.first_speech() is None
    assert activity.last_speech() is None
    assert activity.speech_frames(3) == 0


def test_first_and_last_speech_are_counted_from_the_start_of_the_recording() -> None:
    activity = activity_of(0.1, 0.1, 0.9, 0.9, 0.4, 0.1)
    activity.drop_until(1)
    assert activity.first_speech() == 2
    assert activity.last_speech() == 4  # 0.4 is not yet silence
    assert activity.speech_frames(6) == 2


@pytest.mark.parametrize(
    ("probabilities", "pause"),
    [
        ((0.9, 0.1, 0.9, 0.1, 0.1, 0.9), (3, 5)),
        ((0.9, 0.1, 0.1), (1, 3)),
        ((0.9, 0.1, 0.9, 0.1, 0.9), (3, 4)),  # of equal pauses the later
        ((0.9, 0.9), None),
    ],
)
def test_the_longest_pause(probabilities: tuple[float, ...], pause: tuple[int, int] | None) -> None:
    assert activity_of(*probabilities).longest_pause(0, len(probabilities)) == pause


def test_a_pause_is_looked_for_only_where_asked() -> None:
    assert activity_of(0.1, 0.1, 0.1, 0.9, 0.1, 0.9).longest_pause(3, 6) == (4, 5)


def test_the_quietest_frame_is_found_where_nothing_is_silent() -> None:
    assert activity_of(0.9, 0.6, 0.8, 0.7).quietest(0, 4) == 1


def test_silero_hears_speech_and_not_silence_or_noise(colonoscopy_speech: npt.NDArray[np.float32]) -> None:
    spoken = SileroDetector().insert(colonoscopy_speech[: 100 * FRAME_SAMPLES])
    noise = np.random.default_rng(7).normal(0, 0.01, 100 * FRAME_SAMPLES).astype(np.float32)
    assert np.mean(np.array(spoken) > 0.5) > 0.6
    assert max(SileroDetector().insert(np.zeros(100 * FRAME_SAMPLES, np.float32))) < 0.35
    assert max(SileroDetector().insert(noise)) < 0.35


def test_silero_gives_the_same_however_the_audio_is_cut(colonoscopy_speech: npt.NDArray[np.float32]) -> None:
    audio = colonoscopy_speech[: 60 * FRAME_SAMPLES]
    whole = SileroDetector().insert(audio)
    pieces = SileroDetector()
    cut = [
        each
        for first in range(0, 60, 7)
        for each in pieces.insert(audio[first * FRAME_SAMPLES : (first + 7) * FRAME_SAMPLES])
    ]
    assert np.allclose(whole, cut, atol=1e-4)
