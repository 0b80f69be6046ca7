"""The format of a procedure's YAML file, and the library that loads a folder of them.

A schema is data: everything that tells a colonoscopy from an ERCP stands in `procedure_schemas/`, nothing in code.
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from endoscribe.errors import SchemaError
from endoscribe.procedures.checks import Severity as Severity  # noqa: PLC0414  (also known by this name here)
from endoscribe.procedures.checks import schema_faults
from endoscribe.procedures.phrases import compile_phrase
from endoscribe.procedures.repairs import Repairs
from endoscribe.procedures.yaml_source import Location, YamlSource

FieldType = Literal["text", "enum", "multi", "integer", "number", "boolean", "date", "time"]
#: M must be in a complete report, C when its condition holds, O may be left out.
Level = Literal["M", "C", "O"]

#: Files whose names begin so are shared parts, not procedures.
PART_PREFIX = "_"


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


#: One phrase or a list of them.
Phrases = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
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
            compile_phrase(phrase)
        return self


#: `before` the examination began; `past`; what is `former` ("the previously placed stent"); `today`; a `plan`.
Occasion = Literal["before", "past", "former", "today", "plan"]
#: Which of several mentions is the value; `any`: a yes beats a no; `worst`: a no beats a yes; `farthest`: the last in
#: the order of `values`.
Pick = Literal["first", "last", "largest", "smallest", "farthest", "any", "worst"]
#: Which number of "3 to 5 mm" or "2 by 3 cm": `high` is a range's upper end only, `other` the second of dimensions.
Part = Literal["low", "high", "first", "second", "largest", "other"]


def _occasions(value: Any) -> Any:
    return ("before", "past", "former", "today", "plan") if value == "any" else _as_tuple(value)


class _Listening(_Part):
    """A part whose phrases are checked when the file is read."""

    @model_validator(mode="after")
    def _phrases_compile(self) -> Self:
        for phrase in self.phrases():
            compile_phrase(phrase)
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
    unless: Phrases = ()  # nor does a clause with one of these
    about: Phrases = ()  # topics: counts only while the speaker is on one of them
    not_about: Phrases = ()  # nor does what is said while the speaker is on one of these topics
    normal: Phrases = ()  # boolean: is what is said of these topics normal?
    abnormal: Phrases = ()  # words that, said of one of the `normal` topics, mean that it is not
    single: Phrases = ()  # integer: words that mean one: "a clip is placed"
    zero: Phrases = ()  # with `count_of`: words that mean that there is no row
    count_of: Id | None = None  # integer: the sum of the `count` column of this table
    time: Annotated[tuple[Occasion, ...], BeforeValidator(_occasions)] = ("today",)
    pick: Pick | None = None  # boolean: any (worst with `normal`), others: last, columns: first
    part: Part = "low"
    group: Id | None = None  # numbers belong to one field of a group only
    negation: Literal["flips", "voids"] = "flips"  # boolean: "no X" means no, or says nothing
    names: bool = True  # enum: the values' own names count as said
    only_if: dict[Id, Phrases] = {}  # column: only in rows where another column has one of these values
    suspected: bool = False  # boolean: a suspicion counts as a yes
    within: int = 4  # words between an enum's name and a short form
    carried: bool = False  # column: said once, it holds for the following rows too

    phrase_keys: ClassVar[frozenset[str]] = frozenset(
        {"said", "denied", "ignoring", "needs", "unless", "abnormal", "single", "zero"}
    )


class RowCues(_Listening):
    """How the offline reader finds the rows of a table."""

    anchors: Phrases  # the things that make a row: polyp, lesion
    needs: Phrases = ()  # a clause without one of these opens no row
    unless: Phrases = ()  # nor does a clause with one of these
    continues: Phrases = ()  # a later clause with one of these still speaks of the row
    count: Id | None = None  # the column that takes "two" of "two polyps"
    merge: Phrases = ()  # rows equal in these columns are one
    alike: Phrases = ()  # "another one" is like the row before in these columns
    apart: Phrases = ()  # "the cyst in the tail" is a new row when these columns differ from the open row's
    known: bool = False  # rows may be things that were there before: "the stent" opens a row
    time: Annotated[tuple[Occasion, ...], BeforeValidator(_occasions)] = ("today",)

    phrase_keys: ClassVar[frozenset[str]] = frozenset({"anchors", "needs", "unless", "continues"})


class Course(_Listening):
    """How a dictation runs: where the examination begins, what is said of the past, what is a plan."""

    begins: Phrases = ()  # said before these: patient, indication and history
    past: Phrases = ()
    plan: Phrases = ()

    phrase_keys: ClassVar[frozenset[str]] = frozenset({"begins", "past", "plan"})


class FieldSchema(_Part):
    """One field of a report, or one column of a table (then without section)."""

    id: Id
    label: str
    type: FieldType
    section: Id | None = None
    unit: str | None = None  # UCUM, for example mm, cm, min, {score}
    range: tuple[float, float] | None = None
    values: dict[str, Term] = {}
    level: Level = "O"
    when: str | None = None  # an expression: when a C field is needed
    guide: str | None = None
    cues: Cues | None = None
    codes: tuple[Code, ...] = ()
    source: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.type in ("enum", "multi")) != bool(self.values):
            raise ValueError("enum and multi fields need `values`, others have none")
        if self.range and self.type not in ("integer", "number"):
            raise ValueError("only integer and number fields have a `range`")
        if self.range and self.range[0] > self.range[1]:
            raise ValueError("`range` is [lowest, highest]")
        return self

    def value_label(self, value: object) -> str:
        """The words in which a value of this field is shown."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if str(value) not in self.values:
            return f"{value:g}" if isinstance(value, float) else str(value)
        return self.values[str(value)].label or str(value).replace("_", " ")


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
    jurisdiction: Literal["us", "uk", "eu"] | None = None


