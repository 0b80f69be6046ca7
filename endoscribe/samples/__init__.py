"""The sample dictations that are shipped, so that a visitor without a microphone sees the whole job.

Invented patients, spoken by a synthetic voice; `samples.yaml` holds the texts and credits, `benchmarks/make_samples.py`
speaks them.
"""

from dataclasses import dataclass
from pathlib import Path

import yaml

SAMPLES_DIR = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Sample:
    """One dictation: what is said, in which recording beside this file, for which procedure's schema."""

    id: str
    title: str
    procedure: str
    file: str
    text: str
    credit: str

    @property
    def path(self) -> Path:
        return SAMPLES_DIR / self.file


def shipped_samples() -> tuple[Sample, ...]:
    """All samples, in the order in which they are offered."""
    entries = yaml.safe_load((SAMPLES_DIR / "samples.yaml").read_text(encoding="utf-8"))["samples"]
    return tuple(Sample(**entry) for entry in entries)
