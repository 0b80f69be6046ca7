"""What is wrongly put right in ordinary speech: `python -m benchmarks.repairs FOLDER`.

FOLDER holds recordings (wav, flac, ogg, mp3, m4a or 16 kHz 16 bit raw) of people who speak of anything but an
endoscopy: whatever is repaired there is a false repair. Each recording is heard with each procedure's vocabulary. Then
every word is taken as heard without confidence, which is the hardest case.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.session import SAMPLE_RATE, Samples
from endoscribe.audio import load_audio
from endoscribe.errors import AudioError
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.settings import SHIPPED_SCHEMA_DIR, Settings
from endoscribe.speech.loading import load_engine
from endoscribe.speech.scheduler import Scheduler
from endoscribe.speech.terms.lexicon import Lexicon
from endoscribe.transcript import Word

DOUBTED = 0.1


def recordings(folder: Path) -> Iterator[Samples]:
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        if path.suffix == ".raw":
            yield np.fromfile(path, "<i2").astype(np.float32) / np.float32(32768)
            continue
        try:
            yield load_audio(path)
        except AudioError:  # a text beside them
            continue


def repairs(lexicon: Lexicon, words: tuple[Word, ...]) -> list[str]:
    """Each as `heard -> repaired`."""
    return [f"{word.heard} -> {word.text}" for word in lexicon.repair(words) if word.heard]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="base")
    options = parser.parse_args()
    spoken = list(recordings(options.folder))
    engine = load_engine(Settings.from_environment().model_copy(update={"whisper_model": options.model}))
    scheduler = Scheduler(engine)
    try:
        for schema in SchemaLibrary(SHIPPED_SCHEMA_DIR):
            lexicon = Lexicon.of(schema)
            heard = [scheduler.transcribe(samples, schema) for samples in spoken]
            texts = [[word for segment in each.segments for word in segment.words] for each in heard]
            doubted = [
                [replace(word, text=word.heard or word.text, heard=None, probability=DOUBTED) for word in text]
                for text in texts
            ]
            row = {
                "procedure": schema.id,
                "recordings": len(spoken),
                "audio_s": round(sum(map(len, spoken)) / SAMPLE_RATE),
                "words": sum(map(len, texts)),
                "repairs": [f"{word.heard} -> {word.text}" for text in texts for word in text if word.heard],
                "repairs_if_all_were_doubted": [each for text in doubted for each in repairs(lexicon, tuple(text))],
            }
            print(json.dumps(row))
    finally:
        scheduler.close()


if __name__ == "__main__":
    main()