class Reference(_Part):
    """A source that checks and fields name by its tag."""

    title: str
    verified: bool  # False: the fact is from general knowledge and was not re-read in the source


class ExampleCell(_Part):
    """A cell as Claude should write it; `value` is text whatever the field's type ("6", "true", "2024-09-16")."""

    field: str
    row: int | None = Field(None, ge=0)
    value: Annotated[str, BeforeValidator(_as_text)]
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
    checks: dict[str, Check] = {}
    vocabulary: Phrases = ()
    repairs: dict[str, Phrases] = {}  # meant: [misheard, ...]
    real_words: Phrases = ()  # words like a term that are never repaired into it
    topics: dict[Id, Phrases] = {}  # what a speaker can be on; a topic lasts until another is named
    course: Course = Course()
    codes: tuple[Code, ...] = ()
    note: str
    references: dict[str, Reference] = {}
    examples: tuple[Example, ...] = ()

    @model_validator(mode="after")
    def _sections_exist(self) -> Self:
        parts: tuple[FieldSchema | TableSchema, ...] = (*self.fields.values(), *self.tables.values())
        for part in parts:
            if part.section not in self.sections:
                raise ValueError(
                    f"{part.id}: there is no section {part.section!r}; sections: {', '.join(self.sections)}"
                )
        return self

    @model_validator(mode="after")
    def _examples_fit(self) -> Self:
        for cell in (cell for example in self.examples for cell in example.cells):
            if cell.field not in self.target_index:
                near = get_close_matches(cell.field, self.target_index, n=1)
                raise ValueError(
                    f"examples: no field {cell.field!r}" + (f"; did you mean {near[0]!r}?" if near else "")
                )
            if (cell.row is None) is ("." in cell.field):
                raise ValueError(f"examples: {cell.field}: columns have a row, other fields have none")
        return self

    @model_validator(mode="after")
    def _cues_name_what_there_is(self) -> Self:
        for phrase in (phrase for topic in self.topics.values() for phrase in topic):
            compile_phrase(phrase)
        for target, field in self.targets():
            cues = field.cues or Cues()
            _require(target, (*cues.about, *cues.not_about, *cues.normal), self.topics, "topic")
            _require(target, (cues.count_of,) if cues.count_of else (), self.tables, "table")
            if "." in target:
                _require(target, cues.only_if, self.tables[target.split(".")[0]].columns, "column")
        for table in self.tables.values():
            if table.cues:
                named = (*table.cues.merge, *table.cues.apart, *table.cues.alike)
                count = (table.cues.count,) if table.cues.count else ()
                _require(table.id, (*named, *count), table.columns, "column")
        return self

    def targets(self) -> Iterator[tuple[str, FieldSchema]]:
        """Every place that a claim can fill: `bbps_right`, `polyps.size_mm`, in reading order."""
        yield from self.fields.items()
        for table in self.tables.values():
            for column in table.columns.values():
                yield f"{table.id}.{column.id}", column

    @cached_property
    def spoken_repairs(self) -> Repairs:
        """What recognisers make of this procedure's terms, put right."""
        return Repairs(self.repairs, (*self._phrases(), *self.vocabulary), self.real_words)

    def _phrases(self) -> Iterator[str]:
        listening: list[_Listening | None] = [self.course, *(table.cues for table in self.tables.values())]
        for _, field in self.targets():
            listening.append(field.cues)
            for value, term in field.values.items():
                yield from (value, *term.spoken, *term.short)
        for topic in self.topics.values():
            yield from topic
        for part in listening:
            yield from part.phrases() if part else ()

    @cached_property
    def target_index(self) -> Mapping[str, FieldSchema]:
        return dict(self.targets())


