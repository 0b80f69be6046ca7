"""What the page shows besides the record: plain functions from values to HTML, whose markup is in `templates/`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, TypedDict

from endoscribe.auth.modes import AuthMode, Demo
from endoscribe.extraction.labels import target_label, value_text
from endoscribe.extraction.record import Cell, UnfiledSentence
from endoscribe.outputs.head import head_facts
from endoscribe.outputs.outline import clock, fitted
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.review.carried import carried_flags
from endoscribe.review.context import CONTEXT_LABELS, LONGEST_CONTEXT, ExamContext, dictated_context
from endoscribe.review.differences import Difference, differences
from endoscribe.review.signature import MAX_SIGNER_CHARS
from endoscribe.review.versions import Review, Version, context_of, current_record
from endoscribe.samples import Sample
from endoscribe.storage.sessions import Session
from endoscribe.transcript import Transcript
from endoscribe.web.downloads import FORMATS
from endoscribe.web.page.local_time import Moment, moment
from endoscribe.web.page.report import render_checklist, render_checks, render_record, render_unfiled
from endoscribe.web.templates import render

StatusKind = Literal["info", "error"]

_STATES = {
    "recording": "recording",
    "stopped": "not transcribed",
    "transcribed": "transcribed",
    "done": "report made",
    "interrupted": "interrupted",
}


def masthead_html(mode: AuthMode) -> str:
    """The head of the page; in a demonstration it says how many dictations can be made and how long they are kept."""
    demo = None
    if isinstance(mode, Demo):
        demo = DemoView(mode.minutes, mode.dictations, f"{mode.longest_minutes:g}")
    return render("masthead.html", demo=demo)


@dataclass(frozen=True, slots=True)
class DemoView:
    """What a demonstration allows."""

    minutes: float
    dictations: int
    longest_minutes: str


def status_html(text: str, kind: StatusKind = "info", progress: float | None = None) -> str:
    """The one line that says what is happening, with a bar where it is known how far it is."""
    return render("status.html", text=text, kind=kind, progress=progress)


def transcript_html(transcript: Transcript, unfiled: Sequence[UnfiledSentence] = ()) -> str:
    """The final text, each word with its characters' span and its seconds; a segment is a paragraph.

    Words that stand in no cell are marked so.
    """
    placed = iter(transcript.placed_words)
    paragraphs = [list(islice(placed, len(segment.words))) for segment in transcript.segments]
    marked = _words_within(transcript, unfiled)
    return render("transcript.html", text=transcript.text, paragraphs=paragraphs, unfiled=marked)


def _words_within(transcript: Transcript, unfiled: Sequence[UnfiledSentence]) -> frozenset[int]:
    """Where these words start; what was read of another text has no place in this one."""
    spans = [each for each in unfiled if transcript.text[each.start : each.end] == each.text]
    return frozenset(
        word.start for word in transcript.placed_words
        if any(span.start < word.end and word.start < span.end for span in spans)
    )  # fmt: skip


def downloads_html(session_id: str, *, is_signed: bool = False) -> str:
    """Links that make each file when they are clicked, and the note for the clipboard."""
    what = "signed report" if is_signed else "draft report"
    forms = [(name, form.label) for name, form in FORMATS.items()]
    return render("downloads.html", session=session_id, what=what, forms=forms)


class ReportPanels(TypedDict):
    """The HTML of every panel that shows a report."""

    record: str
    checks: str
    unfiled: str
    checklist: str
    review: str
    exports: str


def report_panels(
    review: Review,
    session_id: str,
    schema: ProcedureSchema,
    signer: str | None = None,
    *,
    takes_context: bool = True,
) -> ReportPanels:
    """The HTML of every panel that shows the latest version of a report, by the panel's name.

    Only `signer` can sign it, where that is somebody.
    """
    latest = review.latest
    record = fitted(current_record(latest, schema), schema)
    typed, said = context_of(latest), dictated_context(record)
    head = tuple(head_facts(typed.over(said), schema))
    return {
        "record": render_record(record, schema, latest.signature, editable=True, head=head),
        "checks": render_checks(
            record,
            schema,
            latest.reading.second,
            carried=carried_flags(latest, schema),
            a_reading_waits=review.waiting is not None,
            editable=True,
        ),
        "unfiled": render_unfiled(record),
        "checklist": render_checklist(record, schema, editable=True),
        "review": review_html(review, session_id, schema, signer, _context(typed, said) if takes_context else ()),
        "exports": downloads_html(session_id, is_signed=latest.signature is not None),
    }


# -- where a report stands -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DifferenceView:
    """A cell that differs, and what stands in it on either side."""

    place: str
    left: str
    right: str


@dataclass(frozen=True, slots=True)
class WaitingView:
    """A later reading that nobody has decided on: how much differs, and what can be done."""

    cells: str
    changed: tuple[DifferenceView, ...]
    choices: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version of a report; nobody has signed a draft."""

    number: int
    is_broken: bool
    signed_by: str | None
    signed_at: Moment | None


