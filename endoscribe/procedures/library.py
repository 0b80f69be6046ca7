"""Folders of YAML files to procedure schemas: shared parts merged in, faults told with file and line, changes seen."""

import gc
import json
import logging
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from endoscribe.errors import SchemaError
from endoscribe.procedures.json_schema import allowed_keys
from endoscribe.procedures.schema import Jurisdiction, ProcedureSchema
from endoscribe.procedures.validation import validate_schema
from endoscribe.procedures.yaml_source import Location, YamlSource

log = logging.getLogger(__name__)

#: Files whose names begin so are shared parts, not procedures.
PART_PREFIX = "_"

#: Lists that are one thing: a file's own takes the place of an included one, where other lists are joined.
WHOLE = frozenset({"range", "interval"})

#: What the files of a library were when it was read: path -> (time of change in ns, bytes).
FileVersions = Mapping[Path, tuple[int, int]]


class SchemaLibrary:
    """The procedures of one or more folders; a later folder's schema takes the place of an earlier one with its id."""

    def __init__(self, *folders: Path, jurisdiction: Jurisdiction | None = None, tolerant: bool = False) -> None:
        """Raises SchemaError when a folder is missing or, unless `tolerant`, when any file in it is wrong.

        Without a jurisdiction every check and every advice holds.
        """
        for folder in folders:
            if not folder.is_dir():
                raise SchemaError(f"The schema folder {folder} does not exist.")
        self._folders = folders
        self._jurisdiction = jurisdiction
        self._tolerant = tolerant
        self._lock = threading.Lock()
        self._signature: FileVersions = {}
        self._schemas: Mapping[str, ProcedureSchema] = {}
        #: A sentence for each file that cannot be used as it is now.
        self.problems: tuple[str, ...] = ()
        self.refresh()

    def refresh(self) -> None:
        """Read the folders again if a file in them has changed.

        A schema that is broken now stays as it last was, where it was ever good, and `problems` says what is wrong.
        """
        with self._lock:
            signature = _signature(self._folders)
            if signature != self._signature:
                with _no_collection():
                    self._schemas, self.problems = self._read()
                self._signature = signature
                for problem in self.problems:
                    log.warning("%s", problem)

    def _read(self) -> tuple[dict[str, ProcedureSchema], tuple[str, ...]]:
        schemas: dict[str, ProcedureSchema] = {}
        problems: list[str] = []
        sources: dict[Path, YamlSource] = {}
        for folder in self._folders:
            for path in schema_files(folder):
                try:
                    schema = load_schema(path, self._folders, self._jurisdiction, sources)
                    schemas[schema.id] = schema
                except SchemaError as error:
                    if not self._tolerant:
                        raise
                    problems.append(str(error))
                    if path.stem in self._schemas:
                        schemas[path.stem] = self._schemas[path.stem]
        return schemas, tuple(problems)

    def __iter__(self) -> Iterator[ProcedureSchema]:
        return iter(sorted(self._schemas.values(), key=lambda schema: (schema.position, schema.title)))

    def get(self, procedure: str) -> ProcedureSchema:
        """The schema with this id; raises SchemaError with the nearest known one.

        The message does not say what was asked for: a caller may have sent anything.
        """
        if procedure in self._schemas:
            return self._schemas[procedure]
        known = ", ".join(self._schemas)
        near = get_close_matches(procedure, self._schemas, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise SchemaError(f"There is no procedure of that name.{hint} Known: {known}.")


def schema_files(folder: Path) -> list[Path]:
    """The procedures' files of a folder, without shared parts."""
    return [path for path in sorted(folder.glob("*.yaml")) if not path.name.startswith(PART_PREFIX)]


def load_schema(
    path: Path,
    folders: Sequence[Path] = (),
    jurisdiction: Jurisdiction | None = None,
    sources: dict[Path, YamlSource] | None = None,
) -> ProcedureSchema:
    """Read one procedure's file with the parts that it includes; raises SchemaError naming file, line and key.

    Included parts stand in the file's own folder or in one of `folders`; `sources` keeps what was read already.
    """
    files = _Files({} if sources is None else sources, folders)
    merged = _with_ids(_with_lists({"id": path.stem, **files.merged(path, ())}))
    try:
        schema = ProcedureSchema.model_validate(merged)
    except ValidationError as error:
        raise SchemaError(_explain(files, error)) from error
    for fault in validate_schema(schema):
        raise SchemaError(_sentence(f"{files.where(fault.location)}: {fault.problem}"))
    return schema.within(jurisdiction) if jurisdiction else schema


class _Files:
    """A schema's own file and the parts that it includes."""

    def __init__(self, known: dict[Path, YamlSource], folders: Sequence[Path]) -> None:
        self._known = known
        self._folders = folders
        self._used: list[YamlSource] = []  # the schema's own file first

    def merged(self, path: Path, including: tuple[Path, ...]) -> dict[str, Any]:
        """The file's data over that of its included parts: mappings merge key by key, lists are joined."""
        source = self._known.setdefault(path, YamlSource(path)) if path not in self._known else self._known[path]
        self._used.append(source)
        data = dict(source.data)
        names = data.pop("include", None) or []
        merged: dict[str, Any] = {}
        for name in [names] if isinstance(names, str) else names:
            part = self._part(source, str(name), including)
            merged = _merge(merged, self.merged(part, (*including, path)))
        return _merge(merged, data)

    def _part(self, source: YamlSource, name: str, including: tuple[Path, ...]) -> Path:
        """The file that an `include` names: beside its own, else in the folders; never one that is being read."""
        own = source.path.parent
        for folder in (own, *self._folders):
            part = folder / f"{name}.yaml"
            if part.is_file() and not any(part.samefile(each) for each in (source.path, *including)):
                return part
        where = f"{source.path.name}, line {source.line(('include',))}"
        raise SchemaError(f"{where}: there is no file {name}.yaml to include.")

    def where(self, location: Location) -> str:
        """`col.yaml, line 12, fields.bbps_right`: the file that holds most of the location, the schema's own first."""
        source = max(self._used, key=lambda each: each.depth(location))
        return f"{source.path.name}, line {source.line(location)}, {'.'.join(map(str, location)) or 'the file'}"


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage is looked for meanwhile: reading makes many objects that stay, and the search takes a third of it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _signature(folders: Sequence[Path]) -> FileVersions:
    found: dict[Path, tuple[int, int]] = {}
    for folder in folders:
        for path in folder.glob("*.yaml"):
            try:
                status = path.stat()
            except OSError:
                continue  # it went away just now
            found[path] = (status.st_mtime_ns, status.st_size)
    return found


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merge(old, value)
        elif isinstance(old, list) and isinstance(value, list) and key not in WHOLE:
            merged[key] = [*old, *value]
        else:
            merged[key] = value
    return merged


def _with_ids(data: dict[str, Any]) -> dict[str, Any]:
    """Each field, table and column knows its own id, which the file gives as the key, and its values' words."""
    data = dict(data)
    words = data.get("words")
    for kind in ("fields", "tables"):
        if isinstance(data.get(kind), dict):
            data[kind] = {
                key: _identified(key, part, words if isinstance(words, dict) else {})
                for key, part in data[kind].items()
            }
    return data


def _identified(key: str, part: Any, words: Mapping[str, Any]) -> Any:
    if not isinstance(part, dict):
        return part
    part = {**part, "id": key}
    if isinstance(part.get("columns"), dict):
        part["columns"] = {name: _identified(name, column, words) for name, column in part["columns"].items()}
    if isinstance(part.get("values"), list):
        part["values"] = {str(value): None for value in part["values"]}
    if isinstance(part.get("values"), dict) and isinstance(part.get("words", {}), dict):
        known = {str(value): words[value] for value in part["values"] if value in words}
        part["words"] = {**known, **part.get("words", {})}
    return part


# -- lists of names that phrases refer to -----------------------------------------------------------------------------

#: `<antibiotics>` in a phrase stands for any word of the file's list of that name.
_REFERENCE = re.compile(r"<([a-z][a-z0-9_]*)>")
#: Parts of a file in which phrases stand.
_WITH_PHRASES = ("fields", "tables", "topics", "course", "advice", "vocabulary")


def _with_lists(data: Mapping[str, Any]) -> dict[str, Any]:
    """The file's data with every reference to one of its lists spelled out; others are left as they are."""
    lists = data.get("lists")
    choices = {name: _choice(each) for name, each in lists.items()} if isinstance(lists, dict) else {}
    spelled = {key: _spelled(data[key], choices) for key in _WITH_PHRASES if key in data}
    return {**data, **spelled} if choices else dict(data)


def _choice(part: Any) -> str:
    """The words of a list as a choice of the phrase language: `cefazolin|piperacillin_tazobactam`."""
    words = part.get("words") if isinstance(part, dict) else None
    return "|".join(str(word).replace(" ", "_") for word in words) if isinstance(words, list) and words else ""


def _spelled(part: Any, choices: Mapping[str, str]) -> Any:
    if isinstance(part, str):
        return _REFERENCE.sub(lambda found: choices.get(found[1]) or found[0], part) if "<" in part else part
    if isinstance(part, dict):
        return {key: _spelled(value, choices) for key, value in part.items()}
    return [_spelled(each, choices) for each in part] if isinstance(part, list) else part


# -- what is wrong, in words -----------------------------------------------------------------------------------------


#: What pydantic's kinds of error mean to somebody who writes a file.
_EXPECTED = {
    "string_type": "a text is expected here", "bool_type": "true or false is expected here",
    "bool_parsing": "true or false is expected here", "int_type": "a number is expected here",
    "int_parsing": "a whole number is expected here", "float_type": "a number is expected here",
    "float_parsing": "a number is expected here", "tuple_type": "a list is expected here",
    "dict_type": "keys with values are expected here", "model_type": "keys with values are expected here",
    "too_long": "this list is too long", "too_short": "this list is too short",
}  # fmt: skip


def _explain(files: _Files, error: ValidationError) -> str:
    """One sentence for the first fault: file, line, key, what was expected, and the nearest valid word."""
    faults = error.errors(include_url=False)
    fault = next((each for each in faults if each["type"] == "extra_forbidden"), faults[0])  # a slip says most
    location: Location = tuple(part for part in fault["loc"] if part != "[key]")
    return _sentence(f"{files.where(location)}: {_problem(fault, location)}")


def _problem(fault: Mapping[str, Any], location: Location) -> str:
    given, kind = str(fault.get("input")), fault["type"]
    if kind == "extra_forbidden":
        allowed = allowed_keys(location)
        hint = _nearest(str(location[-1]), allowed) or f"allowed: {', '.join(allowed)}"
        return f"this key is not known; {hint}"
    if location == ("id",):
        return "the file's name is the procedure's id: small letters, digits and _, a letter first"
    if kind == "string_type" and isinstance(fault.get("input"), int | float):
        return f"this is text: write it in quotes, {json.dumps(given)}"
    if kind == "missing":
        return "this key is needed" if isinstance(location[-1], str) else "a value is missing here"
    if kind == "literal_error":
        words = fault["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return f"{given!r} is not one of {', '.join(words)}; {_nearest(given, words)}".rstrip("; ")
    return _EXPECTED.get(kind) or str(fault["msg"]).removeprefix("Value error, ")


def _sentence(text: str) -> str:
    return text if text.endswith("?") else f"{text}."


def _nearest(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else ""
