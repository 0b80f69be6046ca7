"""The record as prose: the parts of a note, in the words of the schema's `narrative`, else in those of its labels.

What is certain is told in sentences. What is not stands under them, each value with what is doubtful about it, and
after that what was said and stands in no cell, in the speaker's words.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from endoscribe.extraction.labels import plain_value, value_text
from endoscribe.extraction.record import Cell, Record, Row, UnfiledSentence
from endoscribe.outputs.outline import STATUS_WORDS, as_signed, remark, spoken
from endoscribe.outputs.placement import placed
from endoscribe.outputs.sentences import StatedValues, finished, joined, plain_row, plain_sentence, tell
from endoscribe.procedures.expressions import Value, expression
from endoscribe.procedures.notes.spelling import spelled
from endoscribe.procedures.notes.wording import compile_wording, places
from endoscribe.procedures.schema import Derived, FieldSchema, NarrativePart, ProcedureSchema, Saying, TableSchema

#: Heads what was said and is in no cell, within a part.
ALSO_SAID = "Also said:"
#: Where findings stand, and a section of which the narrative does not know.
FINDINGS = 40
#: The first part after findings and interventions.
COMPLICATIONS = 70


@dataclass(frozen=True)
class Paragraph:
    """Sentences that belong together; `number` is that of a row where a table has several."""

    text: str
    number: int | None = None


@dataclass(frozen=True)
class NotePart:
    """A part of the note with its heading; `doubts` are values with why they are not told as facts."""

    id: str
    title: str
    paragraphs: tuple[Paragraph, ...]
    doubts: tuple[str, ...]
    unfiled: tuple[UnfiledSentence, ...]
    #: The tables with rows that are shown beside the prose: those of findings and of what was done.
    tables: tuple[str, ...] = ()

    @property
    def also_said(self) -> str | None:
        """What was said and is in no cell, in the speaker's words."""
        return " ".join((ALSO_SAID, *map(spoken, self.unfiled))) if self.unfiled else None


@dataclass(frozen=True)
class Narrative:
    """A record told in prose, and what was said of which it is not clear where it belongs."""

    parts: tuple[NotePart, ...]
    unplaced: tuple[UnfiledSentence, ...]


def narrative(record: Record, schema: ProcedureSchema, *, is_signed: bool = False) -> Narrative:
    """The parts to which something belongs, in the order in which a clinician writes them."""
    return _Narrator(as_signed(record) if is_signed else record, schema, is_signed).narrative()


def note_parts(schema: ProcedureSchema) -> Mapping[str, NarrativePart]:
    """The parts of a schema's notes by position; a section that none holds is a part of its own."""
    held = {section for part in schema.narrative.values() for section in part.sections}
    own = {
        section if section not in schema.narrative else f"section_{section}":
        NarrativePart(title=label, position=FINDINGS, sections=(section,))
        for section, label in schema.sections.items() if section not in held
    }  # fmt: skip
    return dict(sorted({**schema.narrative, **own}.items(), key=lambda item: item[1].position))


