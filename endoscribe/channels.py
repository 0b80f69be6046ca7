"""Which of a recording's tracks and channels hold the speech.

Recorders write it in many ways: a second microphone wired the other way round, which cancels the first one in the mean;
a silent camera track before the lapel microphone's; a channel of nothing but hum. A recording of several channels is
therefore looked at once before it is taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

#: The levels of sound are taken over frames of this length.
LEVEL_FRAME_S = 0.05
#: So much sound makes a level: a recording of one sentence and long silence is as loud as its sentence.
LOUD_FRAMES = 20
#: Speech stands out from its own pauses by more than this; hum, hiss and a fan do not.
SPEECH_RANGE_DB = 10.0
#: A level below this is nothing that anybody said.
LOWEST_LEVEL_DB = -75.0
#: A channel so much below the loudest one is its echo or its noise.
QUIET_DB = -30.0
#: Channels that agree less than this cancel each other in part; those of two microphones apart agree about zero.
LEAST_AGREEMENT = -0.2
_SILENCE_DB = -120.0

ChannelSamples = NDArray[np.float32]


@dataclass
class TrackSurvey:
    """What one pass over a track's (frames, channels) tells: how loud each channel is, and how far they agree."""

    rate: int
    channels: int
    _levels: list[NDArray[np.float64]] = field(default_factory=list)
    _products: NDArray[np.float64] = field(init=False)
    _last: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        self._products = np.zeros((self.channels, self.channels))

    def insert(self, samples: ChannelSamples) -> None:
        """Take (frames, channels) of the track, in order."""
        # Of the steps between samples, as a constant offset of a sound card agrees with any other.
        steps = np.diff(samples.astype(np.float64), axis=0, prepend=samples[:1] if self._last is None else self._last)
        self._last = samples[-1:].astype(np.float64)
        self._products += steps.T @ steps
        size = max(1, int(LEVEL_FRAME_S * self.rate))
        for start in range(0, len(samples), size):
            piece = samples[start : start + size].astype(np.float64)
            self._levels.append((piece - piece.mean(axis=0)).std(axis=0))

    def levels_db(self) -> NDArray[np.float64]:
        """How loud each channel is where it is loudest, shape (channels,)."""
        return self._decibels()[-LOUD_FRAMES:].mean(axis=0) if self._levels else np.full(self.channels, _SILENCE_DB)

    def holds_speech(self) -> NDArray[np.bool_]:
        """Whether each channel rises above its own pauses as speech does, shape (channels,)."""
        if not self._levels:
            return np.zeros(self.channels, dtype=bool)
        levels = self.levels_db()
        floor = np.percentile(self._decibels(), 20, axis=0)
        return (levels > LOWEST_LEVEL_DB) & (levels - floor > SPEECH_RANGE_DB)

    def chosen_channels(self) -> tuple[int, ...]:
        """The channels whose mean holds all that was said, in rising order; at least one."""
        levels, spoken = self.levels_db(), self.holds_speech()
        candidates = spoken if spoken.any() else np.ones(self.channels, dtype=bool)
        best_first = [int(channel) for channel in np.argsort(-levels, kind="stable") if candidates[channel]]
        chosen = best_first[:1]
        for channel in best_first[1:]:
            if (
                levels[channel] > levels[best_first[0]] + QUIET_DB
                and self._agreement(channel, chosen) > LEAST_AGREEMENT
            ):
                chosen.append(channel)
        return tuple(sorted(chosen))

    def _decibels(self) -> NDArray[np.float64]:
        """The levels of all frames, each channel's in rising order, shape (frames, channels)."""
        levels = np.maximum(np.array(self._levels), 10 ** (_SILENCE_DB / 20))
        return np.sort(20 * np.log10(levels), axis=0)

    def _agreement(self, channel: int, others: Sequence[int]) -> float:
        """The correlation of a channel with the sum of others, -1 to 1; 0 where one of them never moves."""
        of_sum = float(self._products[np.ix_(others, others)].sum())
        scale = np.sqrt(self._products[channel, channel] * of_sum)
        return float(self._products[channel, others].sum() / scale) if scale > 0 else 0.0


def chosen_track(surveys: Sequence[TrackSurvey]) -> int:
    """The first track that holds speech, else the loudest one; raises ValueError where there is none."""
    spoken = [number for number, survey in enumerate(surveys) if survey.holds_speech().any()]
    return spoken[0] if spoken else max(range(len(surveys)), key=lambda number: surveys[number].levels_db().max())
