"""The format of a procedure's YAML file; `docs/SCHEMAS.md` explains it by example.

A schema is data: everything that tells a colonoscopy from an ERCP stands in `procedure_schemas/`, nothing in code.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache, reduce
from operator import or_
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from endoscribe.procedures.default_cues import default_cues
from endoscribe.procedures.normalize import plain_words
from endoscribe.procedures.notes.spelling import Spelling
from endoscribe.procedures.notes.wording import compile_wording
from endoscribe.procedures.phrases import WordSet, check_phrase, phrase_words
from endoscribe.procedures.repairs import Repairs

FieldType = Literal["text", "enum", "multi", "integer", "number", "boolean", "date", "time"]
#: M must be in a complete report, C when its condition holds, O may be left out.
Level = Literal["M", "C", "O"]
#: Of a check that fires; `warning` is for what would change care or coding.
Severity = Literal["error", "warning", "info"]
#: Whose guidelines and registries apply: the United States, the United Kingdom, or the rest of Europe.
Jurisdiction = Literal["us", "uk", "eu"]


#: A word that names more fields than these tells none of them: "grade", "size", "time".
MOST_TARGETS_NAMED = 12
#: Shorter words are no names: "a", "30".
SHORTEST_NAME = 3


#: Values whose own names are said at every turn: "the other polyp".
UNNAMED = frozenset({"none", "other", "unknown"})
#: A value's id so short means something only beside its field's name: "II".
_SHORT_ID = 3


def value_words(value: str) -> tuple[str, ...]:
    """A value's id as it is said, if it is said: `splenic_vein` is "splenic vein"."""
    return (value.replace("_", " "),) if len(value) >= _SHORT_ID and value.isidentifier() else ()


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _as_span(value: Any) -> Any:
    return (value, value) if isinstance(value, int | float) else value


_NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
_ONE_OR_TWO_NUMBERS = WithJsonSchema({"anyOf": [{"type": "number"}, _NUMBERS]})


def _one_or_more(*words: str) -> WithJsonSchema:
    """How the format's JSON Schema tells a text, or one of some words, or a list of them."""
    one = {"enum": list(words)} if words else {"type": "string"}
    return WithJsonSchema({"anyOf": [one, {"type": "array", "items": one}]})


#: One phrase or a list of them.
Phrases = Annotated[tuple[str, ...], BeforeValidator(_as_tuple), _one_or_more()]
Jurisdictions = Annotated[tuple[Jurisdiction, ...], BeforeValidator(_as_tuple), _one_or_more("us", "uk", "eu")]
Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Code(_Part):
    """A concept in a terminology; only codes seen in a named public source are allowed here."""

    system: Literal["snomed", "loinc"]
    code: str
    display: str
    source: str


