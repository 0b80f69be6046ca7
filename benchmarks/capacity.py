"""More speakers than the machine can follow: who is told to wait, and how the others are served meanwhile.

`python -m benchmarks.capacity --speakers 20` lets one more begin every two seconds, each with a dictation of about a
minute in real time. Whoever is told to wait asks again every two seconds, as the page does, and keeps what is said.
"""

import argparse
import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.audio import Dictation, speakers
from benchmarks.scoring import word_error_rate
from endoscribe.errors import BusyError
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.settings import SHIPPED_SCHEMA_DIR, Settings
from endoscribe.speech.loading import load_engine
from endoscribe.speech.playback import LiveEvent, Summary, play
from endoscribe.speech.scheduler import Scheduler

STAGGER_S = 2.0
#: As `endoscribe/web/microphone/live_feed.py` does.
ASK_EVERY_S = 2.0


@dataclass
class Fate:
    """How one speaker fared."""

    dictation: Dictation
    waited_s: float = 0.0
    times_refused: int = 0
    summary: Summary | None = None

    @property
    def error_rate(self) -> float:
        return word_error_rate(self.dictation.text, self.summary.text) if self.summary else 1.0


def speak(scheduler: Scheduler, fate: Fate, start_after_s: float) -> None:
    """Begin after so long, or as soon as that is allowed."""
    time.sleep(start_after_s)
    schema = SchemaLibrary(SHIPPED_SCHEMA_DIR).get(fate.dictation.procedures[0][1])
    began_s = time.monotonic()
    while fate.summary is None:
        try:
            recording = (Path(fate.dictation.name), fate.dictation.samples)
            fate.waited_s = time.monotonic() - began_s
            (fate.summary,) = play(scheduler, [recording], schema, 1.0, _unseen)
        except BusyError:
            fate.times_refused += 1
            time.sleep(ASK_EVERY_S)


def _unseen(_event: LiveEvent) -> None:
    """Nobody looks at the screen here."""


def report(fates: list[Fate], most_wait_s: float, most_present: int) -> dict[str, Any]:
    served = [fate.summary for fate in fates if fate.summary]
    latencies = [each.commit_p95_s for each in served if each.commit_p95_s is not None]
    finals = [each.stop_to_final_s for each in served if each.stop_to_final_s is not None]
    late = [fate for fate in fates if fate.times_refused]
    return {
        "speakers": len(fates),
        "at_once_at_most": most_present,
        "told_to_wait": len(late),
        "let_in_after_s": sorted(round(fate.waited_s, 1) for fate in late),
        "wait_at_most_s": round(most_wait_s, 2),
        "commit_p95_s": {"median": sorted(latencies)[len(latencies) // 2], "worst": max(latencies)},
        "stop_to_final_worst_s": max(finals),
        "wer_worst": round(max(fate.error_rate for fate in fates), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speakers", type=int, default=20)
    parser.add_argument("--model", default="tiny.en")
    options = parser.parse_args()
    settings = Settings.from_environment().model_copy(update={"whisper_model": options.model, "device": "cpu"})
    scheduler = Scheduler(load_engine(settings))
    fates = [Fate(dictation) for dictation in speakers(options.speakers)]
    threads = [
        threading.Thread(target=speak, args=(scheduler, fate, number * STAGGER_S)) for number, fate in enumerate(fates)
    ]
    for thread in threads:
        thread.start()
    most_wait_s, most_present = 0.0, 0
    while any(thread.is_alive() for thread in threads):
        most_wait_s, most_present = max(most_wait_s, scheduler.wait_s), max(most_present, scheduler.present)
        time.sleep(0.2)
    scheduler.close()
    print(json.dumps(report(fates, most_wait_s, most_present), indent=1))


if __name__ == "__main__":
    main()
