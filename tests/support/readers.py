"""Readers that fail or disagree, and the services around one."""

from pathlib import Path

from endoscribe.errors import ExtractionError
from endoscribe.extraction.claims import Claim, OnClaims
from endoscribe.extraction.extractor import Answer
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.services import Services
from endoscribe.settings import Settings
from endoscribe.transcript import Transcript
from endoscribe.usage import Bill, Usage

DICTATION = Transcript("Boston bowel prep score left colon 3, transverse colon 3, right colon 2, total 8.")


class FailingExtractor:
    """A reader that cannot be reached."""

    name = "claude"

    def probe(self) -> str | None:
        return "Claude cannot be reached."

    def read(self, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None) -> Answer:
        raise ExtractionError("Claude cannot be reached.")


def services_in(folder: Path, **environ: str) -> Services:
    return Services(Settings.from_environment({"ENDOSCRIBE_DATA_DIR": str(folder), **environ}, env_file=None))


class DisagreeingExtractor:
    """Reads one number otherwise, at a price."""

    name = "claude"

    def probe(self) -> str | None:
        return None

    def read(self, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None) -> Answer:
        return Answer((Claim("bbps_right", "3", "right colon 2"),), Bill(Usage(10, 5, 0, 2, 1), 0.01))
