"""The resident WhisperX pipeline: windows of audio in, timed words out.

The engine knows nothing of speakers, queues or live text. `decode` may be called from two threads at once, `split`
from one; WhisperX's own `transcribe` changes its tokenizer and options while it runs and is not used.
"""

import logging
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from endoscribe.audio import SAMPLE_RATE, Samples
from endoscribe.errors import EngineError
from endoscribe.speech.alignment import Aligner
from endoscribe.speech.memory import GIVE_BACK_EVERY_S, SMALLEST_COMPUTE_TYPE, Attempt, first_that_fits, give_back
from endoscribe.transcript import Word

log = logging.getLogger(__name__)


#: Whisper's encoder takes 30 s; a longer window must be split before it gets here.
MAX_WINDOW_S = 30.0
FRAMES_PER_S = 100  # mel frames
#: Whisper's context is 448 tokens, half of it for the prompt.
MAX_PROMPT_TOKENS = 160
#: Dictation runs at 3 to 5 tokens a second; twice that is a loop, and so is a bit more that says one thing thrice.
MAX_TOKENS_PER_S = 9
HURRIED_TOKENS_PER_S = 6
#: So many words that come back are a phrase.
PHRASE_WORDS = 3

#: OpenAI's published decoding thresholds (whisper/transcribe.py).
NO_SPEECH_THRESHOLD = 0.6
LOG_PROBABILITY_THRESHOLD = -1.0
COMPRESSION_THRESHOLD = 2.4
FALLBACK_TEMPERATURES = (0.2, 0.4, 0.6)

#: Windows are decoded together when what the encoder sees of the shorter is at least this share of the longer: all are
#: filled up to the longest, and more silence than this costs what the batch gains.
LEAST_SHARE = 0.75
#: Fills prompts up to one length, before their first word; the text stays as good.
FILLER = " ."

#: Put before a window as silence. Where speech begins with the first sample, Whisper is so unsure that what was said
#: may be taken for noise: of 64 sentences of the samples, cut at their first and last sound, 6 gave no words, and with
#: it 2; words shown live had 3.8 % errors instead of 4.7 %.
LEAD_S = 0.3

#: -60 dB of full scale: quieter than any room that a microphone hears.
QUIET_PEAK = 0.001


@dataclass(frozen=True, eq=False)
class Window:
    """Up to 30 s of one recording, float32 mono 16 kHz, and the text that leads up to it."""

    samples: Samples
    start_s: float
    prompt: str = ""

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE

    @property
    def lead_s(self) -> float:
        """Silence that is put before the samples, as far as Whisper's 30 s hold it."""
        return min(LEAD_S, MAX_WINDOW_S - self.duration_s)

    @property
    def heard_s(self) -> float:
        return self.lead_s + self.duration_s


@dataclass(frozen=True, slots=True)
class Decoding:
    """How hard to listen."""

    beam_size: int
    #: Silence after the window that the encoder sees; None is the full 30 s that Whisper was trained on. Short input
    #: is three to ten times cheaper; under 8 s the decoder begins to loop.
    tail_s: float | None
    #: Word times from WhisperX's alignment model, where it could be loaded.
    refine_times: bool
    #: Whether a loop is worth another, costlier try; a preview is soon followed by the next one.
    insist: bool = True


#: A token costs the decoder about the same for three beams as for one: its weights pass through the cache once.
PREVIEW = Decoding(beam_size=3, tail_s=8.0, refine_times=False, insist=False)
REST = Decoding(beam_size=5, tail_s=8.0, refine_times=False)
FINAL = Decoding(beam_size=5, tail_s=None, refine_times=True)


class Engine(Protocol):
    """What the scheduler needs of speech recognition."""

    @property
    def name(self) -> str: ...

    @property
    def problem(self) -> str | None:
        """Why it gives no text at present, as a sentence; None while all is well."""

    def decode(self, window: Window, decoding: Decoding) -> tuple[Word, ...]:
        """The words of a window, timed in seconds of the recording. Raises EngineError."""
        ...

    def decode_all(self, windows: Sequence[Window], decoding: Decoding) -> list[tuple[Word, ...]]:
        """The words of several windows at once, each window's in its place. Raises EngineError, then for all."""
        ...

    def split(self, samples: Samples) -> list[tuple[float, float]]:
        """Stretches of speech of at most 30 s, in seconds, of a whole recording. Raises EngineError."""
        ...

    def close(self) -> None:
        """Nothing more is asked; whoever still waits for an answer that does not come waits no longer."""
        ...


