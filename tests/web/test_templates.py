"""HTML comes from templates alone, and whatever they are given stays a text."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from jinja2 import DictLoader, UndefinedError

from endoscribe.auth.modes import Demo
from endoscribe.auth.quota import Quota
from endoscribe.extraction.claims import Claim
from endoscribe.extraction.record import Cell, Record, UnfiledSentence
from endoscribe.extraction.verification.grounding import verify
from endoscribe.metrics import Metrics
from endoscribe.procedures.library import SchemaLibrary, load_schema
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema
from endoscribe.research.batch import BatchOutcome
from endoscribe.research.evaluation import Evaluation, score
from endoscribe.review.differences import differences
from endoscribe.review.edits import Edit
from endoscribe.review.versions import Reading, Review, add_edit, receive, sign, without_broken_signatures
from endoscribe.samples import Sample
from endoscribe.storage.session import Session
from endoscribe.transcript import Segment, Transcript, Word
from endoscribe.web.limits import RequestQuota
from endoscribe.web.page.cell_card import closeups
from endoscribe.web.page.evaluation import evaluation_page
from endoscribe.web.page.panels import (
    differences_html,
    history_html,
    masthead_html,
    report_panels,
    samples_html,
    status_html,
    transcript_html,
)
from endoscribe.web.page.player import player_html
from endoscribe.web.page.report import preview_panels
from endoscribe.web.page.research import Study, progress_html, result_html
from endoscribe.web.routes.login import refusal
from endoscribe.web.templates import ENVIRONMENT, render
from tests.support.paths import DATA, ROOT

MINI = load_schema(DATA / "schemas" / "mini.yaml")
PACKAGE = ROOT / "endoscribe"
TEMPLATES = sorted((PACKAGE / "web" / "templates").glob("*.html"))
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
#: The PDF's paragraphs have reportlab's own markup; the note for the clipboard is HTML that no page shows.
MAY_ESCAPE = {"outputs/clipboard.py", "outputs/document.py"}
SHOWING = ("endoscribe.web.page", "endoscribe.web.templates")
TAG = re.compile(r"</?[a-z][a-z0-9-]*[ />]")
ESCAPERS = {"html", "markupsafe", "xml.sax.saxutils"}

ATTACKS = (
    "<script>alert(1)</script>",
    '" onmouseover="alert(1)" x=\'',
    "{{ 7 * 7 }}{% set broken = 1 %}{{ broken }}{# gone #}",
    "</td></select></textarea></style><img src=x onerror=alert(1)>&lt;b&gt;&amp;",
)


class _Page(HTMLParser):
    """Tags with their attributes' names, all attributes' values, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.shape: list[str] = []
        self.values: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape.append(" ".join((tag, *(name for name, _ in attrs))))
        self.values += [value for _, value in attrs if value]

    def handle_data(self, data: str) -> None:
        self.text += data


