"""More people than the machine can follow, on the real engine: who comes too late waits, and nobody else does."""

import threading

import numpy as np
import numpy.typing as npt
import pytest

from endoscribe.audio import SAMPLE_RATE
from endoscribe.errors import BusyError
from endoscribe.procedures.library import load_schema
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.speech.engine import WhisperXEngine
from endoscribe.speech.scheduler import Scheduler, SchedulerLimits
from endoscribe.transcript import LiveTranscript

Samples = npt.NDArray[np.float32]

pytestmark = pytest.mark.slow


def test_who_comes_too_late_is_let_in_when_somebody_has_stopped(
    tiny_engine: WhisperXEngine, colonoscopy_speech: Samples
) -> None:
    """The bound is far below what one speaker needs, so that one speaker is as many as this machine can follow."""
    schema = load_schema(SHIPPED_SCHEMA_DIR / "col.yaml")
    audio = colonoscopy_speech[: 8 * SAMPLE_RATE]
    shown = threading.Event()
    scheduler = Scheduler(tiny_engine, SchedulerLimits(max_wait_s=0.001, wait_smoothing=1.0))

    def show(_live: LiveTranscript) -> None:
        shown.set()

    try:
        present = scheduler.open_session(schema, show)
        present.insert(audio[: len(audio) // 2])
        assert shown.wait(60)
        with pytest.raises(BusyError, match="please try again"):
            scheduler.open_session(schema, show)
        present.insert(audio[len(audio) // 2 :])
        assert "screening colonoscopy" in present.finish().text.casefold()
        late = scheduler.open_session(schema, show)
        late.insert(audio)
        assert "screening colonoscopy" in late.finish().text.casefold()
    finally:
        scheduler.close()
