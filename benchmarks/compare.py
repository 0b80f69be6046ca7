"""Run the systems side by side on this machine: `python -m benchmarks.compare results.jsonl`.

Each case is one system in one process on one dictation, played in real time; its figures are added to the results as a
line of JSON, with the command that measures it again. Cases run one after another. `--only` chooses some by name,
`--list` says which there are. Nothing else should run meanwhile. EndoScribe runs on a GPU with ENDOSCRIBE_DEVICE=cuda;
a case for more speakers than two cores hold is made by its name: `--only endoscribe-base-1min-32speakers`.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.audio import Dictation, dictation_of, speakers
from benchmarks.metrics import flicker, latencies, rewrites, spoken_ends
from benchmarks.scoring import term_recall, word_error_rate
from benchmarks.session import Shown
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.settings import SHIPPED_SCHEMA_DIR, Settings

ROOT = Path(__file__).resolve().parent.parent
PEER_PYTHON = ROOT / ".venv-benchmarks" / "bin" / "python"
#: The clock that latencies are measured against hears the best of what is shipped.
CLOCK_MODEL = "base"


@dataclass(frozen=True, slots=True)
class Case:
    """One system on one dictation, or on one of about a minute for each of several speakers."""

    system: str
    model: str
    minutes: int
    speakers: int = 1

    @property
    def name(self) -> str:
        many = f"-{self.speakers}speakers" if self.speakers > 1 else ""
        return f"{self.system}-{self.model}-{self.minutes}min{many}"

    @classmethod
    def named(cls, name: str) -> "Case | None":
        """The case that a name like `endoscribe-base-1min-32speakers` describes."""
        parts = re.fullmatch(r"(\S+?)-(\S+)-(\d+)min(?:-(\d+)speakers)?", name)
        return parts and cls(parts[1], parts[2], int(parts[3]), int(parts[4] or 1))

    @property
    def dictations(self) -> list[Dictation]:
        return speakers(self.speakers) if self.speakers > 1 else [dictation_of(self.minutes)]


CASES = (
    Case("whisperx", "base", 1),
    Case("whisperx", "base", 4),
    Case("whisperx", "base", 16),
    Case("whisperx+vocabulary", "base", 1),
    Case("whisperx+vocabulary", "base", 4),
    Case("whisperx+vocabulary", "base", 16),
    Case("endoscribe", "base", 1),
    Case("endoscribe", "base", 4),
    Case("naive", "base", 1),
    Case("naive", "base", 4),
    Case("whisperlivekit", "base", 1),
    Case("whisperlivekit", "base", 4),
    Case("endoscribe", "tiny.en", 1),
    Case("endoscribe", "tiny.en", 1, speakers=2),
    Case("endoscribe", "tiny.en", 1, speakers=4),
    Case("endoscribe", "tiny.en", 1, speakers=8),
    Case("whisperlivekit", "tiny.en", 1),
    Case("whisperlivekit", "tiny.en", 1, speakers=2),
    Case("whisperlivekit", "tiny.en", 1, speakers=4),
    Case("whisperlivekit", "tiny.en", 1, speakers=8),
    Case("endoscribe", "base", 16),
    Case("naive", "base", 16),
    Case("whisperlivekit", "base", 16),
    Case("endoscribe", "base", 30),
)


@dataclass(frozen=True)
class Clocks:
    """When each word of a dictation ends; heard once, then kept in a folder."""

    folder: Path

    def of(self, dictation: Dictation) -> list[tuple[str, float]]:
        path = self.folder.resolve() / f"{dictation.name}.json"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory() as name:
                job = _job([dictation], _weights(CLOCK_MODEL), Path(name), path)
                _child([sys.executable, "-m", "benchmarks.systems", "clock", *job])
        return [(text, end_s) for text, end_s in json.loads(path.read_text())]


def measure(case: Case, clocks: Clocks) -> dict[str, Any]:
    """Run one case and score it; raises CalledProcessError when the system fails."""
    with tempfile.TemporaryDirectory() as folder:
        raw = _run(case, Path(folder))
    served = [
        _score(each, dictation, clocks) for each, dictation in zip(raw["listenings"], case.dictations, strict=True)
    ]
    audio_s = sum(one["audio_s"] for one in served if not one["refused"])
    readings = raw["readings"]
    return {
        "case": case.name,
        **asdict(case),
        "audio_s": round(audio_s, 1),
        "cpu_s": readings[-1]["cpu_s"],
        "cpu_per_audio_s": round(readings[-1]["cpu_s"] / audio_s, 3),
        "others_cores": round(
            max(0.0, readings[-1]["machine_cpu_s"] - readings[-1]["cpu_s"]) / readings[-1]["wall_s"], 2
        ),
        "peak_rss_mb": raw["peak_rss_mb"],
        "readings": readings,
        "served": served,
        "machine": machine(),
        "measured": datetime.now(UTC).date().isoformat(),
        "command": f"python -m benchmarks.compare results.jsonl --only {case.name}",
    }


def machine() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{os.cpu_count()} cores, {model}{_gpu()}"


def _gpu() -> str:
    if os.environ.get("ENDOSCRIBE_DEVICE") != "cuda":
        return ""
    asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return ", " + subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def _run(case: Case, folder: Path) -> dict[str, Any]:
    system, _, hint = case.system.partition("+")
    module = [str(PEER_PYTHON), "-m", "benchmarks.livekit"]
    if system != "whisperlivekit":
        module = [sys.executable, "-m", "benchmarks.systems", system]
    dictations = case.dictations
    out = folder / "run.json"
    _child([*module, *_job(dictations, _weights(case.model), folder, out), *(["--vocabulary"] if hint else [])])
    result: dict[str, Any] = json.loads(out.read_text())
    return result


def _job(dictations: list[Dictation], model: Path, folder: Path, out: Path) -> list[str]:
    paths = [folder / f"{number}.npy" for number in range(len(dictations))]
    for path, dictation in zip(paths, dictations, strict=True):
        np.save(path, dictation.samples)
    procedures = [json.dumps(dictation.procedures) for dictation in dictations]
    audio = ["--audio", *map(str, paths), "--procedures", *procedures]
    return [*audio, "--model", str(model), "--out", str(out)]


def _child(command: list[str]) -> None:
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **offline}, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-4000:], file=sys.stderr)
        done.check_returncode()


def _weights(model: str) -> Path:
    return (Settings.from_environment().models_dir / model).resolve()


def _score(heard: dict[str, Any], dictation: Dictation, clocks: Clocks) -> dict[str, Any]:
    if heard["refused"]:
        return {"refused": True}
    shown = [Shown(**each) for each in heard["shown"]]
    ends_s = spoken_ends(dictation.text, clocks.of(dictation)) if shown else {}
    last = f"{shown[-1].committed} {shown[-1].tentative}" if shown else None
    return {
        "refused": False,
        "dictation": dictation.name,
        "audio_s": round(dictation.duration_s, 1),
        **asdict(latencies(dictation.text, ends_s, shown)),
        "flicker": flicker(shown, heard["final"]) if shown else None,
        "rewrites": rewrites(shown) if shown else None,
        "stop_to_final_s": round(heard["stop_to_final_s"], 2),
        "gave_up": heard["gave_up"],
        "live_wer": None if last is None else round(word_error_rate(dictation.text, last), 4),
        "final_wer": round(word_error_rate(dictation.text, heard["final"]), 4),
        "term_recall": _rounded(term_recall(dictation.text, heard["final"], _terms())),
    }


def _terms() -> set[str]:
    """The vocabulary of all shipped procedures."""
    return {term for schema in SchemaLibrary(SHIPPED_SCHEMA_DIR) for term in schema.vocabulary}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def chosen_by(pattern: str) -> list[Case]:
    """Those of the listed cases that match, or the one case whose name it is."""
    listed = [case for case in CASES if fnmatchcase(case.name, pattern)]
    case = Case.named(pattern)
    return listed or ([case] if case else [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=Path("results.jsonl"))
    parser.add_argument("--only", nargs="+", default=["*"], metavar="NAME", help="cases, or patterns: 'naive-*'")
    parser.add_argument("--list", action="store_true", help="say which cases there are and stop")
    options = parser.parse_args()
    chosen = [case for pattern in options.only for case in chosen_by(pattern)]
    if options.list:
        print("\n".join(case.name for case in chosen))
        return
    for case in chosen:
        row = measure(case, Clocks(options.results.with_suffix(".clocks")))
        with options.results.open("a") as lines:
            lines.write(json.dumps(row) + "\n")
        print(f"{case.name}: {row['cpu_per_audio_s']} CPU s per audio s {row['served']}", flush=True)


if __name__ == "__main__":
    main()