class Term(_Part):
    """One allowed value of an enum or multi field, and how it is said."""

    label: str | None = None
    spoken: Phrases = ()
    misheard: Phrases = ()
    short: Phrases = ()  # forms that mean this value only beside the field's name: "2" after "NICE"
    codes: tuple[Code, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        """`cecum: [caecum]` is short for `cecum: {spoken: [caecum]}`; `cecum:` alone has no other words."""
        if value is None:
            return {}
        return {"spoken": value} if isinstance(value, str | list) else value

    @model_validator(mode="after")
    def _phrases_compile(self) -> Self:
        for phrase in (*self.spoken, *self.misheard, *self.short):
            check_phrase(phrase)
        return self


#: `before` the examination began; `past`; what is `former` ("the previously placed stent"); `today`; a `plan`.
CourseTime = Literal["before", "past", "former", "today", "plan"]
#: Which of several mentions is the value; `any`: a yes beats a no; `worst`: a no beats a yes; `farthest`: the last in
#: the order of `values`.
Pick = Literal["first", "last", "largest", "smallest", "farthest", "any", "worst"]
#: Which number of "3 to 5 mm" or "2 by 3 cm": `high` is a range's upper end only, `other` the second of dimensions.
RelativePart = Literal["low", "high", "first", "second", "largest", "other"]


def _course_times(value: Any) -> Any:
    return ("before", "past", "former", "today", "plan") if value == "any" else _as_tuple(value)


CourseTimes = Annotated[
    tuple[CourseTime, ...],
    BeforeValidator(_course_times),
    _one_or_more("before", "past", "former", "today", "plan", "any"),
]


class _Listening(_Part):
    """A part whose phrases are checked when the file is read."""

    @model_validator(mode="after")
    def _phrases_compile(self) -> Self:
        for phrase in self.phrases():
            check_phrase(phrase)
        return self

    def phrases(self) -> Iterator[str]:
        """Every phrase of this part, in the language of `procedures/phrases.py`."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name in self.phrase_keys:
                yield from value

    phrase_keys: ClassVar[frozenset[str]] = frozenset()


class Cues(_Listening):
    """What the offline reader listens for to fill one field; Claude reads `guide` instead.

    `said` depends on the field's type. boolean: words that state the thing; a negation around them makes it "no".
    integer and number: words with `<number>` or `<measure>` where it stands. enum and multi: the field's name; beside
    it a value's `short` forms count, elsewhere only its `spoken` and `misheard` ones. text: the value is what follows,
    to the end of the clause.
    """

    said: Phrases = ()
    denied: Phrases = ()  # boolean: words that mean "no" by themselves
    ignoring: Phrases = ()  # words inside these do not count: "stone retrieval balloon" is no stone
    needs: Phrases = ()  # a clause without one of these says nothing about the field
    unless: Phrases = ()  # a clause with one of these says nothing about the field
    about: Phrases = ()  # topics: counts only while the speaker is on one of them
    not_about: Phrases = ()  # topics: does not count while the speaker is on one of them
    normal: Phrases = ()  # boolean: is what is said of these topics normal?
    abnormal: Phrases = ()  # words that, said of one of the `normal` topics, mean that it is not
    findings: Phrases = ()  # words that, said of one of the `normal` topics, leave open whether it is normal
    single: Phrases = ()  # integer: words that mean one: "a clip is placed"
    zero: Phrases = ()  # integer: words that mean none
    ends: Phrases = ()  # enum: the value said right behind these is where it ended, whatever else is named
    count_of: Id | None = None  # integer: the sum of the `count` column of this table
    time: CourseTimes = ("today",)
    pick: Pick | None = None  # boolean: any (worst with `normal`), others: last, columns: first
    part: RelativePart = "low"
    group: Id | None = None  # numbers belong to one field of a group only
    negation: Literal["flips", "voids"] = "flips"  # boolean: "no X" means no, or says nothing
    names: bool = True  # enum: the values' own names count as said
    by_name: bool = False  # enum: every name of a value counts; one that other fields share, beside this one's only
    alone: bool = True  # enum: false when values count beside the field's name only, however they are said
    headings: Phrases = ()  # text: what stands under one of these headings of a report
    takes: Literal["rest", "from", "words"] = "rest"  # text: what follows the phrase, it too, or its own words only
    voided: Phrases = ()  # said of today, these leave the field empty, whatever else is said
    only_if: dict[Id, Phrases] = {}  # column: only in rows where another column has one of these values
    suspected: bool = False  # boolean: a suspicion counts as a yes
    within: int = 4  # words between an enum's name and a short form
    carried: bool = False  # column: said once, it holds for the following rows too
    units: Phrases = ()  # number: taken in any of these units; enum: the value is the unit of what is measured

    phrase_keys: ClassVar[frozenset[str]] = frozenset(
        {
            "said",
            "denied",
            "ignoring",
            "needs",
            "unless",
            "abnormal",
            "single",
            "zero",
            "ends",
            "headings",
            "voided",
            "findings",
        }
    )


class Offline(_Part):
    """That the offline reader does not listen for a field, and why: checks then never rest on its silence."""

    never: str = Field(min_length=1)


class RowCues(_Listening):
    """How the offline reader finds the rows of a table."""

    anchors: Phrases = ()  # the things that make a row: polyp, lesion
    named_by: Id | None = None  # an enum column whose values make rows by their names: a drug, a vessel
    word: Id | None = None  # a text column that takes the anchor's own words
    needs: Phrases = ()  # a clause without one of these opens no row
    unless: Phrases = ()  # a clause with one of these opens no row
    continues: Phrases = ()  # a later clause with one of these still speaks of the row
    count: Id | None = None  # the column that takes "two" of "two polyps"
    merge: Phrases = ()  # rows equal in these columns are one
    alike: Phrases = ()  # "another one" is like the row before in these columns
    apart: Phrases = ()  # "the cyst in the tail" is a new row when these columns differ from the open row's
    known: bool = False  # rows may be things that were there before: "the stent" opens a row
    time: CourseTimes = ("today",)

    phrase_keys: ClassVar[frozenset[str]] = frozenset({"anchors", "needs", "unless", "continues"})


class Headings(_Listening):
    """The headings of a report, by the time of which the words under them tell."""

    before: Phrases = ()  # preoperative diagnosis, indication, history
    today: Phrases = ()  # findings, complications, impression
    plan: Phrases = ()

    phrase_keys: ClassVar[frozenset[str]] = frozenset({"before", "today", "plan"})


class Course(_Listening):
    """How a dictation runs: where the examination begins, what is said of the past, what is a plan."""

    begins: Phrases = ()  # said before these: patient, indication and history
    past: Phrases = ()
    plan: Phrases = ()
    headings: Headings = Headings()
    #: Where two examinations are dictated together, the words with which another one's part begins, and this one's.
    elsewhere: Phrases = ()
    returns: Phrases = ()

    phrase_keys: ClassVar[frozenset[str]] = frozenset({"begins", "past", "plan", "elsewhere", "returns"})


class FieldSchema(_Part):
    """One field of a report, or one column of a table (then without section)."""

    id: Id
    label: str
    type: FieldType
    section: Id | None = None
    unit: str | None = None  # UCUM, for example mm, cm, min, {score}
    range: tuple[float, float] | None = None
    values: dict[str, Term] = {}
    words: dict[str, str] = {}  # how a value is written where its id is no word; the file's `words` by default
    level: Level = "O"
    levels: dict[Jurisdiction, Level] = {}  # where the level differs: `{uk: M}`
    when: str | None = None  # an expression: when a C field is needed
    guide: str | None = None
    spoken: Phrases = ()  # further ways of naming the field, by which verification knows that words speak of it
    context: bool = False  # comes with the examination (scope, endoscopist, clock): never listed as not said
    written: str | None = None  # enum: the name before a class in a transcript: Paris for "Paris 0-Is"
    cues: Cues | None = None
    offline: Offline | None = None  # `{never: why}`: the offline reader does not listen for it
    codes: tuple[Code, ...] = ()
    source: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.type in ("enum", "multi")) != bool(self.values):
            raise ValueError("enum and multi fields need `values`, others have none")
        for phrase in (*self.spoken, *self.values):  # a value's name is a way of saying it
            check_phrase(phrase)
        if self.range and self.type not in ("integer", "number"):
            raise ValueError("only integer and number fields have a `range`")
        if self.range and self.range[0] > self.range[1]:
            raise ValueError("`range` is [lowest, highest]")
        if self.offline and self.cues:
            raise ValueError("a field has `cues` or is `offline: {never: ...}`, not both")
        return self

    @cached_property
    def heard(self) -> Cues | None:
        """What the offline reader listens for: the cues, else what the field's names tell; None where it never does.

        The cues of a column also tell where its rows are, so they are not guessed.
        """
        if self.cues or self.offline or self.section is None:
            return self.cues
        return Cues(**default_cues(self.label, self.spoken, self.type, self.unit, self.section))

    def value_label(self, value: object) -> str:
        """A value's name: its label, else its id in words."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if str(value) not in self.values:
            return f"{value:g}" if isinstance(value, float) else str(value)
        return self.values[str(value)].label or str(value).replace("_", " ")

    def value_words(self, value: object) -> str:
        """How a value is written for a reader: as its name, unless the file has better `words`."""
        term = self.values.get(str(value))
        if term is None or term.label or isinstance(value, bool):
            return self.value_label(value)
        return self.words.get(str(value)) or self.value_label(value)


class TableSchema(_Part):
    """Findings of one kind, a row each."""

    id: Id
    label: str
    row: str  # the singular noun: polyp, stent
    section: Id
    columns: dict[Id, FieldSchema]
    level: Level = "O"
    when: str | None = None
    guide: str | None = None
    cues: RowCues | None = None

    @model_validator(mode="after")
    def _rows_begin(self) -> Self:
        if self.cues is None:
            return self
        key = self.cues.named_by
        if key and not (key in self.columns and self.columns[key].type == "enum"):
            raise ValueError(f"`named_by` is an enum column of the table; {key!r} is none")
        if not (key or self.cues.anchors):
            raise ValueError("the `cues` of a table need `anchors` or `named_by`")
        return self

    @cached_property
    def anchors(self) -> tuple[str, ...]:
        """The phrases that make a row: the anchors, and the names of what the rows are named by."""
        if self.cues is None:
            return ()
        key = self.columns[self.cues.named_by] if self.cues.named_by else None
        named = (name for value, term in (key.values.items() if key else ()) if value not in UNNAMED
                 for name in (*value_words(value), *term.spoken, *term.misheard))  # fmt: skip
        return tuple(dict.fromkeys((*self.cues.anchors, *named)))


class Derived(_Part):
    """A value computed from others and, where `compare` names a field, held against what was dictated."""

    label: str
    expression: str
    unit: str | None = None
    compare: Id | None = None
    tolerance: float = 0
    severity: Severity = "warning"  # of a disagreement with `compare`


class Check(_Part):
    """A rule: it fires when `when` is true; it is silent while a value that it compares is not stated."""

    severity: Severity
    when: str
    message: str
    source: str
    jurisdiction: Jurisdictions = ()  # none: everywhere


class Threshold(_Part):
    """A number that checks name instead of holding it, so that a site can change it in one place."""

    value: float
    unit: str | None = None
    by: dict[Jurisdiction, float] = {}  # where it differs
    source: str


class AdviceRow(_Part):
    """What is advised after one finding; `when` is neither true nor false while pathology is not known."""

    finding: str
    when: str
    interval: Annotated[tuple[float, float], BeforeValidator(_as_span), _ONE_OR_TWO_NUMBERS] | None = None
    instead: str | None = None  # what is told where no interval is advised: "back to screening"
    then: str | None = None  # what follows the first examination: "and again 12 months later"
    source: str
    jurisdiction: Jurisdictions = ()

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if (self.interval is None) is (self.instead is None):
            raise ValueError("a row has either `interval` or `instead`")
        if self.interval and not 0 <= self.interval[0] <= self.interval[1]:
            raise ValueError("`interval` is a number or [shortest, longest]")
        return self


class Advice(_Part):
    """A table from findings to an interval.

    While a row may still hold, all that may hold are listed; once every row is decided the shortest one is advised.
    """

    label: str
    unit: Literal["weeks", "months", "years"] = "months"
    when: str  # an expression: the reports for which the table is meant
    only_with: Phrases = ()  # nothing is advised unless one of these is said, or `entered` holds
    entered: str | None = None  # an expression: the same, by what stands in fields
    not_with: Phrases = ()  # nothing is advised where one of these is said and not denied
    not_when: dict[str, str] = {}  # nothing is advised where one of these holds: `the age is {patient_age}: expression`
    compare: Id | None = None  # the field that holds the dictated interval, in `unit`
    lacking: str = "it is not said that the table applies"  # why nothing is advised without `only_with`
    rows: dict[str, AdviceRow]

    @model_validator(mode="after")
    def _phrases_compile(self) -> Self:
        for phrase in (*self.only_with, *self.not_with):
            check_phrase(phrase)
        return self


class Reference(_Part):
    """A source that checks and fields name by its tag."""

    title: str
    verified: bool  # False: the fact is from general knowledge and was not re-read in the source


class WordList(_Part):
    """Names of one kind, such as drugs, and where they were looked up."""

    source: str
    words: Phrases


#: What a rule rests on: a source that was read, one that is only named, or nothing but this schema.
Basis = Literal["verified", "unverified", "ours"]
#: A source's tags: `[V:NED2][K:PARIS]`. Text without brackets names no reference.
TAG = re.compile(r"\[([^\]]*)\]")
#: What schemas call a rule that has no outside source.
OWN_RULE = "ours"


class ExampleCell(_Part):
    """A cell as Claude should write it; `value` is text whatever the field's type ("6", "true", "2024-09-16")."""

    field: str
    row: int | None = Field(None, ge=0)
    value: Annotated[str, BeforeValidator(_as_text), WithJsonSchema({"type": ["string", "number", "boolean"]})]
    quote: str


class Example(_Part):
    """A piece of dictation and all the cells that it states: the worked examples in Claude's instructions."""

    text: str
    cells: tuple[ExampleCell, ...]

    @model_validator(mode="after")
    def _quotes_are_verbatim(self) -> Self:
        for cell in self.cells:
            if cell.quote not in self.text:
                raise ValueError(f"{cell.field}: the quote {cell.quote!r} does not stand in the example's text")
        return self


def _as_saying(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


class Saying(_Part):
    """A sentence of the note, or how the rows of a table are told; a bare id is told in the words of its label."""

    text: str | None = None
    table: Id | None = None
    rows: Phrases = ()  # of each row the first; the others where they tell more of it

    @model_validator(mode="after")
    def _words_compile(self) -> Self:
        if (self.text is None) is (self.table is None) or bool(self.rows) is (self.table is None):
            raise ValueError("a sentence, or a `table` with its `rows`")
        for source in self.wordings:
            compile_wording(source)
        return self

    @property
    def is_bare(self) -> bool:
        """Whether only an id stands here."""
        return self.text is not None and "{" not in self.text and " " not in self.text

    @property
    def wordings(self) -> tuple[str, ...]:
        """The sentences of a table's row, or the one sentence; none for a bare id."""
        return self.rows or (() if self.is_bare or self.text is None else (self.text,))


class NarrativePart(_Part):
    """A part of the note: its sentences, and what else was stated in the sections that it holds."""

    title: str
    position: int = 50  # parts stand by it, lowest first; findings from 40 on
    sections: Phrases = ()
    about: Phrases = ()  # words by which a sentence that is in no cell belongs here
    say: tuple[Annotated[Saying, BeforeValidator(_as_saying)], ...] = ()


class Normal(_Part):
    """A sentence that a clinician states with one click: "Esophagus normal"; nothing of it is read from a dictation."""

    label: str
    section: Id
    sets: dict[Id, bool | int | float | str]  # fields and the values that they get where nothing was stated
    without: Phrases = ()  # tables that must have no rows: a stomach with an ulcer is not normal


class ProcedureSchema(_Part):
    """One procedure, complete: its own file with the included parts merged in."""

    id: Id
    title: str
    version: str
    synonyms: Phrases = ()
    position: int = 100  # where it stands in lists, lowest first
    sections: dict[Id, str]
    fields: dict[Id, FieldSchema]
    tables: dict[Id, TableSchema] = {}
    derived: dict[Id, Derived] = {}
    thresholds: dict[Id, Threshold] = {}
    checks: dict[str, Check] = {}
    advice: dict[Id, Advice] = {}
    vocabulary: Phrases = ()
    lists: dict[Id, WordList] = {}  # `<name>` in a phrase stands for any word of the list
    repairs: dict[str, Phrases] = {}  # meant: [misheard, ...]
    real_words: Phrases = ()  # words like a term that are never repaired into it
    topics: dict[Id, Phrases] = {}  # what a speaker can be on; a topic lasts until another is named
    course: Course = Course()
    codes: tuple[Code, ...] = ()
    note: str
    narrative: dict[Id, NarrativePart] = {}
    normals: dict[Id, Normal] = {}
    words: dict[str, str] = {}  # how values are written whose ids are no words, in every field that has them
    spelling: Spelling = "us"  # of what the program writes; a jurisdiction has its own
    references: dict[str, Reference] = {}
    examples: tuple[Example, ...] = ()

    def within(self, jurisdiction: Jurisdiction) -> "ProcedureSchema":
        """This schema as it holds in one jurisdiction: levels, thresholds, checks, advice and spelling."""
        here = _In(jurisdiction)
        return self.model_copy(
            update={
                "fields": {name: here.field(part) for name, part in self.fields.items()},
                "tables": {name: here.table(part) for name, part in self.tables.items()},
                "thresholds": {name: here.threshold(part) for name, part in self.thresholds.items()},
                "checks": {name: part for name, part in self.checks.items() if here.holds(part.jurisdiction)},
                "advice": {name: here.advice(part) for name, part in self.advice.items()},
                "spelling": "us" if jurisdiction == "us" else "uk",
            }
        )

    def basis(self, source: str) -> Basis:
        """What a rule with this source rests on; one tag that was read is enough."""
        tags = TAG.findall(source)
        if not tags:
            return "ours"
        read = any(tag in self.references and self.references[tag].verified for tag in tags)
        return "verified" if read else "unverified"

    @cached_property
    def bases(self) -> Mapping[Basis, int]:
        """How many checks and rows of advice rest on a source that was read, on one only named, and on none."""
        sources = [check.source for check in self.checks.values()]
        sources += [row.source for advice in self.advice.values() for row in advice.rows.values()]
        counted = Counter(map(self.basis, sources))
        return {basis: counted[basis] for basis in get_args(Basis)}

    @cached_property
    def limits(self) -> Mapping[str, float]:
        """The thresholds as expressions know them."""
        return {name: threshold.value for name, threshold in self.thresholds.items()}

    def targets(self) -> Iterator[tuple[str, FieldSchema]]:
        """Every place that a claim can fill: `bbps_right`, `polyps.size_mm`, in reading order."""
        yield from self.fields.items()
        for table in self.tables.values():
            for column in table.columns.values():
                yield f"{table.id}.{column.id}", column

    @cached_property
    def spoken_repairs(self) -> Repairs:
        """What recognisers make of this procedure's terms, put right.

        Words are guessed only into what somebody listens for; the values of other fields are left as they are heard.
        """
        unheard = (word for phrase in self._values(heard=False) for word in re.findall(r"[^\W\d_]+", phrase))
        heard = (*self._phrases(), *self._values(heard=True), *self.vocabulary)
        return Repairs(self.repairs, heard, (*self.real_words, *unheard))

    def _values(self, *, heard: bool) -> Iterator[str]:
        """The ways of saying the values of fields that the offline reader listens for, or of those that it does not."""
        for _, field in self.targets():
            if (field.cues is not None) is heard:
                for value, term in field.values.items():
                    yield from (value, *term.spoken, *term.short)

    def _phrases(self) -> Iterator[str]:
        listening: list[_Listening | None] = [self.course, *(table.cues for table in self.tables.values())]
        listening += [field.cues for _, field in self.targets()]
        for topic in self.topics.values():
            yield from topic
        for part in listening:
            yield from part.phrases() if part else ()

    @cached_property
    def target_words(self) -> Mapping[str, WordSet]:
        """The normalized words in which each target is named: its label and cues, and those of its rows."""
        rows = {table.id: (table.label, table.row, *table.anchors)
                for table in self.tables.values()}  # fmt: skip
        return {
            target: phrase_words((*_naming_phrases(field), *rows.get(target.partition(".")[0], ())))
            for target, field in self.targets()
        }

    @cached_property
    def shared_names(self) -> frozenset[str]:
        """Names of allowed values that other fields, rows or topics bear as well: alone they tell nothing."""
        own = [{plain_name(name) for name in _value_phrases(field)} for _, field in self.targets()]
        labels = [{plain_name(field.label)} for _, field in self.targets()]
        things = [{plain_name(table.label), plain_name(table.row)} for table in self.tables.values()]
        topics = [{plain_name(phrase) for topic in self.topics.values() for phrase in topic}]
        known = Counter(name for names in (*own, *labels, *things, *topics) for name in names)
        return frozenset(name for name, count in known.items() if count > 1)

    @cached_property
    def telling_words(self) -> Mapping[str, WordSet]:
        """The words that tell each field, table and column from most others: its own names and its values'."""
        phrases = {target: tuple(_own_phrases(field)) for target, field in self.targets()}
        for name, table in self.tables.items():
            values = (phrase for column in table.columns.values() for phrase in _value_phrases(column))
            phrases[name] = (table.label, table.row, *table.anchors, *values)
        found = {name: phrase_words(said) for name, said in phrases.items()}
        known = Counter(word for words in found.values() for word in (*words.words, *words.beginnings))
        common = {word for word, count in known.items() if count > MOST_TARGETS_NAMED or len(word) < SHORTEST_NAME}
        return {name: words.without(common) for name, words in found.items()}

    @cached_property
    def narrative_words(self) -> Mapping[str, WordSet]:
        """The normalized words by which what is in no cell belongs to a part of the note."""
        return {name: phrase_words(part.about) for name, part in self.narrative.items()}

    @cached_property
    def audible(self) -> frozenset[str]:
        """The fields, tables and columns that a reader by cues can hear at all."""
        heard = {name for name, part in self.fields.items() if part.heard and self._is_heard(part, part.heard)}
        tables = {name: table.cues for name, table in self.tables.items() if table.cues}
        columns = {
            f"{name}.{column.id}" for name, cues in tables.items() for column in self.tables[name].columns.values()
            if column.id in (cues.count, cues.named_by, cues.word)
            or (column.cues and self._is_heard(column, column.cues))
        }  # fmt: skip
        return frozenset(heard | tables.keys() | columns)

    def _is_heard(self, part: FieldSchema, cues: Cues) -> bool:
        if cues.count_of:
            return cues.count_of in self.tables and self.tables[cues.count_of].cues is not None
        named = (
            part.values
            and cues.alone
            and (cues.names or any(term.spoken or term.misheard for term in part.values.values()))
        )
        return bool(cues.said or cues.denied or cues.normal or cues.headings or cues.units or named)

    def deaf_targets(self) -> Iterator[tuple[str, str]]:
        """(target, reason) of every field, table and column that the offline reader does not hear."""
        reasons = {name: part.offline.never for name, part in self.targets() if part.offline}
        for name in (*self.fields, *self.tables, *(name for name, _ in self.targets() if "." in name)):
            if name not in self.audible:
                yield name, reasons.get(name, "")

    @cached_property
    def clinical_words(self) -> WordSet:
        """Every normalized word with which this file names fields, values, rows and terms."""
        values = (name for _, field in self.targets() for value, term in field.values.items()
                  for name in (value.replace("_", " "), term.label or "", *term.spoken, *term.short))  # fmt: skip
        topics = (phrase for topic in self.topics.values() for phrase in topic)
        return reduce(or_, self.target_words.values(), phrase_words((*self.vocabulary, *values, *topics)))

    @cached_property
    def target_index(self) -> Mapping[str, FieldSchema]:
        return dict(self.targets())


@lru_cache(maxsize=16384)
def plain_name(text: str) -> str:
    """A name in plain words with single spaces; phrases with choices or gaps stay what they are."""
    return " ".join(word for word in plain_words(text.replace("_", " ")) if word not in (".", ","))


def _own_phrases(field: FieldSchema) -> Iterator[str]:
    yield from _naming_phrases(field)
    yield from field.spoken
    yield from _value_phrases(field)


def _value_phrases(field: FieldSchema) -> Iterator[str]:
    for value, term in field.values.items():
        yield from (value.replace("_", " "), term.label or "", *term.spoken)


def _naming_phrases(field: FieldSchema) -> Iterator[str]:
    yield field.label
    if field.cues:
        yield from field.cues.said
        yield from field.cues.denied


class _In:
    """What of a schema holds in one jurisdiction."""

    def __init__(self, jurisdiction: Jurisdiction) -> None:
        self.jurisdiction = jurisdiction

    def holds(self, jurisdictions: tuple[Jurisdiction, ...]) -> bool:
        return not jurisdictions or self.jurisdiction in jurisdictions

    def field(self, part: FieldSchema) -> FieldSchema:
        level = part.levels.get(self.jurisdiction)
        return part.model_copy(update={"level": level}) if level else part

    def table(self, part: TableSchema) -> TableSchema:
        return part.model_copy(update={"columns": {name: self.field(each) for name, each in part.columns.items()}})

    def threshold(self, part: Threshold) -> Threshold:
        return part.model_copy(update={"value": part.by.get(self.jurisdiction, part.value)})

    def advice(self, part: Advice) -> Advice:
        rows = {name: row for name, row in part.rows.items() if self.holds(row.jurisdiction)}
        return part.model_copy(update={"rows": rows})
