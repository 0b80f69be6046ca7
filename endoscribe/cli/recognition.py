"""`transcribe` and `stream`: recordings to text, whole or as if they were spoken now."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from endoscribe.cli.options import AsJson, ListenFor, Model, chosen_engine, chosen_schema, read_settings
from endoscribe.cli.output import print_json, say, tell, tell_progress

if TYPE_CHECKING:
    from endoscribe.settings import Settings
    from endoscribe.transcript import Transcript

app = typer.Typer()


@app.command()
def transcribe(file: Path, procedure: ListenFor = None, model: Model = None, as_json: AsJson = False) -> None:
    """A recording to text."""
    transcript, timing = hear(file, read_settings(), procedure, model)
    if as_json:
        print_json({"file": str(file), **transcript.to_json(), "timing": timing})
    else:
        say(transcript.text)


@app.command()
def stream(
    files: Annotated[list[Path], typer.Argument(metavar="FILE")],
    speed: Annotated[float, typer.Option("--speed", min=0, help="1 is as spoken, 0 as fast as possible")] = 1.0,
    procedure: ListenFor = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Play recordings as live microphones and measure the live text."""
    from endoscribe.audio import load_audio
    from endoscribe.speech.live import LiveOptions
    from endoscribe.speech.playback import LiveEvent, play
    from endoscribe.speech.scheduler import Scheduler

    settings = read_settings()
    schema = chosen_schema(settings, procedure)
    recordings = [(path, load_audio(path, settings.max_audio_minutes)) for path in files]

    def show(event: LiveEvent) -> None:
        text = f"{event.wall_s:7.1f} {event.committed[-60:]} | {event.tentative}"
        say(json.dumps(asdict(event)) if as_json else text)

    scheduler = Scheduler(chosen_engine(settings, model), options=LiveOptions(catch_up=speed > 0))
    try:
        summaries = play(scheduler, recordings, schema, speed, show)
    finally:
        scheduler.close()
    print_json({"summary": [asdict(summary) for summary in summaries]})


def hear(
    file: Path, settings: "Settings", procedure: str | None, model: str | None
) -> "tuple[Transcript, dict[str, float]]":
    """A recording's transcript and what it cost; the recording is looked at before the model is loaded."""
    from endoscribe.audio import load_audio
    from endoscribe.speech.scheduler import Scheduler
    from endoscribe.transcript import NO_SPEECH

    schema = chosen_schema(settings, procedure)
    samples = load_audio(file, settings.max_audio_minutes)
    began_s = time.perf_counter()
    engine = chosen_engine(settings, model)
    loaded_s, loaded_cpu_s = time.perf_counter(), time.process_time()
    scheduler = Scheduler(engine)
    try:
        transcript = scheduler.transcribe(samples, schema, tell_progress)
        tell_progress(1.0)  # the last word is not at the very end
    finally:
        scheduler.close()
    if not transcript.text.strip():
        tell(NO_SPEECH)
    timing = {
        "load_s": loaded_s - began_s,
        "decode_s": engine.timing.decode_s,
        "align_s": engine.timing.align_s,
        "cpu_s": time.process_time() - loaded_cpu_s,
    }
    return transcript, {name: round(seconds, 3) for name, seconds in timing.items()}
