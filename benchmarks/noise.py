"""Words heard where nobody speaks: `python -m benchmarks.noise`, a minute of each noise by the live and the final path.

The noises are synthetic, so that anybody can make them again. The figure to reach is 0 words a minute.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.session import SAMPLE_RATE, Samples
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.settings import SHIPPED_SCHEMA_DIR, Settings
from endoscribe.speech.live import LiveOptions
from endoscribe.speech.loading import load_engine
from endoscribe.speech.playback import LiveEvent, play
from endoscribe.speech.scheduler import Scheduler

MINUTE = 60 * SAMPLE_RATE


def silence(_random: np.random.Generator) -> Samples:
    return np.zeros(MINUTE, np.float32)


def room(random: np.random.Generator, level: float = 0.005) -> Samples:
    """Pink noise, as a ventilated room sounds, with a mains hum beneath; -46 dB of full scale."""
    seconds = np.arange(MINUTE) / SAMPLE_RATE
    return (level * (_coloured(random, MINUTE, 1.0) + 0.5 * np.sin(2 * np.pi * 50 * seconds))).astype(np.float32)


def loud_room(random: np.random.Generator) -> Samples:
    """The same at -26 dB: a suction pump beside the microphone."""
    return room(random, level=0.05)


def keyboard(random: np.random.Generator) -> Samples:
    """Six keys a second, in bursts: a click going down, a softer one coming up, in a quiet room."""
    heard = room(random, level=0.001)
    for second in random.uniform(0, 59.5, 6 * 60):
        if int(second) % 5 < 3:
            _add(heard, second, 0.2 * _burst(random, 0.012, 0.0))
            _add(heard, second + 0.09, 0.08 * _burst(random, 0.010, 0.0))
    return heard


def coughs(random: np.random.Generator) -> Samples:
    """A cough every four seconds: a blast, then a shorter one, through a throat's two strongest resonances."""
    heard = room(random, level=0.001)
    for second in range(1, 58, 4):
        start_s = second + random.uniform(0, 1.5)
        for delay_s, loud in ((0.0, 0.4), (0.35, 0.25)):
            _add(heard, start_s + delay_s, loud * _throat(_burst(random, 0.12, 0.5)))
    return heard


NOISES: dict[str, Callable[[np.random.Generator], Samples]] = {
    "silence": silence,
    "room noise": room,
    "loud room": loud_room,
    "keyboard": keyboard,
    "coughs": coughs,
}


def words_heard(scheduler: Scheduler, samples: Samples, procedure: str) -> dict[str, int]:
    """How many words were shown live at any moment, committed, in the text after Stop, and in that of an upload."""
    schema = SchemaLibrary(SHIPPED_SCHEMA_DIR).get(procedure)
    events: list[LiveEvent] = []
    (summary,) = play(scheduler, [(Path("noise"), samples)], schema, 0, events.append)
    return {
        "shown": max((len(f"{event.committed} {event.tentative}".split()) for event in events), default=0),
        "committed": len(events[-1].committed.split()) if events else 0,
        "after_stop": len(summary.text.split()),
        "upload": len(scheduler.transcribe(samples, schema).text.split()),
    }


def _coloured(random: np.random.Generator, length: int, exponent: float) -> npt.NDArray[np.float64]:
    """Noise whose power falls with frequency to the `exponent`; of unit standard deviation."""
    spectrum = np.fft.rfft(random.standard_normal(length))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** (exponent / 2)
    spectrum[0] = 0
    noise: npt.NDArray[np.float64] = np.fft.irfft(spectrum, length)
    noise /= noise.std()
    return noise


def _burst(random: np.random.Generator, decay_s: float, exponent: float) -> npt.NDArray[np.float64]:
    length = int(6 * decay_s * SAMPLE_RATE)
    return _coloured(random, length, exponent) * np.exp(-np.arange(length) / SAMPLE_RATE / decay_s)


def _throat(blast: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    frequencies = np.fft.rfftfreq(len(blast), 1 / SAMPLE_RATE)
    gain = 0.1 + sum(np.exp(-(((frequencies - centre) / 250) ** 2)) for centre in (600, 1_500))
    shaped: npt.NDArray[np.float64] = np.fft.irfft(np.fft.rfft(blast) * gain, len(blast))
    shaped /= np.abs(shaped).max()
    return shaped


def _add(heard: Samples, start_s: float, sound: npt.NDArray[np.float64]) -> None:
    first = int(start_s * SAMPLE_RATE)
    fitting = sound[: len(heard) - first]
    heard[first : first + len(fitting)] += fitting.astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=Path("results.jsonl"))
    parser.add_argument("--model", default="base")
    parser.add_argument("--procedure", default="col")
    options = parser.parse_args()
    engine = load_engine(Settings.from_environment().model_copy(update={"whisper_model": options.model}))
    scheduler = Scheduler(engine, options=LiveOptions(catch_up=False))
    try:
        for name, noise in NOISES.items():
            heard = words_heard(scheduler, noise(np.random.default_rng(1)), options.procedure)
            command = f"python -m benchmarks.noise results.jsonl --model {options.model}"
            row = {"case": f"noise-{options.model}-{name}", "noise": name, **heard, "command": command}
            with options.results.open("a") as lines:
                lines.write(json.dumps(row) + "\n")
            print(row)
    finally:
        scheduler.close()


if __name__ == "__main__":
    main()
