"""WhisperLiveKit as a peer, in its own environment: `.venv-benchmarks/bin/python -m benchmarks.livekit ...`.

LocalAgreement on faster-whisper, its settings as shipped; the same CTranslate2 weights as everybody else. It is given
PCM, so that no ffmpeg is needed, and used as a library, so that no socket stands between.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

import numpy as np
from whisperlivekit import AudioProcessor, TranscriptionEngine

from benchmarks.session import STAGGER_S, Job, Listening, Meter, Samples, Shown, chunks

SAMPLE_RATE = 16_000
#: How long after Stop the rest of the text is waited for.
PATIENCE_S = 60.0


def load(model: Path) -> Any:
    return TranscriptionEngine(
        backend="faster-whisper",
        backend_policy="localagreement",
        model_path=str(model),
        lan="en",
        pcm_input=True,
    )


async def listen(engine: Any, samples: Samples, delay_s: float) -> Listening:
    """Speak to one session in real time and read what it shows."""
    await asyncio.sleep(delay_s)
    heard, session = Listening(), AudioProcessor(transcription_engine=engine)
    results = await session.create_tasks()
    began_s = time.monotonic()
    reader = asyncio.create_task(_read(results, heard, began_s))
    spoken = 0
    for chunk in chunks(samples):
        spoken += len(chunk)
        await asyncio.sleep(max(0.0, began_s + spoken / SAMPLE_RATE - time.monotonic()))
        await session.process_audio((chunk * 32_767).astype(np.int16).tobytes())
    stopped_s = time.monotonic()
    await session.process_audio(b"")
    _, unfinished = await asyncio.wait([reader], timeout=PATIENCE_S)
    heard.gave_up, heard.stop_to_final_s = bool(unfinished), time.monotonic() - stopped_s
    for task in unfinished:
        task.cancel()
    await session.cleanup()
    last = heard.shown[-1] if heard.shown else Shown(0.0, "", "")
    heard.final = f"{last.committed} {last.tentative}".strip()
    return heard


async def _read(results: Any, heard: Listening, began_s: float) -> None:
    async for state in results:
        committed = " ".join(line.text.strip() for line in state.lines if line.text)
        heard.shown.append(Shown(time.monotonic() - began_s, committed, state.buffer_transcription.strip()))


async def listen_to_all(job: Job) -> tuple[list[Listening], Meter]:
    engine = load(job.model)
    with Meter() as meter:
        sessions = [listen(engine, samples, number * STAGGER_S) for number, samples in enumerate(job.audio)]
        listenings = await asyncio.gather(*sessions)
    return list(listenings), meter


def main() -> None:
    job = Job.from_arguments()
    job.save(*asyncio.run(listen_to_all(job)))


if __name__ == "__main__":
    main()