def _require(where: str, names: Iterable[str], known: Mapping[str, object], kind: str) -> None:
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"cues of {where}: there is no {kind} {name!r}{hint}")


class SchemaLibrary:
    """The procedures of one or more folders; a later folder's schema takes the place of an earlier one with its id."""

    def __init__(self, *folders: Path) -> None:
        """Raises SchemaError when a folder is missing or any file in it is wrong."""
        self._schemas: dict[str, ProcedureSchema] = {}
        for folder in folders:
            if not folder.is_dir():
                raise SchemaError(f"The schema folder {folder} does not exist.")
            for path in sorted(folder.glob("*.yaml")):
                if not path.name.startswith(PART_PREFIX):
                    schema = load_schema(path)
                    self._schemas[schema.id] = schema

    def __iter__(self) -> Iterator[ProcedureSchema]:
        return iter(sorted(self._schemas.values(), key=lambda schema: (schema.position, schema.title)))

    def get(self, procedure: str) -> ProcedureSchema:
        """The schema with this id; raises SchemaError with the nearest known one."""
        if procedure in self._schemas:
            return self._schemas[procedure]
        known = ", ".join(self._schemas)
        near = get_close_matches(procedure, self._schemas, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise SchemaError(f"There is no procedure {procedure!r}.{hint} Known: {known}.")


def load_schema(path: Path) -> ProcedureSchema:
    """Read one procedure's file with the parts that it includes; raises SchemaError naming file, line and key."""
    source = YamlSource(path)
    merged = _with_ids({"id": path.stem, **_merge_includes(source)})
    try:
        schema = ProcedureSchema.model_validate(merged)
    except ValidationError as error:
        raise SchemaError(_explain(source, error)) from error
    for fault in schema_faults(schema):
        where = f"{source.path.name}, line {source.line(fault.location)}, {'.'.join(fault.location)}"
        raise SchemaError(f"{where}: {fault.problem}.")
    return schema


def _merge_includes(source: YamlSource) -> dict[str, Any]:
    """The file's data over that of its included parts: mappings merge key by key, lists are joined."""
    merged: dict[str, Any] = {}
    data = dict(source.data)
    for name in data.pop("include", []):
        part_path = source.path.parent / f"{name}.yaml"
        if not part_path.is_file():
            line = source.line(("include",))
            raise SchemaError(f"{source.path.name}, line {line}: there is no file {part_path.name} to include.")
        merged = _merge(merged, _merge_includes(YamlSource(part_path)))
    return _merge(merged, data)


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merge(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            merged[key] = [*old, *value]
        else:
            merged[key] = value
    return merged


def _with_ids(data: dict[str, Any]) -> dict[str, Any]:
    """Each field, table and column knows its own id, which the file gives as the key; enum values become text."""
    data = dict(data)
    for kind in ("fields", "tables"):
        if isinstance(data.get(kind), dict):
            data[kind] = {str(key): _identified(str(key), part) for key, part in data[kind].items()}
    return data


def _identified(key: str, part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    part = {**part, "id": key}
    if isinstance(part.get("columns"), dict):
        part["columns"] = {str(name): _identified(str(name), column) for name, column in part["columns"].items()}
    if isinstance(part.get("values"), dict):
        part["values"] = {str(value): term for value, term in part["values"].items()}
    elif isinstance(part.get("values"), list):
        part["values"] = {str(value): None for value in part["values"]}
    return part


def _explain(source: YamlSource, error: ValidationError) -> str:
    """One sentence for the first fault: file, line, key, what was expected, and the nearest valid word."""
    faults = error.errors(include_url=False)
    fault = next((each for each in faults if each["type"] == "extra_forbidden"), faults[0])  # a slip says most
    location: Location = tuple(part for part in fault["loc"] if part != "[key]")
    key = ".".join(map(str, location)) or "the file"
    where = f"{source.path.name}, line {source.line(location)}, {key}"
    if fault["type"] == "extra_forbidden":
        allowed = _allowed_keys(location)
        near = get_close_matches(str(location[-1]), allowed, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(allowed)}."
        return f"{where}: this key is not known; {hint}"
    return f"{where}: {fault['msg']}."


def _allowed_keys(location: Location) -> list[str]:
    model: type[BaseModel] = ProcedureSchema
    kinds: dict[str, type[BaseModel]] = {
        "fields": FieldSchema, "columns": FieldSchema, "tables": TableSchema, "derived": Derived,
        "checks": Check, "references": Reference, "values": Term, "codes": Code,
        "cues": Cues, "course": Course,
    }  # fmt: skip
    for part in location[:-1]:
        model = kinds.get(str(part), model)
    return [name for name in model.model_fields if name != "id"]
