"""The pieces of HTML that the page shows besides the record: plain functions from values to escaped text."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Literal, TypedDict

from endoscribe.auth.modes import AuthMode, Demo
from endoscribe.extraction.labels import target_label, value_text
from endoscribe.extraction.record import Cell
from endoscribe.outputs.outline import fitted
from endoscribe.outputs.table import render_checklist, render_checks, render_record
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.review.carried import carried_flags
from endoscribe.review.differences import Difference, differences
from endoscribe.review.signature import MAX_SIGNER_CHARS
from endoscribe.review.versions import Review, Version, current_record
from endoscribe.samples import Sample
from endoscribe.storage.sessions import Session
from endoscribe.transcript import PlacedWord, Transcript
from endoscribe.web.downloads import FORMATS
from endoscribe.web.page.local_time import time_html

StatusKind = Literal["info", "error"]

LIVE_TEXT = (
    '<section class="live" aria-label="Live text"><div class="text" data-empty="true" tabindex="0">'
    '<span class="committed"></span><span class="tentative"></span></div></section>'
)

HISTORY = (
    '<form class="search" role="search"><label for="history-search">Search earlier dictations</label>'
    '<input id="history-search" type="search" name="search" autocomplete="off" '
    'placeholder="words, a procedure, a date, signed"></form><div class="list" aria-live="polite"></div>'
)
DEMO = (
    '<p class="demo" role="note"><strong>Public demonstration.</strong> Anybody with this link can try it; what you '
    "say is processed on the computer of the person who shared it. You can make {dictations} dictations an hour, of at "
    "most {longest:g} minutes each. Nothing is kept beyond your visit: you see only the "
    "dictations of this browser, and they are deleted {minutes} minutes after you left, or at once when you end the "
    "visit. <strong>Do not dictate about real patients.</strong></p>"
)

_STATES = {
    "recording": "recording",
    "stopped": "not transcribed",
    "transcribed": "transcribed",
    "done": "report made",
    "interrupted": "interrupted",
}


def masthead_html(mode: AuthMode) -> str:
    """The head of the page; in a demonstration it says how many dictations can be made and how long they are kept."""
    demo = ""
    if isinstance(mode, Demo):
        demo = DEMO.format(minutes=mode.minutes, dictations=mode.dictations, longest=mode.longest_minutes)
    return (
        '<header class="masthead"><h1>EndoScribe</h1><p>Dictate an endoscopy, read the report, hear every cell.</p>'
        '<button type="button" id="new-dictation" hidden>New dictation</button>'
        '<form id="leave" method="post" action="logout" hidden><span class="who"></span> <button type="submit">Sign out'
        f"</button></form></header>{demo}"
    )


def status_html(text: str, kind: StatusKind = "info") -> str:
    """The one line that says what is happening; an error is marked by more than its colour."""
    mark = "! " if kind == "error" else ""
    return f'<p class="{kind}">{mark}{escape(text)}</p>'


def transcript_html(transcript: Transcript) -> str:
    """The final text, each word with its characters' span and its seconds; a segment is a paragraph."""
    if not transcript.text.strip():
        return '<p class="quiet">No words were heard in this recording.</p>'
    if not transcript.segments:
        return f"{_WORDS}<p>{escape(transcript.text)}</p></div>"
    placed = iter(transcript.placed_words)
    paragraphs = []
    for segment in transcript.segments:
        words = " ".join(_word_html(next(placed)) for _ in segment.words)
        paragraphs.append(f"<p>{words}</p>")
    return f"{_WORDS}{''.join(paragraphs)}</div>"


_WORDS = (
    '<div class="words" role="group" tabindex="0" aria-label="Transcript. Arrow keys go from word to word, Enter plays '
    'from there.">'
)


def _word_html(placed: PlacedWord) -> str:
    word = placed.word
    heard = f' class="repaired" title="heard: {escape(word.heard)}"' if word.heard else ""
    return (
        f'<span tabindex="-1" data-start="{placed.start}" data-end="{placed.end}" data-start-s="{word.start_s:.2f}" '
        f'data-end-s="{word.end_s:.2f}"{heard}>{escape(word.text)}</span>'
    )


def downloads_html(session_id: str, *, is_signed: bool = False) -> str:
    """Links that make each file when they are clicked, and the note for the clipboard."""
    links = "".join(
        f'<a id="export-{name}" href="download/{escape(session_id)}/{name}" download>{escape(form.label)}</a>'
        for name, form in FORMATS.items()
    )
    what = "signed report" if is_signed else "draft report"
    copy = f'<button type="button" id="copy-note" data-url="download/{escape(session_id)}/md">Copy note</button>'
    return f'<nav class="downloads" aria-label="Take away the {what}">{copy}{links}</nav>'


