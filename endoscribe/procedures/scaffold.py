"""The first lines of a new procedure: a small schema that works, with a comment for everything to fill in."""

import json
import re
from pathlib import Path

from endoscribe.errors import SchemaError
from endoscribe.procedures.json_schema import FORMAT_FILE, json_schema

ID = re.compile(r"[a-z][a-z0-9_]*")


def write_scaffold(procedure: str, folder: Path) -> Path:
    """Write `folder/procedure.yaml`, and the format beside it for editors; raises SchemaError, overwrites nothing."""
    if not ID.fullmatch(procedure):
        raise SchemaError(f"{procedure!r} cannot be an id: small letters, digits and _, a letter first.")
    path = folder / f"{procedure}.yaml"
    title = procedure.replace("_", " ").capitalize()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(STARTER.replace("TITLE", title))
        (folder / FORMAT_FILE).write_text(json.dumps(json_schema(), indent=1) + "\n", encoding="utf-8")
    except FileExistsError as error:
        raise SchemaError(f"{path} is there already; nothing was written.") from error
    except OSError as error:
        raise SchemaError(f"{path} cannot be written: {error.strerror}.") from error
    return path


STARTER = """\
# yaml-language-server: $schema=schema.json
# A procedure for EndoScribe. Change what you like: every line is yours, no code knows of it.
# The whole format, by example: docs/SCHEMAS.md. Is it in order?  python -m endoscribe schemas check THIS_FILE

include: [_core]      # what all reports share: patient, sedation, adverse events, recommendations
title: TITLE          # as the page's list shows it
version: "0.1"        # stands on every report; raise it when you change what is recorded
synonyms: []          # other names of the procedure
position: 50          # its place in the list, lowest first

sections:             # the report's headings, in reading order; the first two and `outcome` are those of _core
  patient: Patient
  sedation: Sedation and instrument
  examination: Examination
  findings: Findings
  outcome: Outcome and plan

fields:
  extent_reached:
    label: Extent reached
    type: enum                   # text, enum, multi, integer, number, boolean, date or time
    section: examination
    level: M                     # M: a complete report has it.  C: needed if `when` holds.  O: may be left out
    guide: The farthest point reached.            # what Claude is told
    values:                      # each allowed value with other ways of saying it
      first_part: [entrance]
      second_part: []
    cues: {pick: farthest}       # how the offline reader finds it, without Claude
  duration_min:
    label: Duration
    type: number
    unit: min                    # a UCUM unit: mm, cm, min, mL, mg, {score}
    range: [0.5, 240]
    section: examination
    guide: Minutes from beginning to end, as spoken.
    cues: {said: ["duration (is|of) <number>", "lasted <measure>"]}
  inflammation:
    label: Inflammation
    type: boolean                # yes when stated, no when denied, otherwise empty
    section: findings
    guide: Inflammation seen or denied.
    cues: {said: [inflammation, inflamed]}

tables:                          # findings of one kind, a row each
  lesions:
    label: Lesions
    row: lesion
    section: findings
    guide: One row for each lesion, in the order of dictation.
    cues: {anchors: [lesion|lesions, mass|masses], continues: [it, lesion|mass, biops*]}
    columns:
      size_mm:
        {label: Size, type: number, unit: mm, range: [0.5, 200], level: M, guide: Largest dimension.,
         cues: {said: ["<measure>"], part: largest}}
      biopsied: {label: Biopsied, type: boolean, guide: A biopsy was taken., cues: {said: [biops*]}}

derived: {}                      # values computed from others

checks:                          # fire when `when` is true, and are silent while what they look at was not said
  LOCAL-01:
    severity: warning            # error is for contradictions and impossible values only
    when: any_row(lesions, size_mm >= 10 and not biopsied)
    message: "{rows}: {size_mm} mm and not biopsied."
    source: ours                 # or tags of `references`: "[V:NAME]"

vocabulary: [lesion, inflammation]       # words that speech recognition should expect
repairs: {}                              # meant: [as it is misheard, ...]

note: |
  # {{ title }}
  {% for id, label in sections.items() if body(id) %}
  ## {{ label }}
  {{ body(id) }}
  {% endfor %}

references: {}                   # V:NAME: {title: ..., verified: true}
"""
