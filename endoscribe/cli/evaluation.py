"""`evaluate`: how well a reader does on labelled dictations."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from endoscribe.cli.options import AsJson, ExtractorName, chosen_extractor, read_settings, schema_library
from endoscribe.cli.output import print_json, say
from endoscribe.errors import ExtractionError

if TYPE_CHECKING:
    from endoscribe.procedures.library import SchemaLibrary

app = typer.Typer()


@app.command()
def evaluate(
    folder: Path,
    by_field: Annotated[bool, typer.Option("--by-field", help="the figures of each field, worst first")] = False,
    held_out: Annotated[bool, typer.Option("--held-out", help="only dictations that never served for tuning")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="write a page with each mistake in its transcript")
    ] = None,
    answers: Annotated[
        bool, typer.Option("--answers", help="verify NAME.answer.json in place of an extractor")
    ] = False,
    extractor: ExtractorName = None,
    as_json: AsJson = False,
) -> None:
    """Score an extractor on labelled dictations."""
    from endoscribe.research import evaluation
    from endoscribe.web.page.evaluation import evaluation_page

    settings = read_settings()
    if answers:
        _evaluate_answers(folder, schema_library(settings), held_out=held_out, by_field=by_field, as_json=as_json)
        return
    reader = chosen_extractor(settings, extractor)
    scored = evaluation.evaluate(folder, reader, schema_library(settings), held_out_only=held_out)
    if html:
        _write_text(html, evaluation_page(scored, reader.name))
    if as_json:
        print_json(scored.to_json(by_field=by_field))
    else:
        say(scored.to_text(by_field=by_field))


def _evaluate_answers(folder: Path, schemas: "SchemaLibrary", *, held_out: bool, by_field: bool, as_json: bool) -> None:
    from endoscribe.research.answers import evaluate_answers

    verified = evaluate_answers(folder, schemas, held_out_only=held_out)
    if as_json:
        print_json(verified.to_json(by_field=by_field))
    else:
        say(verified.to_text(by_field=by_field))


def _write_text(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExtractionError(f"{path} cannot be written.") from error