@dataclass(frozen=True, slots=True)
class _Decoded:
    """One attempt at a window, before its words are timed."""

    tokens: tuple[int, ...]
    text: str
    log_probability: float
    no_speech_probability: float
    #: Whether the decoder came to an end by itself, within a speaker's pace.
    is_complete: bool = True

    @property
    def is_silence(self) -> bool:
        unsure = self.log_probability < LOG_PROBABILITY_THRESHOLD
        return not self.text.strip() or (self.no_speech_probability > NO_SPEECH_THRESHOLD and unsure)

    @property
    def is_sound(self) -> bool:
        return not self.is_loop and self.log_probability >= LOG_PROBABILITY_THRESHOLD

    @property
    def is_loop(self) -> bool:
        return not self.is_complete or _compression(self.text) > COMPRESSION_THRESHOLD


NO_DECODE = _Decoded((), "", 0.0, 1.0)


def fit_together(one: Window, other: Window, decoding: Decoding) -> bool:
    """Whether decoding both at once is cheaper than one after the other."""
    if decoding.tail_s is None:
        return True
    shorter_s, longer_s = sorted((one.duration_s + decoding.tail_s, other.duration_s + decoding.tail_s))
    return shorter_s >= LEAST_SHARE * longer_s


@dataclass(slots=True)
class Timing:
    """Wall seconds spent so far."""

    decode_s: float = 0.0
    align_s: float = 0.0


