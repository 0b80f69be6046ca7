"""`schemas`: what procedures there are, whether schema files are in order, a starter for a new one."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from endoscribe.cli.options import AsJson, read_settings, schema_folders, schema_library
from endoscribe.cli.output import print_json, say, tell
from endoscribe.errors import SchemaError

app = typer.Typer()


@app.command("list")
def list_procedures(as_json: AsJson = False) -> None:
    """The procedures that can be dictated."""
    schemas = list(schema_library(read_settings()))
    if as_json:
        print_json([{"id": each.id, "title": each.title, "version": each.version} for each in schemas])
        return
    for schema in schemas:
        say(f"{schema.id:8} {schema.title} (version {schema.version})")


@app.command()
def check(paths: Annotated[list[Path], typer.Argument(metavar="PATH")], as_json: AsJson = False) -> None:
    """Say what is wrong with schema files."""
    from endoscribe.procedures.library import PART_PREFIX, load_schema
    from endoscribe.procedures.names import nameless_values

    folders = schema_folders(read_settings())
    problems, warnings, unheard = [], [], []
    rules: list[dict[str, str | int]] = []
    files = list(_schema_files(paths))
    for path in files:
        try:
            if path.name.startswith(PART_PREFIX):
                continue
            schema = load_schema(path, folders)
            rules.append({"file": str(path), **{str(basis): count for basis, count in schema.bases.items()}})
            warnings += [
                {"file": str(path), "warning": f"{target}: nothing tells how {value!r} is said."}
                for target, value in nameless_values(schema)
            ]
            unheard += [
                {"file": str(path), "target": target, "reason": reason} for target, reason in schema.deaf_targets()
            ]
        except SchemaError as error:
            problems.append({"file": str(path), "problem": str(error)})
    if as_json:
        checked = [str(path) for path in files]
        found = {"problems": problems, "warnings": warnings, "rules": rules, "unheard": unheard}
        print_json({"checked": checked, **found})
    else:
        for each in warnings:
            tell(f"{each['file']}: warning: {each['warning']}")
        for each in unheard:
            tell(f"{each['file']}: {each['target']}: not heard offline{_because(each['reason'])}.")
        for counts in rules:
            tell(_rules_line(counts))
    if problems:
        raise SchemaError("\n".join(each["problem"] for each in problems))
    if not as_json:
        say("1 file is in order." if len(files) == 1 else f"{len(files)} files are in order.")


def _because(reason: str) -> str:
    return f", {reason}" if reason else ": it has no cues"


def _rules_line(counts: Mapping[str, str | int]) -> str:
    return (
        f"{counts['file']}: {counts['verified']} rules rest on a source that was read, "
        f"{counts['unverified']} on one that is only named, {counts['ours']} are the schema's own."
    )


@app.command()
def show(procedure: str, as_json: AsJson = False) -> None:
    """One procedure's fields and tables."""
    schema = schema_library(read_settings()).get(procedure)
    if as_json:
        print_json(schema.model_dump(mode="json", exclude_none=True))
        return
    say(f"{schema.title} (version {schema.version})")
    for target, field in schema.targets():
        kind = " | ".join(field.values) if field.values else field.type
        say(f"  {field.level}  {target:32} {kind}{f' {field.unit}' if field.unit else ''}")


@app.command()
def new(
    procedure: Annotated[str, typer.Argument(metavar="id", help="small letters, digits and _: bronchoscopy")],
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="where to write it; the folder of ENDOSCRIBE_SCHEMA_DIR, else here"),
    ] = None,
) -> None:
    """Write a commented starter file for a procedure."""
    from endoscribe.procedures.scaffold import write_scaffold

    settings = read_settings()
    path = write_scaffold(procedure, folder or settings.schema_dir or Path())
    say(f"{path} is ready to be filled in. `python -m endoscribe schemas check {path}` says whether it is in order.")
    if folder and folder != settings.schema_dir:
        say(f"Set ENDOSCRIBE_SCHEMA_DIR={folder} so that EndoScribe offers it.")


@app.command("format")
def print_format() -> None:
    """Print the JSON Schema of schema files."""
    from endoscribe.procedures.json_schema import json_schema

    read_settings()  # a slip in their names is told by every command
    say(json.dumps(json_schema(), indent=1, ensure_ascii=False))


def _schema_files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(path.glob("*.yaml"))
        elif path.is_file():
            yield path
        else:
            raise SchemaError(f"There is no file or folder {path}.")
