"""The research view: many dictations at once on the page, with progress, cancel, one table and how complete they are.

Nothing is stored: the table goes to the browser inside the page, and the uploads are removed.
"""

import asyncio
import base64
import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from endoscribe.audio import load_audio
from endoscribe.batch import Completeness, Outcome, completeness, dictations, process, table, table_csv, table_xlsx
from endoscribe.errors import EndoscribeError
from endoscribe.extraction.record import Record
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.services import Services
from endoscribe.transcript import Transcript

if TYPE_CHECKING:
    import pandas as pd

POLL_S = 0.3
#: As many rows and as many columns are shown; the download has all.
MOST_ROWS, MOST_COLUMNS = 200, 40
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass
class Study:
    """One run on a thread of its own."""

    total: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)


class Research:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def run(self, paths: Iterable[str], procedure: str) -> AsyncIterator[str]:
        """The view while the dictations are worked on, then with its table; stops after one when it is left."""
        study = Study()
        files = [Path(path) for path in paths]
        work = asyncio.create_task(asyncio.to_thread(self._work, study, files, procedure))
        try:
            while not work.done():
                yield progress_html(study)
                await asyncio.wait({work}, timeout=POLL_S)
            await work
            yield await asyncio.to_thread(result_html, study.outcomes, self._services.schemas.get(procedure))
        except EndoscribeError as error:
            yield f'<p class="error">! {escape(str(error))}</p>'
        finally:
            study.cancelled.set()

    def _work(self, study: Study, files: Sequence[Path], procedure: str) -> None:
        schema = self._services.schemas.get(procedure)
        try:
            with dictations(files) as found:
                study.total = len(found)
                for outcome in process(found, schema, self._hear, self._read):
                    study.outcomes.append(outcome)
                    if study.cancelled.is_set():
                        break
        finally:
            for path in files:
                path.unlink(missing_ok=True)

    def _hear(self, path: Path, schema: ProcedureSchema) -> Transcript:
        samples = load_audio(path, self._services.settings.max_audio_minutes)
        return self._services.scheduler.transcribe(samples, schema)

    def _read(self, transcript: Transcript, schema: ProcedureSchema) -> Record:
        return self._services.report(transcript, schema).record


def progress_html(study: Study) -> str:
    done, total = len(study.outcomes), study.total
    value = f'value="{done}" max="{total}"' if total else ""
    return (
        f'<p role="status">{done} of {total or "…"} done</p><progress {value} aria-label="Dictations done"></progress>'
    )


def result_html(outcomes: Sequence[Outcome], schema: ProcedureSchema) -> str:
    """Downloads, how complete the records are, and the table."""
    frame = table(outcomes, schema)
    failed = sum(outcome.record is None for outcome in outcomes)
    failures = f", {failed} could not be read" if failed else ""
    csv = _link("research.csv", "text/csv;charset=utf-8", table_csv(frame).encode(), "CSV")
    xlsx = _link("research.xlsx", XLSX, table_xlsx(frame), "Excel")
    bars = "".join(_bar(line) for line in completeness(outcomes, schema) if line.stated or line.level == "M")
    return (
        f'<p role="status">{len(outcomes)} dictations{failures}. Not reviewed by anybody.</p>'
        f'<nav class="downloads" aria-label="Take away the table">{csv}{xlsx}</nav>'
        f'<table class="bars"><caption>How many records state each field</caption><tbody>{bars}</tbody></table>'
        f'<div class="es-grid-scroll" tabindex="0" role="region" aria-label="All dictations">{_table(frame)}</div>'
    )


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
        "<tr>" + "".join(f"<td>{'' if _is_empty(value) else escape(str(value))}</td>" for value in row) + "</tr>"
        for row in frame[filled].head(MOST_ROWS).itertuples(index=False)
    )
    return f'<table class="es-grid"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _is_empty(value: object) -> bool:
    return value is None or value != value  # noqa: PLR0124  (not a number is not equal to itself)