class ReportPanels(TypedDict):
    """The HTML of every panel that shows a report."""

    record: str
    checks: str
    checklist: str
    review: str
    exports: str


def report_panels(review: Review, session_id: str, schema: ProcedureSchema, signer: str | None = None) -> ReportPanels:
    """The HTML of every panel that shows the latest version of a report, by the panel's name.

    Only `signer` can sign it, where that is somebody.
    """
    latest = review.latest
    record = fitted(current_record(latest, schema), schema)
    return {
        "record": render_record(record, schema, latest.signature, editable=True),
        "checks": (_WAITS if review.waiting else "")
        + render_checks(record, schema, latest.reading.second, carried=carried_flags(latest, schema), editable=True),
        "checklist": render_checklist(record, schema, editable=True),
        "review": review_html(review, session_id, schema, signer),
        "exports": downloads_html(session_id, is_signed=latest.signature is not None),
    }


#: Leads from the head of the report to the question below it.
_WAITS = (
    '<section class="es-eyes" aria-label="A new reading waits"><p class="es-check es-warning"><span class="es-mark" '
    'aria-hidden="true">⚠</span> <span class="es-severity">A new reading waits.</span> <span class="es-message">Your '
    'report was not changed.</span> <button type="button" class="es-decide">Decide</button></p></section>'
)


def review_html(review: Review, session_id: str, schema: ProcedureSchema, signer: str | None = None) -> str:
    """Where the report stands: version, undo, sign-off, a reading that waits, and the versions so far."""
    latest = review.latest
    edits = len(latest.edits) - latest.inherited
    undo = '<button type="button" data-review="undo">Undo</button>' if latest.can_undo else ""
    standing = f"Version {latest.number} · {'signed' if latest.signature else 'draft'}"
    count = f" · {edits} edit{'' if edits == 1 else 's'}" if edits else ""
    return (
        f'<section class="review" data-session="{escape(session_id)}" data-revision="{escape(review.revision)}" '
        f'aria-label="Review and sign-off"><p class="standing"><strong>{standing}</strong>{count} {undo}</p>'
        f"{_waiting_html(review, schema)}{_sign_html(latest, signer)}{_versions_html(review, session_id)}</section>"
    )


def _sign_html(latest: Version, signer: str | None) -> str:
    if signature := latest.signature:
        return (
            f'<p class="signed">✓ Signed by <strong>{escape(signature.name)}</strong>, {time_html(signature.at)}. '
            f'<span class="hash" title="SHA-256 of what was signed">SHA-256 {signature.sha256}</span></p>'
            '<p class="quiet">An edit now starts the next version; this one stays as it was signed.</p>'
        )
    value = f'value="{escape(signer)}" readonly' if signer else 'autocomplete="name" required'
    return (
        f'{_broken_html(latest)}<form class="sign"><label for="signer">Your name</label>'
        f'<input id="signer" name="name" {value} maxlength="{MAX_SIGNER_CHARS}">'
        '<button type="submit">Sign this report</button></form>'
    )


def _broken_html(version: Version) -> str:
    if version.broken is None:
        return ""
    return (
        f'<p class="waiting" role="alert">! The signature of <strong>{escape(version.broken.name)}</strong> does not '
        "match what is stored: the report was changed outside of EndoScribe and counts as a draft.</p>"
    )


def _waiting_html(review: Review, schema: ProcedureSchema) -> str:
    """The question that a later reading puts: nothing that somebody has edited is overwritten without it."""
    if review.waiting is None:
        return ""
    changed = differences(current_record(review.latest, schema), review.waiting.record)
    cells = "1 cell" if len(changed) == 1 else f"{len(changed)} cells"
    choices = {"leave": "Stay with mine", "keep_edits": "Take it, with my edits"}
    if review.waiting.record.procedure != review.latest.reading.record.procedure:
        del choices["keep_edits"]
    choices["drop_edits"] = "Take it, without my edits"
    buttons = "".join(
        f'<button type="button" data-review="reading" data-choice="{choice}">{label}</button>'
        for choice, label in choices.items()
    )
    return (
        f'<div class="waiting" role="alert"><p>A new reading of this dictation differs in {cells} from '
        f"your report. Nothing was changed.</p>{differences_html(changed, schema, 'Yours', 'New reading')}"
        f"<p>{buttons}</p></div>"
    )


