"""Recordings of every kind, good and bad, made here with PyAV."""

import io
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endoscribe.audio import SAMPLE_RATE, Resampler, Samples, decode_recording, load_audio, pcm16_to_float
from endoscribe.errors import AudioError

TONE_HZ = 440


def tone(seconds: float, rate: int = SAMPLE_RATE, peak: float = 0.5) -> Samples:
    times_s = np.arange(int(seconds * rate)) / rate
    return (peak * np.sin(2 * np.pi * TONE_HZ * times_s)).astype(np.float32)


def encode(path: Path, codec: str, sound: Samples, rate: int, channels: int = 1, sample_format: str = "s16") -> Path:
    """Write `sound` to `path`, the same on every channel, with FFmpeg's encoder `codec`."""
    layout = "mono" if channels == 1 else "stereo"
    interleaved = np.repeat((sound * 32_767).astype(np.int16), channels).reshape(1, -1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = layout
        stream.format = sample_format
        frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout=layout)
        frame.sample_rate = rate
        fifo = av.AudioFifo()
        for converted in av.AudioResampler(format=sample_format, layout=layout, rate=rate).resample(frame):
            fifo.write(converted)
        while piece := fifo.read(stream.codec_context.frame_size or 1_024) or fifo.read():
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def loudest_hz(samples: Samples) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)[spectrum.argmax()])


@pytest.mark.parametrize(
    ("suffix", "codec", "rate", "channels", "sample_format"),
    [
        ("wav", "pcm_s16le", 16_000, 1, "s16"),
        ("wav", "pcm_u8", 8_000, 1, "u8"),
        ("wav", "pcm_s16le", 44_100, 2, "s16"),
        ("wav", "pcm_s24le", 96_000, 2, "s32"),
        ("wav", "pcm_f32le", 48_000, 1, "flt"),
        ("flac", "flac", 96_000, 2, "s32"),
        ("mp3", "libmp3lame", 44_100, 2, "s16p"),
        ("m4a", "aac", 48_000, 1, "fltp"),
        ("ogg", "libopus", 48_000, 1, "s16"),
        ("webm", "libopus", 48_000, 2, "s16"),
    ],
)
def test_reads_every_kind_of_recording(
    tmp_path: Path, suffix: str, codec: str, rate: int, channels: int, sample_format: str
) -> None:
    path = encode(tmp_path / f"tone.{suffix}", codec, tone(2, rate), rate, channels, sample_format)
    samples = load_audio(path)
    assert samples.dtype == np.float32
    assert samples.shape == pytest.approx((2 * SAMPLE_RATE,), rel=0.05)
    assert loudest_hz(samples) == pytest.approx(TONE_HZ, abs=2)
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.08)


def test_a_wav_of_our_own_rate_is_not_altered(tmp_path: Path) -> None:
    sound = tone(1)
    samples = load_audio(encode(tmp_path / "tone.wav", "pcm_s16le", sound, SAMPLE_RATE))
    assert np.abs(samples - sound).max() < 2 / 32_768


def test_reads_the_sound_of_a_video(tmp_path: Path) -> None:
    path = tmp_path / "scope.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=5)
        sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        video.width = video.height = 32
        for _ in range(5):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        frame = av.AudioFrame.from_ndarray(tone(1).reshape(1, -1), format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        container.mux(sound.encode(frame))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    assert loudest_hz(load_audio(path)) == pytest.approx(TONE_HZ, abs=2)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"no recording at .*nowhere\.wav"):
        load_audio(tmp_path / "nowhere.wav")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="is a folder"):
        load_audio(tmp_path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (b"BBPS right colon 3, transverse 3, left 3.\n" * 200, "not a recording"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "not a recording"),
        (b"\x00" * 5_000, "not a recording"),
    ],
)
def test_what_is_not_audio_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "file.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=sentence):
        load_audio(path)


def test_a_recording_without_samples_is_refused(tmp_path: Path) -> None:
    path = encode(tmp_path / "tone.wav", "pcm_s16le", tone(1), SAMPLE_RATE)
    path.write_bytes(path.read_bytes()[:-32_000])
    with pytest.raises(AudioError, match="no sound"):
        load_audio(path)


@pytest.mark.parametrize(("codec", "sample_format", "suffix"), [("pcm_u8", "u8", "wav"), ("flac", "s16", "flac")])
def test_a_silent_recording_is_refused(tmp_path: Path, codec: str, sample_format: str, suffix: str) -> None:
    path = encode(tmp_path / f"a.{suffix}", codec, np.zeros(8_000, np.float32), 8_000, 1, sample_format)
    with pytest.raises(AudioError, match="silent"):
        load_audio(path)


def test_pictures_without_sound_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "scope.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=5)
        video.width = video.height = 32
        container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(video.encode(None))
    with pytest.raises(AudioError, match="no sound"):
        load_audio(path)