class WhisperXEngine:
    """WhisperX's own pipeline (model, tokenizer, voice detection) with guards against loops and inventions."""

    def __init__(
        self,
        pipeline: Any,
        name: str,
        device: str,
        aligner: Aligner | None,
        lighter: Callable[[], Any] | None = None,
    ) -> None:
        """`lighter` loads the model so that it takes less memory, where that can be."""
        self._pipeline = pipeline
        self._lighter = lighter
        self._lighten_lock = threading.Lock()
        self._model = pipeline.model
        self._tokenizer = pipeline.tokenizer
        self._name = name
        self._device = device
        self._aligner = aligner
        self._gave_back_s = time.monotonic()
        self.timing = Timing()

    @property
    def name(self) -> str:
        return self._name

    @property
    def problem(self) -> str | None:
        """None: what goes wrong here is told by the call in which it does."""
        return None

    def close(self) -> None:
        """Nothing to let go of: the weights go with the engine."""

    def decode(self, window: Window, decoding: Decoding) -> tuple[Word, ...]:
        """See `Engine.decode`. Silence gives no words; a loop is decoded again at full length and warmer."""
        return self.decode_all([window], decoding)[0]

    def decode_all(self, windows: Sequence[Window], decoding: Decoding) -> list[tuple[Word, ...]]:
        """See `Engine.decode_all`. Only windows that are about as long gain from it: see `fit_together`."""
        longest_s = max((window.duration_s for window in windows), default=0.0)
        if longest_s > MAX_WINDOW_S:
            raise EngineError(f"A window of {longest_s:.0f} s is longer than Whisper's 30 s.")
        began_s = time.perf_counter()
        try:
            heard = self._within_memory(windows, decoding)
        except (RuntimeError, ValueError) as error:
            raise EngineError("Speech recognition failed on a stretch of audio.") from error
        self.timing.decode_s += (decoded_s := time.perf_counter()) - began_s
        self._give_back_if_due()
        if not (decoding.refine_times and self._aligner):
            return heard
        refine = self._aligner.refine
        refined = [
            words and refine(words, window.samples, window.start_s)
            for words, window in zip(heard, windows, strict=True)
        ]
        self.timing.align_s += time.perf_counter() - decoded_s
        return refined

    def split(self, samples: Samples) -> list[tuple[float, float]]:
        """See `Engine.split`; WhisperX's voice detection, merged to windows of 30 s as WhisperX does it."""
        import torch

        vad = self._pipeline.vad_model
        try:
            scores = vad({"waveform": torch.from_numpy(samples[None, :]), "sample_rate": SAMPLE_RATE})
            merged = vad.merge_chunks(scores, chunk_size=MAX_WINDOW_S, onset=0.5, offset=0.363)
        except (RuntimeError, ValueError) as error:
            raise EngineError("Voice detection failed on this recording.") from error
        end_s = len(samples) / SAMPLE_RATE
        return [(max(0.0, part["start"]), min(end_s, part["end"], part["start"] + MAX_WINDOW_S)) for part in merged]

    def _give_back_if_due(self) -> None:
        now_s = time.monotonic()
        if now_s - self._gave_back_s >= GIVE_BACK_EVERY_S:
            self._gave_back_s = now_s
            give_back()

    def _within_memory(self, windows: Sequence[Window], decoding: Decoding) -> list[tuple[Word, ...]]:
        """Where several windows are too much, one after the other; of a window by itself, fewer beams."""
        if len(windows) > 1:
            together = Attempt(f"{len(windows)} windows", lambda: self._recognise(windows, decoding))
            apart = Attempt("one window", lambda: [self._within_memory([each], decoding)[0] for each in windows])
            return first_that_fits([together, apart])
        small = replace(decoding, beam_size=1, insist=False)
        attempts = [
            Attempt(f"{decoding.beam_size} beams", lambda: self._recognise(windows, decoding)),
            Attempt("one beam", lambda: self._recognise(windows, small)),
        ]
        if self._lighter:
            attempts.append(
                Attempt(f"{SMALLEST_COMPUTE_TYPE} weights", lambda: self._recognise_lighter(windows, small))
            )
        model = self._model
        try:
            return first_that_fits(attempts)
        except RuntimeError:
            with self._lighten_lock:
                if self._model is model:
                    raise
        return self._recognise(windows, decoding)  # the other thread had taken the model away

    def _recognise_lighter(self, windows: Sequence[Window], decoding: Decoding) -> list[tuple[Word, ...]]:
        with self._lighten_lock:
            if lighter := self._lighter:
                self._model.model.unload_model()  # makes room first: both together fit even less
                try:
                    self._model, self._lighter = lighter(), None
                except RuntimeError:
                    self._model.model.load_model()
                    raise
        return self._recognise(windows, decoding)

    def _recognise(self, windows: Sequence[Window], decoding: Decoding) -> list[tuple[Word, ...]]:
        """Silent windows are left out; those without a prompt cannot be decoded with those that have one."""
        heard: list[tuple[Word, ...]] = [()] * len(windows)
        loud = [at for at, each in enumerate(windows) if np.abs(each.samples).max(initial=0.0) >= QUIET_PEAK]
        for has_prompt in (True, False):
            places = [at for at in loud if bool(windows[at].prompt) == has_prompt]
            if places:
                words = self._recognise_together([windows[at] for at in places], decoding)
                for at, each in zip(places, words, strict=True):
                    heard[at] = each
        return heard

    def _recognise_together(self, windows: Sequence[Window], decoding: Decoding) -> list[tuple[Word, ...]]:
        encoded = self._encode(windows, decoding.tail_s)
        decoded = self._generate(encoded, windows, decoding.beam_size)
        unsound = [not each.is_silence and not each.is_sound and decoding.insist for each in decoded]
        shown = [NO_DECODE if again else each for each, again in zip(decoded, unsound, strict=True)]
        heard = self._time_words(encoded, shown, windows)
        for at, window in enumerate(windows):
            if unsound[at]:
                encoded, better = self._decode_again(window, decoded[at])
                heard[at] = self._time_words(encoded, [better], [window])[0]
        return heard

    def _encode(self, windows: Sequence[Window], tail_s: float | None) -> Any:
        longest_s = max(window.heard_s for window in windows)
        seconds = MAX_WINDOW_S if tail_s is None else min(MAX_WINDOW_S, longest_s + tail_s)
        frames = int(seconds * FRAMES_PER_S)
        features = []
        for window in windows:
            padded = np.zeros(int(seconds * SAMPLE_RATE) + 400, np.float32)
            first = round(window.lead_s * SAMPLE_RATE)
            padded[first : first + len(window.samples)] = window.samples
            features.append(self._model.feature_extractor(padded)[:, :frames])
        return self._model.encode(np.stack(features))

    def _generate(
        self, encoded: Any, windows: Sequence[Window], beam_size: int, temperature: float = 0.0
    ) -> list[_Decoded]:
        prompts = self._prompts(windows)
        # CTranslate2 gives the answer the smaller of max_length / 2 and max_length less the prompt.
        room = max(map(_room, windows))
        results = self._model.model.generate(
            encoded,
            prompts,
            beam_size=beam_size if temperature == 0 else 1,
            sampling_temperature=temperature,
            sampling_topk=0 if temperature else 1,
            max_length=min(max(2 * room, len(prompts[0]) + room), self._model.max_length),
            suppress_blank=True,
            suppress_tokens=[-1],
            return_scores=True,
            return_no_speech_prob=True,
        )
        return [self._read(result, window) for result, window in zip(results, windows, strict=True)]

    def _read(self, result: Any, window: Window) -> _Decoded:
        tokens = tuple(token for token in result.sequences_ids[0] if token < self._tokenizer.eot)
        text = self._tokenizer.decode(tokens)
        is_hurried = len(tokens) > HURRIED_TOKENS_PER_S * window.duration_s
        is_complete = len(tokens) < _room(window) and not (is_hurried and _says_thrice(text))
        return _Decoded(tokens, text, result.scores[0], result.no_speech_prob, is_complete)

    def _decode_again(self, window: Window, first: _Decoded) -> tuple[Any, _Decoded]:
        """The best of the full-length decode and, while that is unsound, warmer ones; never a loop."""
        encoded = self._encode([window], None)
        attempts = self._generate(encoded, [window], FINAL.beam_size)
        for temperature in FALLBACK_TEMPERATURES:
            if attempts[-1].is_sound or attempts[-1].is_silence:
                return encoded, attempts[-1]
            attempts += self._generate(encoded, [window], 1, temperature)
        straight = [each for each in (*attempts, first) if not each.is_loop]
        if not straight:
            log.warning("A stretch of %.1f s was left out: recognition looped on it.", window.duration_s)
            return encoded, NO_DECODE
        return encoded, max(straight, key=lambda each: each.log_probability)

    def _prompts(self, windows: Sequence[Window]) -> list[list[int]]:
        """The prompts of windows that all have one or all have none, filled up to one length."""
        prompts = [self._prompt_tokens(window.prompt) for window in windows]
        filler = self._tokenizer.encode(FILLER)[:1]
        longest = max(map(len, prompts))
        return [prompt[:1] + filler * (longest - len(prompt)) + prompt[1:] for prompt in prompts]

    def _prompt_tokens(self, prompt: str) -> list[int]:
        sot = [*self._tokenizer.sot_sequence, self._tokenizer.no_timestamps]
        if not prompt:
            return sot
        return [self._tokenizer.sot_prev, *self._tokenizer.encode(" " + prompt.strip())[-MAX_PROMPT_TOKENS:], *sot]

    def _time_words(
        self, encoded: Any, decoded: Sequence[_Decoded], windows: Sequence[Window]
    ) -> list[tuple[Word, ...]]:
        tokens = [[] if each.is_silence or each.is_loop else list(each.tokens) for each in decoded]
        if not any(tokens):
            return [()] * len(windows)
        frames = [max(2, int(window.heard_s * FRAMES_PER_S)) for window in windows]
        parts = self._model.find_alignment(self._tokenizer, tokens, encoded, frames)
        return [_join_word_parts(of, window) for of, window in zip(parts, windows, strict=True)]