def differences_html(changed: Sequence[Difference], schema: ProcedureSchema, left: str, right: str) -> str:
    """A table of the cells that differ."""
    if not changed:
        return '<p class="quiet">Both give the same values.</p>'
    rows = "".join(
        f'<tr><th scope="row">{escape(_place(each, schema))}</th><td>{escape(_said(each.left, each, schema))}</td>'
        f"<td>{escape(_said(each.right, each, schema))}</td></tr>"
        for each in changed
    )
    head = f'<tr><th scope="col">Field</th><th scope="col">{escape(left)}</th><th scope="col">{escape(right)}</th></tr>'
    return f'<table class="differences"><thead>{head}</thead><tbody>{rows}</tbody></table>'


def _place(difference: Difference, schema: ProcedureSchema) -> str:
    return target_label(difference.target, schema) + ("" if difference.row is None else f" ({difference.row + 1})")


def _said(cell: Cell | None, difference: Difference, schema: ProcedureSchema) -> str:
    field = schema.target_index.get(difference.target)
    return "not stated" if cell is None or field is None else value_text(cell, field)


def _versions_html(review: Review, session_id: str) -> str:
    if len(review.versions) < 2:
        return ""
    items = "".join(_version_html(version, session_id) for version in reversed(review.versions))
    numbers = [version.number for version in review.versions]
    options = [
        "".join(f"<option{' selected' if number == chosen else ''}>{number}</option>" for number in numbers)
        for chosen in numbers[-2:]
    ]
    return (
        f'<details class="versions"><summary>Versions: {len(numbers)}</summary><ul>{items}</ul>'
        f'<form class="compare"><label>Compare version <select name="left">{options[0]}</select></label> '
        f'<label>with <select name="right">{options[1]}</select></label> <button type="submit">Compare</button></form>'
        '<div class="comparison" aria-live="polite"></div></details>'
    )


def _version_html(version: Version, session_id: str) -> str:
    signature = version.signature
    standing = f"signed by {escape(signature.name)}, {time_html(signature.at)}" if signature else "draft"
    standing = "draft, its signature does not match" if version.broken else standing
    link = f"download/{escape(session_id)}/pdf?version={version.number}"
    return f'<li>Version {version.number}: {standing} <a href="{link}" download>PDF</a></li>'


def samples_html(samples: Iterable[Sample]) -> str:
    buttons = (
        f'<button type="button" data-url="samples/{escape(sample.file)}" data-procedure="{escape(sample.procedure)}" '
        f'data-title="{escape(sample.title)}">{escape(sample.title)}</button>'
        for sample in samples
    )
    return f'<div class="samples"><p>No microphone at hand? Hear a sample dictation:</p>{"".join(buttons)}</div>'


def history_html(sessions: Iterable[tuple[Session, float]], schemas: SchemaLibrary) -> str:
    """Sessions with the seconds of their audio, as rows that can be opened and deleted."""
    titles = {schema.id: schema.title for schema in schemas}
    rows = "".join(_session_html(session, titles.get(session.procedure), audio_s) for session, audio_s in sessions)
    if not rows:
        return '<p class="quiet">No dictations here.</p>'
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("When", "Procedure", "Length", "State", "Missing", ""))
    return f'<table class="sessions"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _session_html(session: Session, title: str | None, audio_s: float) -> str:
    action = "Open" if session.state in ("transcribed", "done", "recording") else "Transcribe"
    state = f"signed by {session.signed_by}" if session.signed_by else _STATES[session.state]
    missing = "" if session.gaps is None else str(session.gaps)
    return (
        f'<tr data-state="{session.state}"><td id="when-{session.id}">{time_html(session.created)}</td>'
        f"<td>{escape(title or session.procedure)}</td><td>{int(audio_s) // 60}:{int(audio_s) % 60:02d}</td>"
        f"<td>{escape(state)}</td><td>{missing}</td><td>{_session_buttons(session, action)}</td></tr>"
    )


def _session_buttons(session: Session, action: str) -> str:
    opens = f'data-session="{session.id}" data-procedure="{escape(session.procedure)}"'
    buttons = [_session_button(session, action, opens)]
    if session.state != "recording":
        buttons.append(_session_button(session, "Delete", f'class="remove" data-delete="{session.id}"'))
    return "".join(buttons)


def _session_button(session: Session, action: str, attributes: str) -> str:
    """Called by what it does and when the dictation was begun."""
    name = f"{action.lower()}-{session.id}"
    return (
        f'<button type="button" id="{name}" {attributes} aria-labelledby="{name} when-{session.id}">{action}</button>'
    )
