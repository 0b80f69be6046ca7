"""Recordings of several channels and tracks, and with sound missing: what was said is what is taken."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from endoscribe.audio import SAMPLE_RATE, Samples, decode_recording, load_audio
from endoscribe.channels import TrackSurvey
from tests.support.paths import ROOT

SAMPLE = ROOT / "endoscribe" / "samples" / "col-two-polyps.flac"
SECONDS = 8


@pytest.fixture(scope="module")
def speech() -> Samples:
    return load_audio(SAMPLE)[: SECONDS * SAMPLE_RATE]


@pytest.fixture(scope="module")
def noise() -> Samples:
    return (np.random.default_rng(1).standard_normal(SECONDS * SAMPLE_RATE) * 0.02).astype(np.float32)


def written(path: Path, *tracks: Sequence[Samples], codec: str = "pcm_s16le") -> Path:
    """A file of tracks, each of one or two channels; a compressed one where the container has no plain samples."""
    with av.open(str(path), "w") as container:
        streams = []
        for channels in tracks:
            stream = container.add_stream(codec, rate=SAMPLE_RATE)
            assert isinstance(stream, av.AudioStream)
            stream.layout = "stereo" if len(channels) == 2 else "mono"
            streams.append(stream)
        for stream, channels in zip(streams, tracks, strict=True):
            samples = np.clip(np.stack(channels, axis=1) * 32_767, -32_768, 32_767).astype(np.int16).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=stream.layout.name)
            frame.sample_rate, frame.pts = SAMPLE_RATE, 0
            fifo = av.AudioFifo()
            fifo.write(frame)
            while piece := fifo.read(stream.codec_context.frame_size or 1_024) or fifo.read():
                container.mux(stream.encode(piece))
            container.mux(stream.encode(None))
    return path


def likeness(heard: NDArray[Any], said: NDArray[Any]) -> float:
    length = min(len(heard), len(said))
    return float(np.corrcoef(heard[:length], said[:length])[0, 1])


def test_a_channel_wired_the_other_way_round_does_not_cancel_the_speech(tmp_path: Path, speech: Samples) -> None:
    heard = load_audio(written(tmp_path / "a.wav", (speech, -speech)))
    assert abs(likeness(heard, speech)) > 0.99


def test_nor_does_it_where_the_rooms_noise_differs(tmp_path: Path, speech: Samples, noise: Samples) -> None:
    heard = load_audio(written(tmp_path / "a.wav", (speech * 0.5 + noise * 0.1, -speech + noise[::-1] * 0.1)))
    assert abs(likeness(heard, speech)) > 0.95


@pytest.mark.parametrize("noisy", [0, 1])
def test_a_channel_of_noise_is_left_out(tmp_path: Path, speech: Samples, noise: Samples, noisy: int) -> None:
    channels = [speech, speech]
    channels[noisy] = noise * 5
    assert likeness(load_audio(written(tmp_path / "a.wav", channels)), speech) > 0.99


def test_an_empty_channel_does_not_halve_the_speech(tmp_path: Path, speech: Samples) -> None:
    heard = load_audio(written(tmp_path / "a.wav", (np.zeros_like(speech), speech)))
    assert np.abs(heard).max() == pytest.approx(np.abs(speech).max(), rel=0.01)


def test_two_people_on_a_channel_each_are_both_heard(tmp_path: Path, speech: Samples) -> None:
    first, second = speech.copy(), speech[::-1].copy()
    heard = load_audio(written(tmp_path / "a.wav", (first, second)))
    assert likeness(heard, first + second) > 0.99


def test_two_alike_channels_are_their_mean(tmp_path: Path, speech: Samples, noise: Samples) -> None:
    heard = load_audio(written(tmp_path / "a.wav", (speech + noise * 0.2, speech + noise[::-1] * 0.2)))
    assert likeness(heard, speech + (noise + noise[::-1]) * 0.1) > 0.999


def test_a_constant_offset_is_no_agreement(speech: Samples) -> None:
    survey = TrackSurvey(SAMPLE_RATE, 2)
    survey.insert(np.stack([speech + 0.3, -speech + 0.3], axis=1))
    assert len(survey.chosen_channels()) == 1


@pytest.mark.parametrize("first", ["silent", "noise"])
def test_the_track_that_holds_speech_is_taken(tmp_path: Path, speech: Samples, noise: Samples, first: str) -> None:
    before = np.zeros_like(speech) if first == "silent" else noise
    path = written(tmp_path / "a.mkv", (before,), (speech,))
    assert likeness(load_audio(path), speech) > 0.99


def test_of_two_tracks_of_speech_the_first_is_taken(tmp_path: Path, speech: Samples) -> None:
    path = written(tmp_path / "a.mkv", (speech * 0.3,), (speech[::-1].copy(),))
    assert likeness(load_audio(path), speech) > 0.99


def test_a_track_that_cannot_be_decoded_is_passed_over(tmp_path: Path, speech: Samples) -> None:
    path = written(tmp_path / "a.mkv", (speech,), (speech,))
    whole = path.read_bytes()
    # The name of the first track's codec becomes one that no decoder knows.
    path.write_bytes(whole.replace(b"A_PCM/INT/LIT", b"A_PCM/INT/NON", 1))
    assert likeness(load_audio(path), speech) > 0.99


def without(path: Path, first_s: float, last_s: float) -> Path:
    """A webm of speech whose packets between two seconds are not there, as after an overwritten cluster."""
    with av.open(str(SAMPLE)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream("libopus", rate=48_000)
        assert isinstance(stream, av.AudioStream)
        resampler = av.AudioResampler(format="s16", layout="mono", rate=48_000, frame_size=960)
        for frame in source.decode(audio=0):
            for converted in resampler.resample(frame):
                for packet in stream.encode(converted):
                    assert packet.pts is not None
                    assert packet.time_base is not None
                    if not first_s <= float(packet.pts * packet.time_base) < last_s:
                        container.mux(packet)
        container.mux(stream.encode(None))
    return path


def test_a_missing_second_is_named_with_its_place(tmp_path: Path) -> None:
    recording = decode_recording(without(tmp_path / "a.webm", 5.0, 6.2))
    assert recording.damage is not None
    assert "gaps" in recording.damage
    assert "1.2 s are missing, first at 0:05.0" in recording.damage


@pytest.mark.parametrize("length_s", [0.0, 0.4])
def test_what_a_recorder_leaves_out_of_silence_is_no_damage(tmp_path: Path, length_s: float) -> None:
    assert decode_recording(without(tmp_path / "a.webm", 5.0, 5.0 + length_s)).damage is None
