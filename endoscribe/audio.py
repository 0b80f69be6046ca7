"""Any recording or microphone chunk becomes float32, mono, 16 kHz, in the range -1 to 1.

PyAV (FFmpeg's libraries inside a wheel) decodes files; no ffmpeg program is needed. Samples are the clock everywhere
else: sample `i` was heard `i / SAMPLE_RATE` seconds after the start.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import av.container
import numpy as np
import soxr
from av.error import FFmpegError
from numpy.typing import NDArray

from endoscribe.channels import TrackSurvey, chosen_track
from endoscribe.errors import AudioError

log = logging.getLogger(__name__)

#: What Whisper was trained on, in Hz.
SAMPLE_RATE = 16_000
#: A recording whose loudest sample stays below one step of 16-bit audio holds nothing but zeros and dither.
SILENT_PEAK = 1 / 32_768
#: Rates of microphones and recorders; outside of it a header is wrong.
LOWEST_RATE, HIGHEST_RATE = 4_000, 384_000
#: FFmpeg's readers of single files. Its play list readers are left out on purpose: such an upload could name other
#: files of this machine, or addresses, and have them read.
CONTAINERS = "wav,w64,mp3,aac,flac,ogg,matroska,webm,mov,mp4,m4a,3gp,aiff,caf,amr"
#: How such files are called, wherever recordings are chosen by name.
SUFFIXES = frozenset(
    {
        ".3gp", ".aac", ".aif", ".aifc", ".aiff", ".amr", ".caf", ".flac", ".m4a", ".mka", ".mkv", ".mov", ".mp3",
        ".mp4", ".oga", ".ogg", ".opus", ".qta", ".w64", ".wav", ".webm",
    }
)  # fmt: skip
#: A recorder that leaves out silence skips up to 0.4 s; a longer step in the time stamps is sound that is missing.
LONGEST_SKIP_S = 0.5
#: The part of the stated length below which a recording counts as cut off.
NEARLY_WHOLE = 0.95

Samples = NDArray[np.float32]
#: Of the 16-bit samples that microphones send and sessions store.
BYTES_PER_SAMPLE = 2


@dataclass(frozen=True, eq=False)
class DecodedRecording:
    """What could be heard of a file: shape (samples,), float32, mono, 16 kHz; `damage` tells what could not."""

    samples: Samples
    damage: str | None = None


def load_audio(path: Path, max_minutes: float = 120) -> Samples:
    """The samples of `decode_recording`; what is damaged is told in the log."""
    recording = decode_recording(path, max_minutes)
    if recording.damage:
        log.warning("%s", recording.damage)
    return recording.samples


def decode_recording(path: Path, max_minutes: float = 120) -> DecodedRecording:
    """Decode a recording: wav, mp3, m4a, flac, ogg or webm of any rate, channel count and bit depth.

    Of several tracks the first that holds speech is taken, and of its channels those whose mean does not cancel.
    What can be heard of a damaged or cut-off recording is kept, and gaps in its time stamps are told. Raises
    AudioError when the file is missing, empty, not audio, silent, or longer than `max_minutes` (found before
    all of it is decoded).
    """
    _require_content(path)
    with _opened(path) as container:
        stated_s = container.duration / av.time_base if container.duration else 0.0
        if stated_s > max_minutes * 60:
            raise _too_long(max_minutes)
        track, channels = _heard_track(path, container)
        packets = _Packets(container, track, channels)
        samples = _decode(packets, most_samples=int(max_minutes * 60 * SAMPLE_RATE), max_minutes=max_minutes)
    if not len(samples):
        raise AudioError("The recording holds no sound that can be decoded; record it again or choose another file.")
    np.nan_to_num(samples, copy=False, posinf=0.0, neginf=0.0)
    if max(samples.max(), -samples.min()) < SILENT_PEAK:
        raise AudioError("The recording is silent from start to end; check that the microphone was not muted.")
    heard_s = len(samples) / SAMPLE_RATE
    return DecodedRecording(samples, _damage(heard_s, stated_s, packets) or _riff_damage(path, heard_s))


def pcm16_to_float(data: bytes) -> Samples:
    """Little-endian 16-bit samples as float32 in -1 to 1; raises AudioError for half a sample."""
    if len(data) % 2:
        raise AudioError("A piece of the recording ends in the middle of a sample.")
    return np.frombuffer(data, dtype="<i2").astype(np.float32) * np.float32(1 / 32_768)


class Resampler:
    """Frames of one source, in order, to 16 kHz mono; several channels become their mean.

    Keeps the filter's state between frames, so that cutting the same sound differently gives the same samples.
    """

    def __init__(self, source_rate: int, channels: int = 1) -> None:
        """`source_rate` in Hz; raises AudioError for a rate or channel count that no recorder has."""
        if not LOWEST_RATE <= source_rate <= HIGHEST_RATE or channels < 1:
            raise AudioError(f"Sound cannot have {source_rate} Hz and {channels} channels.")
        self._stream = None if source_rate == SAMPLE_RATE else soxr.ResampleStream(source_rate, SAMPLE_RATE, 1)
        self._ended = False

    def insert(self, samples: Samples) -> Samples:
        """Take (frames,) or (frames, channels) at the source rate; give the (samples,) that are ready at 16 kHz."""
        mono = np.asarray(samples, dtype=np.float32)
        mono = mono.mean(axis=1, dtype=np.float32) if mono.ndim == 2 else mono
        return self._resample(mono, last=False)

    def flush(self) -> Samples:
        """The samples still inside the filter; afterwards the source has ended and a second flush gives nothing."""
        if self._ended:
            return np.zeros(0, dtype=np.float32)
        self._ended = True
        return self._resample(np.zeros(0, dtype=np.float32), last=True)

    def _resample(self, mono: Samples, *, last: bool) -> Samples:
        return mono if self._stream is None else self._stream.resample_chunk(mono, last=last)


def _require_content(path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise AudioError(f"There is no recording at {path}.") from error
    if not path.is_file():
        raise AudioError(f"{path} is a folder; choose a recording inside it.")
    if size == 0:
        raise AudioError("The recording is empty (0 bytes); record it again or choose another file.")


@contextmanager
def _opened(path: Path) -> Iterator[av.container.InputContainer]:
    options = {"format_whitelist": CONTAINERS}
    try:
        with (
            path.open("rb") as file,
            av.open(file, "r", options=options, metadata_errors="ignore") as container,
        ):
            yield container
    except (FFmpegError, OSError) as error:
        raise AudioError(
            "The file is not a recording that can be read, or it was cut off; use wav, mp3, m4a, flac, ogg or webm."
        ) from error


def _too_long(max_minutes: float) -> AudioError:
    return AudioError(f"The recording is longer than {max_minutes:g} minutes; cut it into shorter ones.")


def _damage(heard_s: float, stated_s: float, packets: "_Packets") -> str | None:
    if heard_s < NEARLY_WHOLE * stated_s:
        return f"The recording is cut off or damaged: {heard_s:.0f} of its {stated_s:.0f} s are there."
    if packets.ends_early:
        return f"The recording cannot be read to its end: {heard_s:.0f} s are there."
    if packets.damaged:
        return f"The recording is damaged: {packets.damaged} pieces of it cannot be heard."
    if packets.gaps_s:
        first_s, missing_s = packets.gaps_s[0][0], sum(length_s for _, length_s in packets.gaps_s)
        first = f"{int(first_s // 60)}:{first_s % 60:04.1f}"
        return f"The recording has gaps: {missing_s:.1f} s are missing, first at {first}."
    return None


def _heard_track(path: Path, container: av.container.InputContainer) -> tuple[int, tuple[int, ...] | None]:
    """The track to take and its channels; None is their mean. Looks at the sound only where there is a choice."""
    tracks = container.streams.audio
    if len(tracks) == 1 and _channels(tracks[0]) <= 1:
        return 0, None
    surveys = _surveys(path, len(tracks))
    if not any(surveys):
        return 0, None
    known = {number: survey for number, survey in enumerate(surveys) if survey}
    track = list(known)[chosen_track(list(known.values()))]
    chosen = known[track].chosen_channels()
    return track, chosen if len(chosen) < known[track].channels else None


def _channels(track: av.AudioStream) -> int:
    """0 where no decoder knows the track's form: PyAV then gives it no context, whatever its types say."""
    context: av.AudioCodecContext | None = track.codec_context
    return context.channels if context else 0


