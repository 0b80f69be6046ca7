"""When each word was said, more exactly than the decoder knows: WhisperX's alignment with wav2vec2.

This module knows nothing of Whisper: it gets words and their audio and gives the words back with other times.
"""

import logging
from pathlib import Path
from typing import Any

from endoscribe.audio import SAMPLE_RATE, Samples
from endoscribe.errors import WeightsError
from endoscribe.settings import Settings
from endoscribe.speech.weights import obtain_aligner
from endoscribe.transcript import Word

log = logging.getLogger(__name__)


#: An empty sentence model. WhisperX's alignment asks nltk for one, which nltk would download; word times do not depend
#: on where sentences are thought to end.
NLTK_DATA = Path(__file__).parent / "nltk_data"


class Aligner:
    """WhisperX's forced alignment of words already decoded."""

    def __init__(self, model: Any, metadata: dict[str, Any], device: str) -> None:
        self._model, self._metadata, self._device = model, metadata, device

    def refine(self, words: tuple[Word, ...], samples: Samples, start_s: float) -> tuple[Word, ...]:
        """The same words with the alignment's times; a word that it cannot place keeps its own.

        `samples` are float32 mono 16 kHz; they begin at `start_s` of the recording, as the words' times do.
        """
        from whisperx.alignment import align

        text = " ".join(word.text for word in words)
        duration_s = len(samples) / SAMPLE_RATE
        segment = {"text": text, "start": 0.0, "end": duration_s}
        try:
            result = align([segment], self._model, self._metadata, samples, self._device)
        except (RuntimeError, ValueError, LookupError):
            log.warning("Alignment failed on a stretch of %.1f s; its words keep the decoder's times.", duration_s)
            return words
        placed = result["word_segments"]
        if [each["word"] for each in placed] != [word.text for word in words]:
            return words
        return tuple(_placed(word, each, start_s) for word, each in zip(words, placed, strict=True))


def _placed(word: Word, aligned: dict[str, Any], start_s: float) -> Word:
    if aligned.get("start") is None or aligned.get("end") is None:
        return word
    return Word(word.text, start_s + float(aligned["start"]), start_s + float(aligned["end"]), word.probability)


def load_aligner(settings: Settings, device: str) -> Aligner | None:
    """WhisperX's alignment model, its digest verified, or None with a warning where it cannot be had."""
    try:
        folder = obtain_aligner(settings.language, settings.models_dir)
        model, metadata = _load_model(settings.language, folder, device)
    except (WeightsError, OSError, RuntimeError, ValueError) as error:
        log.warning(
            "The WhisperX alignment model cannot be had (%s): word times come from the decoder's cross-attention.",
            error if isinstance(error, WeightsError) else type(error).__name__,
        )
        return None
    log.info("WhisperX alignment model loaded successfully!")
    return Aligner(model, metadata, device)


def _load_model(language: str, folder: Path, device: str) -> tuple[Any, dict[str, Any]]:
    """Imports what alignment needs, 318 modules, which nobody waits for where its weights cannot be had."""
    import nltk
    from whisperx import alignment

    nltk.data.path.insert(0, str(NLTK_DATA))
    model, metadata = alignment.load_align_model(language, device, model_dir=str(folder))
    return model, metadata