def _join_word_parts(parts: Sequence[dict[str, Any]], window: Window) -> tuple[Word, ...]:
    """Whole words from the tokenizer's parts: whatever does not begin with a space belongs to the word before."""

    def in_recording(heard_s: float) -> float:
        return window.start_s + min(max(0.0, heard_s - window.lead_s), window.duration_s)

    words: list[Word] = []
    for part in parts:
        text = part["word"]
        if not text.strip():
            continue
        begin = in_recording(float(part["start"]))
        end = max(begin, in_recording(float(part["end"])))
        probability = float(part["probability"])
        if words and not text.startswith(" "):
            last = words[-1]
            lowest = min(last.probability or 0.0, probability) if text.strip().isalnum() else last.probability
            words[-1] = Word(last.text + text.strip(), last.start_s, end, lowest)
        else:
            words.append(Word(text.strip(), begin, end, probability))
    return tuple(words)


def _room(window: Window) -> int:
    """More tokens than anybody says in a window."""
    return int(MAX_TOKENS_PER_S * window.duration_s) + 12


def _says_thrice(text: str) -> bool:
    """Whether one phrase comes three times."""
    words = text.casefold().split()
    phrases = Counter(tuple(words[at : at + PHRASE_WORDS]) for at in range(len(words) - PHRASE_WORDS + 1))
    return max(phrases.values(), default=0) >= 3


def _compression(text: str) -> float:
    """How much smaller zlib makes a text; loops compress well."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0