def _surveys(path: Path, tracks: int) -> list[TrackSurvey | None]:
    """One pass over each track; None for one of which nothing can be decoded, or whose channels change on the way."""
    surveys: list[TrackSurvey | None] = []
    for track in range(tracks):
        with _opened(path) as container:
            surveys.append(_survey(_Packets(container, track)))
    return surveys


def _survey(packets: "_Packets") -> TrackSurvey | None:
    survey = None
    for rate, samples in _channel_blocks(packets):
        if survey is None:
            survey = TrackSurvey(rate, samples.shape[1])
        if survey.channels != samples.shape[1]:
            return None
        survey.insert(samples)
    return survey


def _riff_damage(path: Path, heard_s: float) -> str | None:
    """FFmpeg takes a WAV file's length for that of its sound; its header tells what there should have been."""
    with path.open("rb") as file:
        header = file.read(8)
    stated_bytes = int.from_bytes(header[4:], "little")
    streamed = stated_bytes in (0, 0xFFFFFFFF)  # written by a recorder that did not know yet
    if header[:4] == b"RIFF" and not streamed and path.stat().st_size < NEARLY_WHOLE * stated_bytes:
        return f"The recording is cut off: {heard_s:.0f} s of it are there."
    return None


def _decode(packets: "_Packets", most_samples: int, max_minutes: float) -> Samples:
    """All samples at 16 kHz; one buffer grows in place, so that a long recording is in memory only once."""
    samples = bytearray()
    for block in _blocks(packets):
        samples += block.tobytes()
        if len(samples) > most_samples * np.dtype(np.float32).itemsize:
            raise _too_long(max_minutes)
    return np.frombuffer(samples, dtype=np.float32)


