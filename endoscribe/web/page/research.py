"""The research view: many dictations at once on the page, with progress, cancel, one table and how complete they are.

Nothing is stored: the table goes to the browser inside the page, and the uploads are removed. What is cancelled gives
the table of what was done until then.
"""

import asyncio
import base64
import threading
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from endoscribe.audio import decode_recording
from endoscribe.errors import EndoscribeError, LimitError
from endoscribe.extraction.record import Record
from endoscribe.metrics import LimitedWork
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.research.batch import (
    BatchOutcome,
    Heard,
    completeness,
    dictations,
    process,
    table,
    table_csv,
    table_xlsx,
)
from endoscribe.services import Services
from endoscribe.transcript import Transcript
from endoscribe.web.limits import RequestQuota
from endoscribe.web.page.panels import status_html
from endoscribe.web.templates import render

PROGRESS_EVERY_S = 0.3
#: As many rows and as many columns are shown; the download has all.
MOST_ROWS, MOST_COLUMNS = 200, 40
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass
class Study:
    """One run on a thread of its own."""

    quota: RequestQuota
    total: int = 0
    #: Why it waits at present, as a sentence.
    pause: str | None = None
    outcomes: list[BatchOutcome] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)


class Research:
    """The runs of all pages; a page is told by Gradio's session hash and has one at a time."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._studies: dict[str | None, Study] = {}

    def cancel(self, page: str | None) -> None:
        """Let the page's run end with what is done; without one nothing happens."""
        if study := self._studies.get(page):
            study.cancelled.set()

    async def run(
        self, page: str | None, paths: Iterable[str], procedure: str, quota: RequestQuota
    ) -> AsyncGenerator[str, None]:
        """The view while the dictations are worked on, then with its table; ends early when cancelled or left."""
        study = self._studies[page] = Study(quota)
        files = [Path(path) for path in paths]
        work = asyncio.create_task(asyncio.to_thread(self._work, study, files, procedure))
        try:
            while not work.done():
                yield progress_html(study)
                await asyncio.wait({work}, timeout=PROGRESS_EVERY_S)
            await work
            yield await asyncio.to_thread(result_html, study, self._services.schemas.get(procedure))
        except EndoscribeError as error:
            yield status_html(str(error), "error")
        finally:
            study.cancelled.set()
            if self._studies.get(page) is study:
                del self._studies[page]

    def _work(self, study: Study, files: Sequence[Path], procedure: str) -> None:
        with self._services.uploads.held(files):
            schema = self._services.schemas.get(procedure)
            left_out: list[BatchOutcome] = []
            with dictations(files, left_out.append) as found:
                study.total = len(found)
                for outcome in process(found, schema, partial(self._hear, study), partial(self._read, study)):
                    if outcome.record or not study.cancelled.is_set():  # else it was broken off, and has not failed
                        study.outcomes.append(outcome)
                    if study.cancelled.is_set():
                        break
            study.outcomes += left_out  # last, so that what is done is counted as it goes

    def _hear(self, study: Study, path: Path, schema: ProcedureSchema) -> Heard:
        _take(study, "transcription")
        recording = decode_recording(path, self._services.settings.longest_audio_minutes)
        transcript = self._services.scheduler.transcribe(recording.samples, schema, cancelled=study.cancelled)
        return Heard(transcript, recording.damage)

    def _read(self, study: Study, transcript: Transcript, schema: ProcedureSchema) -> Record:
        _take(study, "extraction")
        return self._services.report(transcript, schema).record


def _take(study: Study, work: LimitedWork) -> None:
    """Wait until there may be more; raises LimitError when the study is cancelled meanwhile."""
    while True:
        try:
            study.quota.take(work)
        except LimitError as error:
            study.pause = str(error)
            if study.cancelled.wait(error.wait_s):
                raise
        else:
            study.pause = None
            return


def progress_html(study: Study) -> str:
    is_stopping = study.cancelled.is_set()
    return render(
        "research_progress.html",
        done=len(study.outcomes),
        total=study.total,
        pause=None if is_stopping else study.pause,
        is_stopping=is_stopping,
    )


@dataclass(frozen=True, slots=True)
class FileView:
    """A file that is in its link, so that no copy of it stays on the server."""

    name: str
    media_type: str
    content: bytes
    label: str

    @property
    def base64(self) -> str:
        return base64.b64encode(self.content).decode()


def result_html(study: Study, schema: ProcedureSchema) -> str:
    """What came of it in a sentence; downloads, how complete the records are, and the table."""
    outcomes = study.outcomes
    if not outcomes:
        return render("research_nothing.html")
    frame = table(outcomes, schema)
    filled = [name for name in frame.columns if name == "file" or frame[name].notna().any()][:MOST_COLUMNS]
    rows = frame[filled].head(MOST_ROWS).itertuples(index=False)
    return render(
        "research.html",
        summary=_summary(study),
        files=(
            FileView("research.csv", "text/csv;charset=utf-8", table_csv(frame).encode(), "CSV"),
            FileView("research.xlsx", XLSX, table_xlsx(frame), "Excel"),
        ),
        bars=[line for line in completeness(outcomes, schema) if line.stated or line.level == "M"],
        heads=[str(name) for name in filled],
        rows=[[_shown(value) for value in row] for row in rows],
    )


def _summary(study: Study) -> str:
    """How many were read, and that it was cancelled where some are missing."""
    outcomes = study.outcomes
    failed = sum(outcome.record is None for outcome in outcomes)
    failures = f", {failed} could not be read" if failed else ""
    if len(outcomes) < study.total:
        return f"Cancelled: {len(outcomes)} of {study.total} dictations done{failures}; the others were not read."
    return f"{len(outcomes)} dictation{'' if len(outcomes) == 1 else 's'}{failures}."


def _shown(value: object) -> str:
    """A value in words; pandas makes floats of whole numbers where one is missing."""
    if value is None or value != value:  # noqa: PLR0124  (not a number is not equal to itself)
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