# -- the rule --------------------------------------------------------------------------------------------------------


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def _imported(module: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_nothing_but_the_renderer_escapes_or_makes_markup() -> None:
    escaping = {name for name, module in _modules() if ESCAPERS & _imported(module)}
    rendering = {name for name, module in _modules() if name.startswith("web/") and "jinja2" in _imported(module)}
    assert escaping == MAY_ESCAPE
    assert rendering == {"web/templates/__init__.py"}


def _strings(module: ast.Module) -> Iterator[str]:
    """All but docstrings."""
    said = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value


def test_no_python_of_the_page_has_tags_in_it() -> None:
    of_the_page = ((name, module) for name, module in _modules() if name.startswith(("web/", "research/")))
    tagged = [(name, text) for name, module in of_the_page for text in _strings(module) if TAG.search(text)]
    assert not tagged


def test_the_microphones_transport_knows_no_page() -> None:
    transport = {"web/microphone/recording.py", "web/microphone/recordings.py", "web/microphone/live_feed.py"}
    known = {name: _imported(module) for name, module in _modules() if name in transport}
    assert set(known) == transport
    for name, imported in known.items():
        assert not [each for each in imported if each.startswith(SHOWING)], name


def test_every_template_escapes_and_misses_no_name() -> None:
    assert ENVIRONMENT.autoescape is True
    assert {path.name for path in TEMPLATES} == set(ENVIRONMENT.list_templates(["html"]))
    for path in TEMPLATES:
        ENVIRONMENT.get_template(path.name)
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape|Markup", source), path.name
    with pytest.raises(UndefinedError):
        render("status.html", kind="info")


def test_templates_are_compiled_once() -> None:
    assert ENVIRONMENT.get_template("record.html") is ENVIRONMENT.get_template("record.html")


def test_line_breaks_of_a_template_do_not_reach_the_page_and_those_of_a_text_do() -> None:
    source = (
        '<p\n  class="a">\n  {% if said %}\n  {{ said }}\n  {% endif %}\n  two\n  words\n  <b>x</b> <i>y</i>\n</p>\n'
    )
    environment = ENVIRONMENT.overlay(loader=DictLoader({"lines.html": source}))
    html = environment.get_template("lines.html").render(said="a\n  <b")
    assert html == '<p class="a">a\n  &lt;btwo words<b>x</b> <i>y</i></p>'


# -- what people, models and files say -------------------------------------------------------------------------------


def _hostile_field(field: FieldSchema, attack: str) -> FieldSchema:
    return field.model_copy(update={"label": attack, "unit": attack if field.unit else None})


def _hostile_schema(attack: str) -> ProcedureSchema:
    tables = {
        name: table.model_copy(
            update={
                "label": attack,
                "row": attack,
                "columns": {column: _hostile_field(field, attack) for column, field in table.columns.items()},
            }
        )
        for name, table in MINI.tables.items()
    }
    fields = {name: _hostile_field(field, attack) for name, field in MINI.fields.items()}
    sections = dict.fromkeys(MINI.sections, attack)
    return MINI.model_copy(update={"title": attack, "sections": sections, "fields": fields, "tables": tables})


def _transcript(attack: str) -> Transcript:
    words = f"Boston three on the right. {attack}".split()
    heard = [Word(word, i * 0.4, i * 0.4 + 0.3, None, attack) for i, word in enumerate(words)]
    return Transcript.from_segments([Segment(tuple(heard))], 60.0)


def _record(attack: str) -> Record:
    """The same cells whatever the attack, with it for every text in them."""
    said = "Boston three on the right, two on the left. A four millimeter polyp in the sigmoid. History of asthma."
    claims = (
        Claim("bbps_right", "3", "three on the right"),
        Claim("bbps_left", "7", "two on the left"),
        Claim("history", "asthma", "History of asthma"),
        Claim("polyps.size_mm", "4", "four millimeter", 0),
        Claim("polyps.segment", "rectum", "in the sigmoid", 0),
    )
    record = verify(claims, Transcript(said), MINI, attack)
    fields = {name: _hostile_cell(cell, attack) for name, cell in record.fields.items()}
    fields["history"] = replace(fields["history"], value=attack)
    rows = tuple({name: _hostile_cell(cell, attack) for name, cell in row.items()} for row in record.tables["polyps"])
    checks = tuple(replace(check, message=attack, source=attack) for check in record.checks)
    unfiled = (UnfiledSentence(attack, 0, 5, 0.0, 1.0),)
    return replace(record, fields=fields, tables={"polyps": rows}, checks=checks, unfiled=unfiled)


def _hostile_cell(cell: Cell, attack: str) -> Cell:
    evidence = replace(cell.evidence, quote=attack) if cell.evidence else None
    return replace(cell, as_dictated=attack, evidence=evidence, problem=attack, heard_also=attack)


def _reviews(attack: str) -> Iterator[Review]:
    """As it was read, edited while another reading waits, signed, and with a signature that does not match."""
    record = _record(attack)
    second = replace(record, extractor=attack, fields={})
    read = receive(None, Reading(record, second))
    edited = add_edit(read, Edit("set", "history", NOW, None, f"{attack}!"), MINI)
    signed = sign(edited, attack, NOW, MINI)
    (version,) = signed.versions
    assert version.signature
    forged = replace(version, signature=replace(version.signature, name=f"{attack}."))
    yield read
    yield receive(edited, Reading(replace(second, fields={})))
    yield add_edit(signed, Edit("not_stated", "history", NOW), MINI)
    yield without_broken_signatures(Review((forged,)))


def _report_parts(attack: str, schema: ProcedureSchema) -> Iterator[str]:
    for review in _reviews(attack):
        panels = report_panels(review, attack, schema, attack)
        found = closeups(review.latest, schema)
        yield from (panels["record"], panels["checks"], panels["checklist"], panels["review"], panels["exports"])
        yield panels["unfiled"]
        yield from (*found["cards"].values(), *found["forms"].values())
        record = review.latest.reading.record
        yield from (str(panel) for panel in preview_panels(record, schema).values())
        yield differences_html(differences(record, replace(record, fields={})), schema, attack, attack)


def _other_parts(attack: str, schema: ProcedureSchema) -> Iterator[str]:
    record, transcript = _record(attack), _transcript(attack)
    sample = Sample(attack, attack, attack, attack, attack, attack)
    session = Session(
        id="a1", procedure=attack, created=NOW, state="done", sample_rate=16_000, complete=True, signed_by=attack
    )
    study = Study(RequestQuota({}, Quota(), Metrics()), 3, attack, [BatchOutcome(attack, transcript, record, attack)])
    evaluation = Evaluation()
    labels = {"id": attack, "procedure": attack, "fields": {"history": None, "bbps_right": 1}, "tables": {}}
    score(evaluation, labels, record, transcript.text)
    yield transcript_html(transcript)
    yield transcript_html(Transcript(attack))
    yield status_html(attack, "error")
    yield player_html(attack)
    yield samples_html([sample])
    yield history_html([(session, 3.0)], SchemaLibrary(DATA / "schemas"))
    yield masthead_html(Demo(minutes=30, dictations=20, longest_minutes=10.0))
    yield progress_html(study)
    yield result_html(study, schema)
    yield refusal(attack)
    yield render("login.html", problem=attack, mark=attack, is_again=False)
    yield evaluation_page(evaluation, attack)


def _parts(attack: str) -> list[str]:
    schema = _hostile_schema(attack)
    return [*_report_parts(attack, schema), *_other_parts(attack, schema)]


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_anybody_says_or_is_called_is_shown_and_never_interpreted(attack: str) -> None:
    """The same tags and attributes come out as for a harmless word of as many words in its place."""
    harmless = [_Page(part) for part in _parts(" ".join("word" for _ in attack.split()))]
    hostile = [_Page(part) for part in _parts(attack)]
    assert [page.shape for page in hostile] == [page.shape for page in harmless]
    told = [page for page in hostile if attack in page.text or any(attack in value for value in page.values)]
    assert len(told) > len(hostile) * 0.8


def test_the_words_that_stand_in_no_cell_are_marked_in_the_transcript() -> None:
    words = tuple(
        Word(text, i * 0.5, i * 0.5 + 0.4, None, "stem" if text == "stent" else None)
        for i, text in enumerate(["Cecum", "reached.", "A", "stent", "stays", "<b>."])
    )
    transcript = Transcript.from_segments([Segment(words)], 3.0)
    start = transcript.text.index("A stent")
    unfiled = UnfiledSentence("A stent stays <b>.", start, len(transcript.text))
    html = transcript_html(transcript, [unfiled])
    assert re.findall(r'<span [^>]*class="([^"]+)"[^>]*>([^<]+)</span>', html) == [
        ("unfiled", "A"),
        ("repaired unfiled", "stent"),
        ("unfiled", "stays"),
        ("unfiled", "&lt;b&gt;."),
    ]
    of_another_text = replace(unfiled, text="Something else.")
    assert "unfiled" not in transcript_html(transcript, [of_another_text])
