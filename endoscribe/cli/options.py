"""The options that several commands have, and what they choose."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from endoscribe.extraction.extractor import Extractor
    from endoscribe.procedures.library import SchemaLibrary
    from endoscribe.procedures.schema import ProcedureSchema
    from endoscribe.settings import Settings
    from endoscribe.speech.engine import WhisperXEngine

AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
Procedure = Annotated[str, typer.Option("--procedure")]
ListenFor = Annotated[str | None, typer.Option("--procedure", help="listen for this procedure's words")]
Model = Annotated[str | None, typer.Option("--model", help="a Whisper model's name or folder")]
ExtractorName = Annotated[Literal["offline", "claude", "openai"] | None, typer.Option("--extractor")]


def read_settings() -> "Settings":
    """The settings, read when a command runs: its arguments are known to be right by then."""
    from endoscribe.settings import Settings

    return Settings.from_environment()


def schema_folders(settings: "Settings") -> list[Path]:
    """Where schemas are looked for: the shipped ones first."""
    from endoscribe.settings import SHIPPED_SCHEMA_DIR

    return [SHIPPED_SCHEMA_DIR, *([settings.schema_dir] if settings.schema_dir else [])]


def schema_library(settings: "Settings") -> "SchemaLibrary":
    """The procedures that can be dictated."""
    from endoscribe.procedures.library import SchemaLibrary

    return SchemaLibrary(*schema_folders(settings), jurisdiction=settings.jurisdiction)


def chosen_schema(settings: "Settings", procedure: str | None) -> "ProcedureSchema | None":
    """The procedure of `--procedure`, where it was given."""
    return schema_library(settings).get(procedure) if procedure else None


def chosen_engine(settings: "Settings", model: str | None) -> "WhisperXEngine":
    """Speech recognition with the model of `--model`, else of the settings."""
    from endoscribe.speech.loading import load_engine

    return load_engine(settings.model_copy(update={"whisper_model": model}) if model else settings)


def chosen_extractor(settings: "Settings", name: str | None) -> "Extractor":
    """The reader of `--extractor`, else of the settings."""
    from endoscribe.services import build_extractor

    return build_extractor(settings.model_copy(update={"extractor": name}) if name else settings)
