"""The pieces of HTML that the page shows besides the record: plain functions from values to escaped text."""

from collections.abc import Iterable
from html import escape
from typing import Literal

from endoscribe.procedures.schema import SchemaLibrary
from endoscribe.samples import Sample
from endoscribe.storage import Session
from endoscribe.transcript import PlacedWord, Transcript
from endoscribe.web.downloads import FORMATS

Kind = Literal["info", "error"]

LIVE_TEXT = (
    '<section class="live" aria-label="Live text"><div class="text" data-empty="true">'
    '<span class="committed"></span><span class="tentative"></span></div></section>'
)

_STATES = {
    "recording": "recording",
    "stopped": "not transcribed",
    "transcribed": "transcribed",
    "done": "report made",
    "interrupted": "interrupted",
}


def status_html(text: str, kind: Kind = "info") -> str:
    """The one line that says what is happening; an error is marked by more than its colour."""
    mark = "! " if kind == "error" else ""
    return f'<p class="{kind}">{mark}{escape(text)}</p>'


def transcript_html(transcript: Transcript) -> str:
    """The final text, each word with its characters' span and its seconds; a segment is a paragraph."""
    if not transcript.text.strip():
        return '<p class="quiet">No words were heard in this recording.</p>'
    if not transcript.segments:
        return f'<div class="words"><p>{escape(transcript.text)}</p></div>'
    placed = iter(transcript.placed_words)
    paragraphs = []
    for segment in transcript.segments:
        words = " ".join(_word_html(next(placed)) for _ in segment.words)
        paragraphs.append(f"<p>{words}</p>")
    return f'<div class="words">{"".join(paragraphs)}</div>'


def _word_html(placed: PlacedWord) -> str:
    word = placed.word
    heard = f' class="repaired" title="heard: {escape(word.heard)}"' if word.heard else ""
    return (
        f'<span data-start="{placed.start}" data-end="{placed.end}" data-start-s="{word.start_s:.2f}" '
        f'data-end-s="{word.end_s:.2f}"{heard}>{escape(word.text)}</span>'
    )


def downloads_html(session_id: str) -> str:
    """Links that make each file when they are clicked."""
    links = (
        f'<a id="export-{name}" href="download/{escape(session_id)}/{name}" download>{escape(form.label)}</a>'
        for name, form in FORMATS.items()
    )
    return f'<nav class="downloads" aria-label="Download the draft report">{"".join(links)}</nav>'


def samples_html(samples: Iterable[Sample]) -> str:
    buttons = (
        f'<button type="button" data-url="samples/{escape(sample.file)}" data-procedure="{escape(sample.procedure)}" '
        f'data-title="{escape(sample.title)}">{escape(sample.title)}</button>'
        for sample in samples
    )
    return f'<div class="samples"><p>No microphone at hand? Hear a sample dictation:</p>{"".join(buttons)}</div>'


def history_html(sessions: Iterable[tuple[Session, float]], schemas: SchemaLibrary) -> str:
    """Sessions with the seconds of their audio, as rows that can be opened."""
    titles = {schema.id: schema.title for schema in schemas}
    rows = "".join(_session_html(session, titles.get(session.procedure), audio_s) for session, audio_s in sessions)
    if not rows:
        return '<p class="quiet">Your dictations will be listed here.</p>'
    head = "<tr><th>When (UTC)</th><th>Procedure</th><th>Length</th><th>State</th><th></th></tr>"
    return f'<table class="sessions"><thead>{head}</thead><tbody>{rows}</tbody></table>'


def _session_html(session: Session, title: str | None, audio_s: float) -> str:
    action = "Open" if session.state in ("transcribed", "done") else "Transcribe"
    button = "" if session.state == "recording" else _open_button(session, action)
    return (
        f'<tr data-state="{session.state}"><td>{session.created:%Y-%m-%d %H:%M}</td>'
        f"<td>{escape(title or session.procedure)}</td><td>{int(audio_s) // 60}:{int(audio_s) % 60:02d}</td>"
        f"<td>{_STATES[session.state]}</td><td>{button}</td></tr>"
    )


def _open_button(session: Session, action: str) -> str:
    when = f"{session.created:%Y-%m-%d %H:%M}"
    return f'<button type="button" data-session="{session.id}" aria-label="{action} {when}">{action}</button>'
