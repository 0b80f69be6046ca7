"""A speech engine that hears nothing and prints on stdout in every way that libraries have."""

import ctypes
import os
import subprocess
from types import SimpleNamespace
from typing import Any

from endoscribe.cli import reading, recognition
from endoscribe.speech import scheduler
from endoscribe.transcript import Transcript


class NoisyScheduler:
    def __init__(self, _engine: object) -> None:
        """It needs none."""

    def transcribe(self, *_arguments: object) -> Transcript:
        print("noise by print")  # noqa: T201  (as libraries do)
        os.write(1, b"noise by descriptor\n")
        ctypes.CDLL(None).puts(b"noise by C")
        subprocess.run(["echo", "noise by a program"], check=True)
        return Transcript("")

    def close(self) -> None:
        """Nothing runs."""


def install() -> None:
    """Let the commands of this process hear with it."""

    def engine(*_arguments: object) -> Any:
        return SimpleNamespace(timing=SimpleNamespace(decode_s=0.0, align_s=0.0))

    scheduler.Scheduler = NoisyScheduler  # type: ignore[assignment,misc]
    for commands in (recognition, reading):
        vars(commands)["chosen_engine"] = engine
