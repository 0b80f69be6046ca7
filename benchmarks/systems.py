"""EndoScribe, WhisperX and the naive page, each run in a process of its own: `python -m benchmarks.systems NAME ...`.

`endoscribe` follows the speakers live. `whisperx` transcribes with WhisperX's own call once the speaker has stopped.
`naive` does what a page does that keeps all audio and transcribes it anew again and again. `clock` gives the words of a
recording with their times, which all latencies are measured against.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.session import SAMPLE_RATE, STAGGER_S, Job, Listening, Meter, Samples, Shown
from endoscribe.errors import BusyError
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.settings import SHIPPED_SCHEMA_DIR, Settings
from endoscribe.speech.engine import FINAL, WhisperXEngine, Window
from endoscribe.speech.live import LiveOptions
from endoscribe.speech.live_session import vocabulary_of
from endoscribe.speech.loading import load_engine
from endoscribe.speech.playback import LiveEvent, play
from endoscribe.speech.scheduler import Scheduler

#: The naive page transcribes again so long after it began the last time, or as soon as it is done.
NAIVE_INTERVAL_S = 2.0
BATCH_SIZE = 8


def endoscribe(job: Job) -> tuple[list[Listening], Meter]:
    """All speakers at one scheduler, as on the page."""
    scheduler = Scheduler(_engine(job.model), options=LiveOptions(catch_up=True))
    listenings = [Listening() for _ in job.audio]
    chosen = [[(at_s, _schema(procedure)) for at_s, procedure in each] for each in job.procedures]

    def speak(number: int) -> None:
        time.sleep(number * STAGGER_S)
        heard = listenings[number]

        def show(event: LiveEvent) -> None:
            heard.shown.append(Shown(event.wall_s, event.committed, event.tentative))

        recording = (Path(f"speaker{number}"), job.audio[number])
        try:
            (_, first), *changes = chosen[number]
            (summary,) = play(scheduler, [recording], first, 1.0, show, changes)
        except BusyError:
            heard.refused = True
        else:
            heard.final, heard.stop_to_final_s = summary.text, summary.stop_to_final_s

    threads = [threading.Thread(target=speak, args=(number,)) for number in range(len(job.audio))]
    with Meter() as meter:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    scheduler.close()
    return listenings, meter


def whisperx(job: Job) -> tuple[list[Listening], Meter]:
    """WhisperX on the whole recording, after Stop."""
    transcribe = _whisperx(job)
    heard = Listening()
    with Meter() as meter:
        began_s = time.monotonic()
        heard.final = transcribe(job.audio[0])
        heard.stop_to_final_s = time.monotonic() - began_s
    return [heard], meter


def naive(job: Job) -> tuple[list[Listening], Meter]:
    """WhisperX on all audio so far, again and again; nothing is ever committed before the end."""
    transcribe = _whisperx(job)
    (samples,), heard = job.audio, Listening()
    stop_s, next_s = len(samples) / SAMPLE_RATE, NAIVE_INTERVAL_S
    with Meter() as meter:
        began_s = time.monotonic()
        while next_s < stop_s:
            time.sleep(max(0.0, began_s + next_s - time.monotonic()))
            so_far = int((time.monotonic() - began_s) * SAMPLE_RATE)
            if so_far >= len(samples):
                break
            next_s = so_far / SAMPLE_RATE + NAIVE_INTERVAL_S
            text = transcribe(samples[:so_far])
            heard.shown.append(Shown(time.monotonic() - began_s, "", text))
        time.sleep(max(0.0, began_s + stop_s - time.monotonic()))
        heard.final = transcribe(samples)
        heard.stop_to_final_s = time.monotonic() - began_s - stop_s
    return [heard], meter


def clock(job: Job) -> list[tuple[str, float]]:
    """The words of a recording and the second at which each one ends."""
    engine, (samples,) = _engine(job.model), job.audio
    glossary = _glossary(job.procedures[0][0][1])
    windows = [
        Window(samples[int(start_s * SAMPLE_RATE) : int(end_s * SAMPLE_RATE)], start_s, glossary)
        for start_s, end_s in engine.split(samples)
    ]
    return [(word.text, word.end_s) for window in windows for word in engine.decode(window, FINAL)]


def _engine(model: Path) -> WhisperXEngine:
    """On the CPU, for which the cases are made, unless ENDOSCRIBE_DEVICE says otherwise."""
    device = os.environ.get("ENDOSCRIBE_DEVICE", "cpu")
    return load_engine(Settings.from_environment().model_copy(update={"whisper_model": str(model), "device": device}))


def _whisperx(job: Job) -> Callable[[Samples], str]:
    """WhisperX as its own documentation uses it, int8 on all cores.

    With the vocabulary it is told where each procedure begins and hears each stretch with that procedure's glossary.
    """
    from whisperx import asr

    pipeline: Any = asr.load_model(
        str(job.model),
        "cpu",
        compute_type="int8",
        language="en",
        vad_method="pyannote",
        threads=Settings.from_environment().threads,
    )

    def transcribe(samples: Samples, glossary: str | None = None) -> str:
        pipeline.options = replace(pipeline.options, initial_prompt=glossary)
        segments = pipeline.transcribe(samples, batch_size=BATCH_SIZE)["segments"]
        return " ".join(segment["text"].strip() for segment in segments)

    def transcribe_stretches(samples: Samples) -> str:
        starts = [int(at_s * SAMPLE_RATE) for at_s, _ in job.procedures[0]]
        glossaries = [_glossary(procedure) for _, procedure in job.procedures[0]]
        ends = [*starts[1:], len(samples)]
        return " ".join(
            transcribe(samples[first:end], glossary)
            for first, end, glossary in zip(starts, ends, glossaries, strict=True)
        )

    return transcribe_stretches if job.vocabulary else transcribe


def _schema(procedure: str) -> ProcedureSchema:
    return SchemaLibrary(SHIPPED_SCHEMA_DIR).get(procedure)


def _glossary(procedure: str) -> str:
    return vocabulary_of(_schema(procedure))


def main() -> None:
    name, job = sys.argv[1], Job.from_arguments()
    if name == "clock":
        job.out.write_text(json.dumps(clock(job)))
    else:
        job.save(*{"endoscribe": endoscribe, "whisperx": whisperx, "naive": naive}[name](job))


if __name__ == "__main__":
    main()
