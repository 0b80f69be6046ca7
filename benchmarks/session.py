"""What every compared system does alike: hear dictations in real time, keep what it showed and when, and what it cost.

This module knows no system and needs numpy only, so that it runs in a peer's environment too.
"""

import argparse
import json
import os
import resource
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16_000
CHUNK_SAMPLES = SAMPLE_RATE // 10
METER_INTERVAL_S = 60.0
#: Speakers begin so long after each other, as people do; admission control needs somebody's wait to measure.
STAGGER_S = 4.0

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shown:
    """What was on the screen from `wall_s` on, in seconds since the first sample was spoken."""

    wall_s: float
    committed: str
    tentative: str


@dataclass
class Listening:
    """How one speaker was served."""

    shown: list[Shown] = field(default_factory=list)
    final: str = ""
    stop_to_final_s: float | None = None
    #: The text was still incomplete when waiting for it ended, `stop_to_final_s` after Stop.
    gave_up: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Cost:
    """One reading of the meter: CPU seconds since the start of listening, of all threads and children."""

    wall_s: float
    cpu_s: float
    rss_mb: float
    #: CPU seconds that the whole machine was busy in the same time.
    machine_cpu_s: float


class Meter:
    """Reads CPU time and memory every minute while `with` lasts."""

    def __init__(self) -> None:
        self.readings: list[Cost] = []
        self._began_s = self._began_cpu_s = self._began_machine_cpu_s = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Meter":
        self._began_s, self._began_cpu_s, self._began_machine_cpu_s = time.monotonic(), _cpu_s(), _machine_cpu_s()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.read()

    def read(self) -> None:
        wall_s, cpu_s = time.monotonic() - self._began_s, _cpu_s() - self._began_cpu_s
        machine_cpu_s = _machine_cpu_s() - self._began_machine_cpu_s
        self.readings.append(Cost(round(wall_s, 3), round(cpu_s, 3), round(_rss_mb(), 1), round(machine_cpu_s, 3)))

    def _run(self) -> None:
        while not self._done.wait(METER_INTERVAL_S):
            self.read()


@dataclass(frozen=True)
class Job:
    """What a system's process is asked to do."""

    audio: list[Samples]
    model: Path
    #: Of each recording: the procedures chosen in it, each behind its second.
    procedures: list[list[tuple[float, str]]]
    vocabulary: bool
    out: Path

    @classmethod
    def from_arguments(cls) -> "Job":
        parser = argparse.ArgumentParser()
        parser.add_argument("--audio", type=Path, nargs="+", required=True, help="float32 mono 16 kHz, .npy")
        parser.add_argument("--procedures", type=json.loads, nargs="+", required=True, help="[[second, id], ...]")
        parser.add_argument("--model", type=Path, required=True)
        parser.add_argument("--vocabulary", action="store_true")
        parser.add_argument("--out", type=Path, required=True)
        options, _ = parser.parse_known_args()
        audio = [np.load(path) for path in options.audio]
        return cls(audio, options.model, options.procedures, options.vocabulary, options.out)

    def save(self, listenings: list[Listening], meter: Meter) -> None:
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        cost = {"readings": [asdict(reading) for reading in meter.readings], "peak_rss_mb": round(peak_mb, 1)}
        self.out.write_text(json.dumps({"listenings": [asdict(each) for each in listenings], **cost}))


def chunks(samples: Samples) -> Iterator[Samples]:
    """What a microphone hands over, 0.1 s at a time."""
    for first in range(0, len(samples), CHUNK_SAMPLES):
        yield samples[first : first + CHUNK_SAMPLES]


def _cpu_s() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _machine_cpu_s() -> float:
    """Linux: user, nice, system, interrupts and what other virtual machines took, of all processors; see proc(5)."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024**2
