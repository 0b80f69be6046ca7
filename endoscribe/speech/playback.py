"""Recordings played as live microphones, and how well the live text kept up with them."""

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from endoscribe.audio import SAMPLE_RATE
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.speech.scheduler import Scheduler
from endoscribe.transcript import LiveTranscript, Transcript, Word

CHUNK_SAMPLES = SAMPLE_RATE // 10


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """What a speaker's screen shows at one moment."""

    speaker: str
    audio_s: float
    wall_s: float
    committed: str
    tentative: str


@dataclass(frozen=True, slots=True)
class Summary:
    """How one speaker was served; latencies are None where nothing was played in real time.

    `first_word_s`: the first word shown, minus its spoken end. `commit_p50_s`, `commit_p95_s`: a word committed, minus
    its spoken end. `flicker`: displayed words that changed later, over the words of the final text. `rewrites`: words
    committed and then changed. `rtf`: CPU seconds over audio seconds, shared evenly among simultaneous speakers.
    """

    speaker: str
    text: str
    audio_s: float
    cpu_s: float
    rtf: float
    first_word_s: float | None
    commit_p50_s: float | None
    commit_p95_s: float | None
    flicker: float
    rewrites: int
    stop_to_final_s: float | None


@dataclass
class Observer:
    """Watches one speaker's live text; times are seconds since the first sample was played."""

    first_word_s: float | None = None
    commit_latencies_s: list[float] = field(default_factory=list)
    changed: int = 0
    rewrites: int = 0
    _shown: LiveTranscript = field(default_factory=LiveTranscript)

    def see(self, live: LiveTranscript, wall_s: float) -> None:
        before, known = self._shown, len(self._shown.committed)
        if self.first_word_s is None and (words := (*live.committed, *live.tentative)):
            self.first_word_s = wall_s - words[0].end_s
        self.rewrites += _differing(before.committed, live.committed[:known])
        self.commit_latencies_s += [wall_s - word.end_s for word in live.committed[known:]]
        self.changed += _differing(before.tentative, (*live.committed[known:], *live.tentative))
        self._shown = live


def play(
    scheduler: Scheduler,
    recordings: Sequence[tuple[Path, npt.NDArray[np.float32]]],
    schema: ProcedureSchema | None,
    speed: float,
    on_event: Callable[[LiveEvent], None],
    changes: Sequence[tuple[float, ProcedureSchema]] = (),
) -> list[Summary]:
    """Let all recordings speak at once, `speed` times as fast as spoken; 0 is as fast as they can be heard.

    `changes` are the seconds of the recordings at which another procedure is chosen, in their order.
    Raises BusyError or EngineError of the first speaker that could not be served.
    """
    began_cpu_s = time.process_time()
    players = [_Player(scheduler, path, samples, schema, speed, on_event, changes) for path, samples in recordings]
    for player in players:
        player.thread.start()
    for player in players:
        player.thread.join()
    for player in players:
        if player.error:
            raise player.error
    cpu_s = (time.process_time() - began_cpu_s) / len(players)
    return [player.summary(cpu_s) for player in players]


class _Player:
    def __init__(
        self,
        scheduler: Scheduler,
        path: Path,
        samples: npt.NDArray[np.float32],
        schema: ProcedureSchema | None,
        speed: float,
        on_event: Callable[[LiveEvent], None],
        changes: Sequence[tuple[float, ProcedureSchema]],
    ) -> None:
        self._changes = deque(changes)
        self.error: Exception | None = None
        self._name, self._samples, self._speed, self._on_event = path.stem, samples, speed, on_event
        self._observer = Observer()
        self._transcript: Transcript | None = None
        self._stop_to_final_s = 0.0
        self._began_s = time.monotonic()
        self._session = scheduler.open_session(schema, self._show)
        self.thread = threading.Thread(target=self._run, name=f"play-{path.stem}")

    def summary(self, cpu_s: float) -> Summary:
        seen, text = self._observer, self._transcript.text if self._transcript else ""
        latencies = sorted(seen.commit_latencies_s) if self._speed else []
        audio_s = len(self._samples) / SAMPLE_RATE
        return Summary(
            speaker=self._name,
            text=text,
            audio_s=round(audio_s, 3),
            cpu_s=round(cpu_s, 3),
            rtf=round(cpu_s / audio_s, 4),
            first_word_s=_rounded(seen.first_word_s) if self._speed else None,
            commit_p50_s=_rounded(statistics.median(latencies)) if latencies else None,
            commit_p95_s=_rounded(latencies[int(0.95 * (len(latencies) - 1))]) if latencies else None,
            flicker=round(seen.changed / max(1, len(text.split())), 4),
            rewrites=seen.rewrites,
            stop_to_final_s=_rounded(self._stop_to_final_s) if self._speed else None,
        )

    def _run(self) -> None:
        try:
            self._began_s = time.monotonic()
            for first in range(0, len(self._samples), CHUNK_SAMPLES):
                chunk = self._samples[first : first + CHUNK_SAMPLES]
                self._wait_until_spoken(first + len(chunk))
                while self._changes and self._changes[0][0] * SAMPLE_RATE <= first:
                    self._session.change_procedure(self._changes.popleft()[1])
                self._session.insert(chunk)
            stopped_s = time.monotonic()
            timeout_s = 120 + 2 * len(self._samples) / SAMPLE_RATE
            self._transcript = self._session.finish(timeout_s)
            self._stop_to_final_s = time.monotonic() - stopped_s
        except Exception as error:  # noqa: BLE001  (handed to the thread that waits in `play`)
            self.error = error

    def _wait_until_spoken(self, samples: int) -> None:
        if self._speed:
            due_s = self._began_s + samples / SAMPLE_RATE / self._speed
            time.sleep(max(0.0, due_s - time.monotonic()))

    def _show(self, live: LiveTranscript) -> None:
        wall_s = time.monotonic() - self._began_s
        self._observer.see(live, wall_s * self._speed if self._speed else self._session.audio_s)
        self._on_event(
            LiveEvent(
                self._name, round(self._session.audio_s, 3), round(wall_s, 3), live.committed_text, live.tentative_text
            )
        )


def _differing(before: Sequence[Word], after: Sequence[Word]) -> int:
    """How many of the words shown before are not shown in their place any more."""
    kept = sum(old.text.casefold() == new.text.casefold() for old, new in zip(before, after, strict=False))
    return len(before) - kept


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