class _Narrator:
    """Tells one record; what a sentence has told is not told again."""

    def __init__(self, record: Record, schema: ProcedureSchema, is_signed: bool) -> None:
        self.record = record
        self.schema = schema
        self.is_signed = is_signed
        self.parts = note_parts(schema)
        self.told: set[str] = set()
        fields = {name: field for name, field in schema.fields.items() if name in record.fields}
        derived = {name: (schema.derived[name], value) for name, value in record.derived.items()
                   if name in schema.derived}  # fmt: skip
        rows = {name: any(map(_certain, record.tables.get(name, ()))) for name in schema.tables}
        self.stated = StatedValues(fields, _certain(record.fields), derived, rows, schema.spelling)

    def narrative(self) -> Narrative:
        said = {name: list(self._said(part)) for name, part in self.parts.items()}
        found = placed(self.record, self.schema, self.homes)
        parts = (
            NotePart(
                name,
                spelled(part.title, self.schema.spelling),
                tuple(_paragraphs([*said[name], *self._left(name)])),
                tuple(self._doubts(name)),
                tuple(found.get(name, ())),
                tuple(self._tables(name, part)),
            )
            for name, part in self.parts.items()
        )
        shown = tuple(part for part in parts if part.paragraphs or part.doubts or part.unfiled)
        return Narrative(shown, tuple(found.get(None, ())))

    @cached_property
    def homes(self) -> Mapping[str, str]:
        """The part to which each field, table, column and computed value belongs: it names it, or holds its section."""
        named: dict[str, str] = {}
        for name, part in self.parts.items():
            for saying in part.say:
                for target in _named_by(saying):
                    named.setdefault(target, name)
        sections = {section: name for name, part in self.parts.items() for section in part.sections}
        kinds: Mapping[str, FieldSchema | TableSchema] = {**self.schema.fields, **self.schema.tables}
        own = {name: sections[part.section] for name, part in kinds.items() if part.section in sections}
        homes = {**own, **named}
        computed = {name: self._home_of_computed(rule, homes) for name, rule in self.schema.derived.items()}
        columns = {f"{table.id}.{column}": homes[table.id] for table in self.schema.tables.values()
                   for column in table.columns if table.id in homes}  # fmt: skip
        return {**columns, **computed, **homes}

    def _home_of_computed(self, rule: Derived, homes: Mapping[str, str]) -> str:
        named = (rule.compare or "", *expression(rule.expression).names)
        return next((homes[name] for name in named if name in homes), next(iter(self.parts)))

    # -- sentences ----------------------------------------------------------------------------------------------------

    def _said(self, part: NarrativePart) -> Iterator[Paragraph]:
        """What the schema's own sentences tell."""
        for saying in part.say:
            if saying.table is not None:
                yield from self._rows(self.schema.tables[saying.table], saying.rows)
            elif saying.is_bare:
                yield from self._plain(str(saying.text))
            else:
                told = tell(compile_wording(str(saying.text)), self.stated)
                if told and not told.names <= self.told:
                    self.told |= told.names
                    yield Paragraph(finished(told.text, self.schema.spelling))

    def _left(self, part: str) -> Iterator[Paragraph]:
        """What belongs here and no sentence has told."""
        for name in (*self.schema.fields, *self.schema.tables, *self.stated.derived):
            if self.homes.get(name) == part:
                yield from self._plain(name)

    def _plain(self, name: str) -> Iterator[Paragraph]:
        spelling = self.schema.spelling
        if name in self.schema.tables:
            yield from self._rows(self.schema.tables[name], ())
        elif name in self.told:
            return
        elif name in self.stated.cells:
            self.told.add(name)
            cell = self.stated.cells[name]
            yield Paragraph(finished(plain_sentence(self.schema.fields[name], cell, spelling), spelling))
        elif name in self.stated.derived and name not in self.schema.fields:
            rule, value = self.stated.derived[name]
            if rule.compare is None or rule.compare not in self.record.fields:
                yield Paragraph(finished(_computed(rule, value), spelling))

    def _rows(self, table: TableSchema, wordings: Sequence[str]) -> Iterator[Paragraph]:
        if table.id in self.told:
            return
        self.told.add(table.id)
        rows = self.record.tables.get(table.id, ())
        for number, row in enumerate(rows, start=1):
            if text := self._row(table, row, wordings):
                yield Paragraph(text, number if len(rows) > 1 else None)

    def _row(self, table: TableSchema, row: Row, wordings: Sequence[str]) -> str:
        stated = StatedValues(table.columns, _certain(row), {}, {}, self.schema.spelling)
        if not stated.cells:
            return ""
        told: set[str] = set()
        sentences: list[str] = []
        for index, source in enumerate(wordings):
            piece = tell(compile_wording(source), stated)
            if piece and (index == 0 or not piece.names <= told):
                told |= piece.names
                sentences.append(piece.text)
        left = [name for name in table.columns if name in stated.cells and name not in told]
        if left:
            named = "" if sentences else f"{table.row}: "
            sentences.append(named + plain_row(left, stated))
        return joined(finished(text, self.schema.spelling) for text in sentences)

    def _tables(self, name: str, part: NarrativePart) -> Iterator[str]:
        if FINDINGS <= part.position < COMPLICATIONS:
            yield from (table for table, rows in self.record.tables.items() if rows and self.homes.get(table) == name)

    # -- doubts -------------------------------------------------------------------------------------------------------

    def _doubts(self, part: str) -> Iterator[str]:
        """The values of a part that are no facts, or of which there is more to know, each with why."""
        for name, field in self.schema.fields.items():
            if self.homes.get(name) == part and name in self.record.fields:
                yield from self._doubt(field.label, self.record.fields[name], field)
        for name, table in self.schema.tables.items():
            if self.homes.get(name) == part:
                for number, row in enumerate(self.record.tables.get(name, ()), start=1):
                    for column, cell in row.items():
                        field = table.columns[column]
                        yield from self._doubt(f"{table.row} {number}, {field.label}", cell, field)

    def _doubt(self, label: str, cell: Cell, field: FieldSchema) -> Iterator[str]:
        words = remark(cell)
        if self.is_signed:
            words = "" if _is_certain(cell) else STATUS_WORDS[cell.status]
        if words:
            label = spelled(label, self.schema.spelling)
            yield f"{label[:1].upper()}{label[1:]}: {value_text(cell, field)} ({words})"


def _named_by(saying: Saying) -> Iterator[str]:
    if saying.table is not None:
        yield saying.table
    elif saying.is_bare:
        yield str(saying.text)
    else:
        yield from (place.name for place in places(compile_wording(str(saying.text))))


def _is_certain(cell: Cell) -> bool:
    return cell.status in ("ok", "edited")


def _certain(row: Row) -> Row:
    return {name: cell for name, cell in row.items() if _is_certain(cell)}


def _computed(rule: Derived, value: Value) -> str:
    return f"{rule.label}: {plain_value(value, None, rule.unit)} (computed)"


def _paragraphs(said: Sequence[Paragraph]) -> Iterator[Paragraph]:
    """Sentences that follow one another are one paragraph; a numbered row stands for itself."""
    run: list[str] = []
    for paragraph in (*said, None):
        if paragraph and paragraph.number is None:
            run.append(paragraph.text)
            continue
        if text := joined(iter(run)):
            yield Paragraph(text)
        run = []
        if paragraph:
            yield paragraph
