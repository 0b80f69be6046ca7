"""Folders of schema files: what they include, how faults are told, and how changes are seen."""

import os
from pathlib import Path

import pytest

from endoscribe.errors import SchemaError
from endoscribe.procedures.checks import run_checks
from endoscribe.procedures.expressions import Stated
from endoscribe.procedures.library import SchemaLibrary, load_schema
from endoscribe.settings import SHIPPED_SCHEMA_DIR

SMALL = """\
title: Small
version: "1"
sections: {findings: Findings}
topics: {airway: [airway]}
fields:
  lavage:
    label: Lavage
    type: boolean
    section: findings
    source: "[V:BOOK]"
    cues: {said: [lavage], about: [airway]}
  side: {label: Side, type: enum, section: findings, values: {left: , right: }}
checks:
  S-01: {severity: info, when: lavage and side == "left", message: "Lavage on the {side}.", source: ours}
note: "{{ title }}"
references: {V:BOOK: {title: A book, verified: true}}
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text, encoding="utf-8")
    if path.stat().st_mtime_ns <= before:
        os.utime(path, ns=(before + 1, before + 1))  # a clock may be too coarse to tell two writes apart
    return path


@pytest.mark.parametrize(
    ("good", "bad", "problem"),
    [
        (
            "section: findings\n    source",
            "section: finding\n    source",
            r"line 9, fields\.lavage\.section: .*'findings'",
        ),
        ("about: [airway]", "about: [airwy]", r"line 11, fields\.lavage\.cues\.about: .*mean 'airway'"),
        ("type: boolean", "type: bolean", r"line 8, fields\.lavage\.type: 'bolean' is not one of .*mean 'boolean'"),
        ("[V:BOOK]", "[V:BOKK]", r"line 10, fields\.lavage\.source: .*mean 'V:BOOK'"),
        ('side == "left"', 'side == "lefft"', r"line 14, checks\.S-01\.when: side is never 'lefft'; .*'left'"),
        ('side == "left"', 'sied == "left"', r"line 14, checks\.S-01\.when: .*mean 'side'"),
        ("severity: info", "severity: fatal", r"line 14, checks\.S-01\.severity: 'fatal' is not one of"),
        ("{side}.", "{sides}.", r"line 14, checks\.S-01\.message: there is no field 'sides'"),
        ("label: Lavage\n", "lable: Lavage\n", r"line 7, fields\.lavage\.lable: this key is not known; .*'label'"),
        (
            "fields:\n",
            "tables: {side: {label: S, row: s, section: findings, columns: {}}}\nfields:\n",
            "side' is a table's",
        ),
        ("{left: , right: }", "{left: , um: }", r"line 12, fields\.side: 'um': 'um' is not a word"),
        ('version: "1"', "version: 1.5", r'line 2, version: this is text: write it in quotes, "1\.5"'),
        ("type: boolean", "type: number\n    range: 5", r"line 9, fields\.lavage\.range: a list is expected here\."),
        ("type: boolean", "type: boolean\n    level: C", r"line 9, fields\.lavage\.level: level C needs a `when`"),
        ("{findings: Findings}", "[findings]", "line 3, sections: keys with values are expected here"),
        ("  side:", "  class:", r"line 12, fields\.class: 'class' is a word of expressions"),
        ("title: Small\n", "", "small.yaml, line 1, title: this key is needed"),
        ("{{ title }}", "{{ titel }}", r"line 15, note: .*'titel'"),
        ("said: [lavage]", "said: [(lavage]", r"line 11, fields\.lavage\.cues: .*parenthesis"),
        ("topics: {airway: [airway]}", "topics: {airway: [<size>]}", r"line 4, topics\.airway: .*<size> is not known"),
        ("fields:\n", "fields:\n  lavage: {}\n", "line 7: the key 'lavage' stands twice"),
        ("topics: {airway: [airway]}", "topics: &a {airway: *a}", "line 4: this alias holds itself"),
        ("version:", "? [a, b]\n: c\nversion:", "line 2: a key is a word"),
        ("title: Small", "title: !!binary abc", "line 1: 'abc' cannot be read"),
        ("title: Small", "title: [", "not valid YAML"),
        ("title: Small", "include: [_missing]\ntitle: Small", r"line 1: there is no file _missing\.yaml to include"),
    ],
)
def test_a_fault_is_told_with_file_line_key_and_the_nearest_word(
    tmp_path: Path, good: str, bad: str, problem: str
) -> None:
    assert good in SMALL
    path = write(tmp_path, "small.yaml", SMALL.replace(good, bad, 1))
    with pytest.raises(SchemaError, match=problem):
        load_schema(path)


def test_a_files_name_is_the_procedures_id(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"My File\.yaml, line 1, id: the file's name is the procedure's id"):
        load_schema(write(tmp_path, "My File.yaml", SMALL))


def test_a_fault_in_an_included_part_names_the_part(tmp_path: Path) -> None:
    write(tmp_path, "_part.yaml", "fields:\n  lavage: {label: Lavage, type: boolean, section: nowhere}\n")
    path = write(tmp_path, "small.yaml", "include: [_part]\ntitle: T\nversion: '1'\nsections: {a: A}\nnote: n\n")
    with pytest.raises(SchemaError, match=r"_part\.yaml, line 2, fields\.lavage\.section"):
        load_schema(path)


def test_a_file_of_ones_own_may_change_a_few_lines_of_a_shipped_one(tmp_path: Path) -> None:
    text = "include: [col]\ntitle: Our colonoscopy\nfields: {withdrawal_time_min: {level: O}}\n"
    path = write(tmp_path, "col.yaml", text)
    schema = load_schema(path, [SHIPPED_SCHEMA_DIR, tmp_path])
    assert (schema.id, schema.title) == ("col", "Our colonoscopy")
    assert schema.fields["withdrawal_time_min"].level == "O"
    assert schema.fields["withdrawal_time_min"].range == (0.5, 120)


def test_files_that_include_each_other_end_in_a_sentence(tmp_path: Path) -> None:
    write(tmp_path, "_one.yaml", "include: [_two]\n")
    write(tmp_path, "_two.yaml", "include: [_one]\n")
    path = write(tmp_path, "small.yaml", "include: [_one]\ntitle: T\n")
    with pytest.raises(SchemaError, match=r"_two\.yaml, line 1: there is no file _one\.yaml"):
        load_schema(path)


def test_a_new_file_is_seen_and_a_broken_one_leaves_the_last_good_version(tmp_path: Path) -> None:
    library = SchemaLibrary(tmp_path, tolerant=True)
    assert list(library) == []
    write(tmp_path, "small.yaml", SMALL)
    library.refresh()
    assert library.get("small").title == "Small"
    write(tmp_path, "small.yaml", SMALL.replace("type: boolean", "type: bool"))
    write(tmp_path, "other.yaml", "title: Other\n")
    library.refresh()
    assert library.get("small").title == "Small"
    assert [schema.id for schema in library] == ["small"]
    assert [problem.split(",")[0] for problem in library.problems] == ["other.yaml", "small.yaml"]
    write(tmp_path, "small.yaml", SMALL.replace("title: Small", "title: Better"))
    (tmp_path / "other.yaml").unlink()
    library.refresh()
    assert library.get("small").title == "Better"
    assert library.problems == ()
    (tmp_path / "small.yaml").unlink()
    library.refresh()
    assert list(library) == []


def test_a_library_that_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    write(tmp_path, "small.yaml", SMALL)
    library = SchemaLibrary(tmp_path)
    known = library.get("small")
    library.refresh()
    assert library.get("small") is known


def test_a_shared_part_that_changes_renews_the_schemas_that_include_it(tmp_path: Path) -> None:
    write(tmp_path, "_part.yaml", "version: '1'\n")
    write(tmp_path, "small.yaml", "include: [_part]\ntitle: T\nsections: {a: A}\nfields: {}\nnote: n\n")
    library = SchemaLibrary(tmp_path)
    write(tmp_path, "_part.yaml", "version: '2'\n")
    library.refresh()
    assert library.get("small").version == "2"


def test_a_broken_file_of_ones_own_leaves_the_shipped_schema(tmp_path: Path) -> None:
    write(tmp_path, "col.yaml", "include: [col]\ntitel: Ours\n")
    library = SchemaLibrary(SHIPPED_SCHEMA_DIR, tmp_path, tolerant=True)
    assert library.get("col").title == "Colonoscopy"
    assert "col.yaml, line 2, titel: this key is not known; did you mean 'title'?" in library.problems[0]


PLACES = """\
title: Places
version: "1"
sections: {a: A}
fields:
  minutes: {label: Minutes, type: number, section: a, level: O, levels: {uk: M}}
