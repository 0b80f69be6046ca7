"""The format's JSON Schema, the starter file, and what any schema that loads can be relied on for."""

import json
from keyword import iskeyword
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from endoscribe.cli.main import main
from endoscribe.errors import SchemaError
from endoscribe.extraction.extractor import read_transcript
from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.outputs.note import render_note
from endoscribe.procedures.json_schema import FORMAT_FILE, json_schema
from endoscribe.procedures.library import load_schema
from endoscribe.procedures.normalize import HESITATIONS
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.procedures.yaml_source import YamlSource
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Transcript

SHIPPED_FILES = sorted(SHIPPED_SCHEMA_DIR.glob("*.yaml"))
FORMAT = jsonschema.Draft202012Validator(json_schema())


def test_the_shipped_format_is_that_of_the_code() -> None:
    """`python -m endoscribe schemas format > procedure_schemas/schema.json` renews it."""
    assert json.loads((SHIPPED_SCHEMA_DIR / FORMAT_FILE).read_text(encoding="utf-8")) == json_schema()


@pytest.mark.parametrize("path", SHIPPED_FILES, ids=lambda path: path.name)
def test_editors_find_the_format_and_the_file_keeps_to_it(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith(f"# yaml-language-server: $schema={FORMAT_FILE}\n")
    FORMAT.validate(YamlSource(path).data)


@pytest.mark.parametrize(
    "slip",
    [
        {"fields": {"a": {"label": "A", "type": "nubmer", "section": "s"}}},
        {"fields": {"a": {"label": "A", "type": "text", "sectoin": "s"}}},
        {"checks": {"C": {"severity": "fatal", "when": "a", "message": "m", "source": "ours"}}},
        {"title": "Without the rest"},
    ],
)
def test_the_format_sees_slips(slip: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        FORMAT.validate(slip)


def test_a_starter_file_is_in_order_and_reads_a_dictation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schemas", "new", "bronch", "--folder", str(tmp_path)]) == 0
    path = tmp_path / "bronch.yaml"
    assert main(["schemas", "check", str(path)]) == 0
    FORMAT.validate(YamlSource(path).data)
    assert json.loads((tmp_path / FORMAT_FILE).read_text()) == json_schema()
    schema = load_schema(path, [SHIPPED_SCHEMA_DIR])
    text = Transcript("The scope was advanced to the second part. There is a lesion of 12 mm. No inflammation.")
    record = read_transcript(OfflineExtractor(), text, schema)
    assert {name: cell.value for name, cell in record.fields.items()} == {
        "extent_reached": "second_part",
        "inflammation": False,
    }
    assert record.tables["lesions"][0]["size_mm"].value == 12
    assert "Bronch" in render_note(record, schema)


@pytest.mark.parametrize("procedure", ["bronch", "Bronch", "1st", "a b", "../x"])
def test_a_starter_never_overwrites_and_has_a_proper_id(
    tmp_path: Path, procedure: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bronch.yaml").write_text("mine")
    assert main(["schemas", "new", procedure, "--folder", str(tmp_path)]) == 1
    assert (tmp_path / "bronch.yaml").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["bronch.yaml"]


# -- properties of the format ----------------------------------------------------------------------------------------

IDS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(lambda name: not is_taken(name))
WORDS = st.sampled_from(["polyp", "cecum", "margin", "left", "right", "ulcer", "duct", "stone"])
PHRASES = st.lists(WORDS, min_size=1, max_size=3, unique=True)
LEVELS = st.sampled_from(["M", "O"])


def is_taken(name: str) -> bool:
    """Whether a name means something already, or nothing when it is said."""
    return iskeyword(name) or name in ("true", "false", "things") or set(name.split("_")) <= HESITATIONS | {""}


@st.composite
def fields(draw: st.DrawFn, *, in_table: bool = False) -> dict[str, Any]:
    kind = draw(st.sampled_from(["text", "enum", "multi", "integer", "number", "boolean", "date", "time"]))
    made: dict[str, Any] = {"label": draw(WORDS), "type": kind, "level": draw(LEVELS)}
    if not in_table:
        made["section"] = "s"
    if kind in ("enum", "multi"):
        values = draw(st.lists(IDS, min_size=1, max_size=4, unique=True))
        made["values"] = draw(st.sampled_from([values, {value: [f"item_{value}"] for value in values}]))
    if kind in ("integer", "number"):
        made["range"] = sorted(draw(st.tuples(st.integers(-9, 99), st.integers(-9, 99))))
    if kind != "time":
        made["cues"] = {"said": draw(PHRASES)}
    return made


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, Any]:
    table = {"label": "T", "row": "row", "section": "s", "cues": {"anchors": draw(PHRASES)},
             "columns": draw(st.dictionaries(IDS, fields(in_table=True), min_size=1, max_size=3))}  # fmt: skip
    return {
        "title": draw(st.text(min_size=1, max_size=20)),
        "version": "1",
        "sections": {"s": "S"},
        "fields": draw(st.dictionaries(IDS, fields(), max_size=5)),
        "tables": {"things": table},
        "note": "{{ title }}: {{ body('s') }}",
    }


def loaded(folder: Path, content: dict[str, Any]) -> ProcedureSchema:
    path = folder / "made.yaml"
    path.write_text(yaml.safe_dump(content, default_style='"', sort_keys=False), encoding="utf-8")
    return load_schema(path)


@settings(max_examples=40, deadline=None)
@given(content=schemas(), said=st.lists(st.one_of(WORDS, st.sampled_from(["no", "3 mm", ".", "two"])), max_size=30))
def test_what_keeps_to_the_format_loads_reads_and_renders(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any], said: list[str]
) -> None:
    FORMAT.validate(content)
    schema = loaded(tmp_path_factory.mktemp("schemas"), content)
    assert list(schema.target_index) == [
        *content["fields"],
        *(f"things.{column}" for column in content["tables"]["things"]["columns"]),
    ]
    text = Transcript(" ".join(said))
    record = read_transcript(OfflineExtractor(), text, schema)
    assert set(record.fields) <= set(content["fields"])
    assert render_note(record, schema)


@settings(max_examples=40, deadline=None)
@given(content=schemas(), data=st.data())
def test_a_key_that_is_not_known_is_refused_wherever_it_stands(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any], data: st.DataObject
) -> None:
    table = content["tables"]["things"]
    places = [content, table, table["cues"], *content["fields"].values(), *table["columns"].values()]
    data.draw(st.sampled_from(places))["not_a_key"] = 1
    with pytest.raises(jsonschema.ValidationError):
        FORMAT.validate(content)
    with pytest.raises(SchemaError, match="not_a_key: this key is not known"):
        loaded(tmp_path_factory.mktemp("schemas"), content)