@dataclass(frozen=True, slots=True)
class ContextView:
    """What can be typed of the context: its value, and what was said instead where nothing is typed."""

    name: str
    label: str
    value: str
    said: str


def _context(typed: ExamContext, said: ExamContext) -> tuple[ContextView, ...]:
    given, heard = typed.given(), said.given()
    return tuple(
        ContextView(name, label, given.get(name, ""), heard.get(name, "")) for name, label in CONTEXT_LABELS.items()
    )


def review_html(
    review: Review,
    session_id: str,
    schema: ProcedureSchema,
    signer: str | None = None,
    context: tuple[ContextView, ...] = (),
) -> str:
    """Where the report stands: version, undo, sign-off, a reading that waits, and the versions so far."""
    latest = review.latest
    edits = len(latest.edits) - latest.inherited
    return render(
        "review.html",
        session=session_id,
        revision=review.revision,
        standing=f"Version {latest.number} · {'signed' if latest.signature else 'draft'}",
        count=f" · {edits} edit{'' if edits == 1 else 's'}" if edits else "",
        can_undo=latest.can_undo,
        waiting=_waiting(review, schema),
        signature=latest.signature,
        signed_at=moment(latest.signature.at) if latest.signature else None,
        broken=latest.broken,
        signer=signer,
        longest_name=MAX_SIGNER_CHARS,
        listed=[_version(version) for version in review.versions],
        context=context,
        longest_context=LONGEST_CONTEXT,
    )


def _waiting(review: Review, schema: ProcedureSchema) -> WaitingView | None:
    """The question that a later reading puts: nothing that somebody has edited is overwritten without it."""
    if review.waiting is None:
        return None
    changed = differences(current_record(review.latest, schema), review.waiting.record)
    choices = {"leave": "Keep my report", "keep_edits": "Use the new reading, keep my edits"}
    if review.waiting.record.procedure != review.latest.reading.record.procedure:
        del choices["keep_edits"]
    choices["drop_edits"] = "Use the new reading, discard edits"
    cells = "1 cell" if len(changed) == 1 else f"{len(changed)} cells"
    return WaitingView(cells, _differences(changed, schema), tuple(choices.items()))


def differences_html(changed: Sequence[Difference], schema: ProcedureSchema, left: str, right: str) -> str:
    """A table of the cells that differ."""
    return render("comparison.html", changed=_differences(changed, schema), left=left, right=right)


def _differences(changed: Sequence[Difference], schema: ProcedureSchema) -> tuple[DifferenceView, ...]:
    return tuple(
        DifferenceView(_place(each, schema), _said(each.left, each, schema), _said(each.right, each, schema))
        for each in changed
    )


def _place(difference: Difference, schema: ProcedureSchema) -> str:
    return target_label(difference.target, schema) + ("" if difference.row is None else f" ({difference.row + 1})")


def _said(cell: Cell | None, difference: Difference, schema: ProcedureSchema) -> str:
    field = schema.target_index.get(difference.target)
    return "not stated" if cell is None or field is None else value_text(cell, field)


def _version(version: Version) -> VersionView:
    signature = version.signature
    return VersionView(
        version.number,
        version.broken is not None,
        signature.name if signature else None,
        moment(signature.at) if signature else None,
    )


# -- dictations ------------------------------------------------------------------------------------------------------


def samples_html(samples: Iterable[Sample]) -> str:
    return render("samples.html", samples=list(samples))


@dataclass(frozen=True, slots=True)
class SessionView:
    """A dictation in the list, which can be opened, or transcribed where nobody has."""

    id: str
    procedure: str
    state: str
    begun: Moment
    title: str
    length: str
    standing: str
    missing: str
    action: Literal["Open", "Transcribe"]
    can_delete: bool
    patient: str


def history_html(sessions: Iterable[tuple[Session, float]], schemas: SchemaLibrary) -> str:
    """Sessions with the seconds of their audio, as rows that can be opened and deleted."""
    titles = {schema.id: schema.title for schema in schemas}
    listed = [_session(session, titles.get(session.procedure), audio_s) for session, audio_s in sessions]
    return render("history.html", sessions=listed)


def _session(session: Session, title: str | None, audio_s: float) -> SessionView:
    return SessionView(
        session.id,
        session.procedure,
        session.state,
        moment(session.created),
        title or session.procedure,
        clock(audio_s),
        standing=f"signed by {session.signed_by}" if session.signed_by else _STATES[session.state],
        missing="" if session.gaps is None else str(session.gaps),
        action="Open" if session.state in ("transcribed", "done", "recording") else "Transcribe",
        can_delete=session.state != "recording",
        patient=session.patient or "",
    )