thresholds: {shortest: {value: 6, by: {eu: 8}, source: ours}}
checks:
  P-01: {severity: info, when: minutes < shortest, message: "{minutes} below {shortest}.", source: ours}
  P-02: {severity: info, when: minutes < 99, message: here, source: ours, jurisdiction: [uk, eu]}
advice:
  again:
    label: Again
    when: "true"
    rows:
      1: {finding: any, when: minutes > 0, interval: 12, source: ours, jurisdiction: us}
      2: {finding: any, when: minutes > 0, interval: [6, 12], source: ours, jurisdiction: uk}
note: n
"""


def fired(library: SchemaLibrary, minutes: float) -> dict[str, str]:
    verdicts = run_checks(library.get("places"), Stated({"minutes": minutes}))
    return {verdict.id: verdict.message for verdict in verdicts}


def test_checks_levels_thresholds_and_advice_follow_the_jurisdiction(tmp_path: Path) -> None:
    write(tmp_path, "places.yaml", PLACES)
    us, uk, eu = (SchemaLibrary(tmp_path, jurisdiction=place) for place in ("us", "uk", "eu"))
    assert fired(us, 7) == {"again": "Again: 1 year (any)."}
    assert fired(uk, 5) == {"P-01": "5 below 6.", "P-02": "here", "again": "Again: 6 to 12 months (any)."}
    assert fired(eu, 7) == {"P-01": "7 below 8.", "P-02": "here"}
    assert [each.get("places").fields["minutes"].level for each in (us, uk, eu)] == ["O", "M", "O"]