def _blocks(packets: "_Packets") -> Iterator[Samples]:
    resampler, source = None, None
    for rate, samples in _channel_blocks(packets):
        chosen = packets.channels
        taken = samples if chosen is None or samples.shape[1] <= max(chosen) else samples[:, chosen]
        if resampler is None or source != (rate, samples.shape[1]):
            if resampler is not None:
                yield resampler.flush()
            resampler, source = Resampler(rate, samples.shape[1]), (rate, samples.shape[1])
        yield resampler.insert(taken)
    if resampler is not None:
        yield resampler.flush()


def _channel_blocks(packets: "_Packets") -> Iterator[tuple[int, Samples]]:
    """The rate and (frames, channels) of each block; some encoders change their format after the first frames."""
    to_float, source = av.AudioResampler(format="flt"), None
    for frame in packets.frames():
        channels = frame.layout.nb_channels
        seen = (frame.format.name, frame.layout.name, frame.sample_rate)
        if seen != source:
            to_float, source = av.AudioResampler(format="flt"), seen
        for converted in to_float.resample(frame):
            yield frame.sample_rate, np.asarray(converted.to_ndarray(), dtype=np.float32).reshape(-1, channels)


class _Packets:
    """One sound track of a file, packet by packet; damaged packets are left out and counted, and gaps noted."""

    def __init__(
        self, container: av.container.InputContainer, track: int = 0, channels: tuple[int, ...] | None = None
    ) -> None:
        if not container.streams.audio:
            raise AudioError("The file holds no sound, only pictures or text; choose an audio recording.")
        self._container, self._track = container, track
        self.channels = channels
        self.damaged = 0
        self.ends_early = False
        #: Where sound is missing between two frames: the second of the sound heard so far, and how many are missing.
        self.gaps_s: list[tuple[float, float]] = []
        self._heard_s = 0.0
        self._next_s: float | None = None

    def frames(self) -> Iterator[av.AudioFrame]:
        for packet in self._packets():
            try:
                frames = packet.decode()
            except FFmpegError:
                self.damaged += 1
                continue
            for frame in frames:
                self._note_gap(frame)
                frame.pts = None  # gaps in a container's time stamps must not become gaps in the sound
                yield frame

    def _note_gap(self, frame: av.AudioFrame) -> None:
        length_s = frame.samples / frame.sample_rate
        if frame.time is not None:
            if self._next_s is not None and frame.time - self._next_s > LONGEST_SKIP_S:
                self.gaps_s.append((self._heard_s, frame.time - self._next_s))
            self._next_s = frame.time + length_s
        self._heard_s += length_s

    def _packets(self) -> Iterator["av.Packet[av.AudioStream]"]:
        try:
            yield from self._container.demux(self._container.streams.audio[self._track])
        except FFmpegError:
            self.ends_early = True
