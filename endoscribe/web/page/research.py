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
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from endoscribe.audio import decode_recording
from endoscribe.errors import EndoscribeError, LimitError
from endoscribe.extraction.record import Record
from endoscribe.metrics import LimitedWork
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.research.batch import (
    BatchOutcome,
    Completeness,
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

if TYPE_CHECKING:
    import pandas as pd

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
            yield f'<p class="error">! {escape(str(error))}</p>'
        finally:
            study.cancelled.set()
            if self._studies.get(page) is study:
                del self._studies[page]

    def _work(self, study: Study, files: Sequence[Path], procedure: str) -> None:
        with self._services.uploads.held(files):
            schema = self._services.schemas.get(procedure)
            with dictations(files) as found:
                study.total = len(found)
                for outcome in process(found, schema, partial(self._hear, study), partial(self._read, study)):
                    if outcome.record or not study.cancelled.is_set():  # else it was broken off, and has not failed
                        study.outcomes.append(outcome)
                    if study.cancelled.is_set():
                        break

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
    done, total = len(study.outcomes), study.total
    value = f'value="{done}" max="{total}"' if total else ""
    stopping = " Stopping with what is done." if study.cancelled.is_set() else ""
    pause = f" Waiting: {escape(study.pause)}" if study.pause and not stopping else ""
    return (
        f'<p role="status">{done} of {total or "…"} done.{pause}{stopping}</p>'
        f'<progress {value} aria-label="Dictations done"></progress>'
    )


def result_html(study: Study, schema: ProcedureSchema) -> str:
    """What came of it in a sentence; downloads, how complete the records are, and the table."""
    outcomes = study.outcomes
    if not outcomes:
        return '<p role="status">Cancelled before the first dictation was done. Nothing was kept.</p>'
    frame = table(outcomes, schema)
    csv = _link("research.csv", "text/csv;charset=utf-8", table_csv(frame).encode(), "CSV")
    xlsx = _link("research.xlsx", XLSX, table_xlsx(frame), "Excel")
    bars = "".join(_bar(line) for line in completeness(outcomes, schema) if line.stated or line.level == "M")
    return (
        f'<p role="status">{_summary(study)} Not reviewed by anybody.</p>'
        f'<nav class="downloads" aria-label="Take away the table">{csv}{xlsx}</nav>'
        f'<table class="bars"><caption>How many records state each field</caption><tbody>{bars}</tbody></table>'
        f'<div class="es-grid-scroll" tabindex="0" role="region" aria-label="All dictations">{_table(frame)}</div>'
    )


def _summary(study: Study) -> str:
    """How many were read, and that it was cancelled where some are missing."""
    outcomes = study.outcomes
    failed = sum(outcome.record is None for outcome in outcomes)
    failures = f", {failed} could not be read" if failed else ""
    if len(outcomes) < study.total:
        return f"Cancelled: {len(outcomes)} of {study.total} dictations done{failures}; the others were not read."
    return f"{len(outcomes)} dictation{'' if len(outcomes) == 1 else 's'}{failures}."


def _link(name: str, media_type: str, content: bytes, label: str) -> str:
    """The file itself in the link, so that no copy of it stays on the server."""
    data = base64.b64encode(content).decode()
    return f'<a download="{name}" href="data:{media_type};base64,{data}">{label}</a>'


def _bar(line: Completeness) -> str:
    label = escape(line.label)
    meter = f'<meter min="0" max="{max(1, line.of)}" value="{line.stated}" aria-label="{label}"></meter>'
    return f'<tr><th scope="row">{label}</th><td>{meter}</td><td>{line.stated} of {line.of}</td></tr>'


def _table(frame: "pd.DataFrame") -> str:
    filled = [name for name in frame.columns if name == "file" or frame[name].notna().any()][:MOST_COLUMNS]
    heads = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in filled)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(_shown(value))}</td>" for value in row) + "</tr>"
        for row in frame[filled].head(MOST_ROWS).itertuples(index=False)
    )
    return f'<table class="es-grid"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _shown(value: object) -> str:
    """A value in words; pandas makes floats of whole numbers where one is missing."""
    if value is None or value != value:  # noqa: PLR0124  (not a number is not equal to itself)
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