@pytest.mark.parametrize(
    ("suffix", "codec", "sample_format"),
    [("wav", "pcm_s16le", "s16"), ("mp3", "libmp3lame", "s16p"), ("flac", "flac", "s16"), ("ogg", "libopus", "s16")],
)
def test_what_is_left_of_a_cut_off_recording_is_kept(
    tmp_path: Path, suffix: str, codec: str, sample_format: str
) -> None:
    path = encode(tmp_path / f"tone.{suffix}", codec, tone(4, 48_000), 48_000, 1, sample_format)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    recording = decode_recording(path)
    assert 1 < len(recording.samples) / SAMPLE_RATE < 3
    assert loudest_hz(recording.samples) == pytest.approx(TONE_HZ, abs=2)
    if suffix != "ogg":  # which states no length
        assert recording.damage is not None
        assert "is cut off" in recording.damage


def test_damaged_pieces_in_the_middle_are_told(tmp_path: Path) -> None:
    path = encode(tmp_path / "tone.flac", "flac", tone(4), SAMPLE_RATE)
    content = bytearray(path.read_bytes())
    begin, end = len(content) // 2, len(content) * 2 // 3
    content[begin:end] = bytes(end - begin)
    path.write_bytes(content)
    recording = decode_recording(path)
    assert 2 < len(recording.samples) / SAMPLE_RATE < 4
    assert recording.damage == "The recording is cut off or damaged: 3 of its 4 s are there."


def test_a_whole_recording_has_no_damage(tmp_path: Path) -> None:
    for suffix, codec, sample_format in (("mp3", "libmp3lame", "s16p"), ("wav", "pcm_s16le", "s16")):
        path = encode(tmp_path / f"tone.{suffix}", codec, tone(2, 48_000), 48_000, 1, sample_format)
        assert decode_recording(path).damage is None


def test_a_recording_cut_off_before_its_index_is_refused(tmp_path: Path) -> None:
    path = encode(tmp_path / "tone.m4a", "aac", tone(4, 48_000), 48_000, 1, "fltp")
    path.write_bytes(path.read_bytes()[:10_000])
    with pytest.raises(AudioError, match="cut off"):
        load_audio(path)


def test_a_recording_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = encode(tmp_path / "tone.flac", "flac", tone(4), SAMPLE_RATE)
    with pytest.raises(AudioError, match=r"longer than 0\.05 minutes"):
        load_audio(path, max_minutes=0.05)
    assert len(load_audio(path, max_minutes=0.07)) == 4 * SAMPLE_RATE


def test_a_recording_that_hides_its_length_is_refused_while_decoding(tmp_path: Path) -> None:
    path = encode(tmp_path / "tone.webm", "libopus", tone(8, 48_000), 48_000)
    content = path.read_bytes()
    duration_element = content.index(b"\x44\x89\x88")  # Matroska's Duration, eight bytes of data
    path.write_bytes(content[:duration_element] + b"\xec\x89" + content[duration_element + 2 :])  # becomes a Void
    with pytest.raises(AudioError, match=r"longer than 0\.05 minutes"):
        load_audio(path, max_minutes=0.05)


def test_a_play_list_cannot_read_other_files(tmp_path: Path) -> None:
    secret = encode(tmp_path / "other.wav", "pcm_s16le", tone(1), SAMPLE_RATE)
    path = tmp_path / "list.m3u8"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n")
    with pytest.raises(AudioError, match="not a recording"):
        load_audio(path)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 48_000), max_size=12), rate=st.sampled_from([16_000, 44_100, 48_000]))
def test_cutting_the_sound_differently_changes_nothing(cuts: list[int], rate: int) -> None:
    sound = tone(1, rate)
    whole, pieces = Resampler(rate), Resampler(rate)
    expected = np.concatenate([whole.insert(sound), whole.flush()])
    parts = [pieces.insert(part) for part in np.split(sound, sorted(cuts))]
    heard = np.concatenate([*parts, pieces.flush()])
    assert len(heard) == pytest.approx(SAMPLE_RATE, abs=2)
    np.testing.assert_allclose(heard, expected, atol=1e-6)


def test_stereo_frames_become_their_mean() -> None:
    resampler = Resampler(SAMPLE_RATE, channels=2)
    frames = np.stack([np.full(100, 0.5), np.full(100, 0.1)], axis=1).astype(np.float32)
    np.testing.assert_allclose(resampler.insert(frames), np.full(100, 0.3), atol=1e-7)


def test_a_second_flush_gives_nothing() -> None:
    resampler = Resampler(48_000)
    resampler.insert(tone(0.1, 48_000))
    assert len(resampler.flush())
    assert not len(resampler.flush())


@pytest.mark.parametrize(("rate", "channels"), [(0, 1), (-48_000, 1), (10**9, 1), (48_000, 0)])
def test_an_impossible_microphone_is_refused(rate: int, channels: int) -> None:
    with pytest.raises(AudioError, match="cannot have"):
        Resampler(rate, channels)


def test_pcm16_is_scaled_to_one() -> None:
    np.testing.assert_allclose(pcm16_to_float(b"\x00\x00\x00\x80\xff\x7f"), [0, -1, 32_767 / 32_768])
    assert pcm16_to_float(b"").shape == (0,)
    with pytest.raises(AudioError, match="middle of a sample"):
        pcm16_to_float(io.BytesIO(b"abc").read())
