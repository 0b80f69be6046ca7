"""The one way from a transcript to a record: a reader claims, verification settles what of it stands.

The page, the command line, a batch and the evaluation all go this way, so that a published figure and the page come
from the same verifier.
"""

from dataclasses import dataclass, replace
from typing import Protocol

from endoscribe.errors import ExtractionError
from endoscribe.extraction.claims import Claim, OnClaims
from endoscribe.extraction.record import Record
from endoscribe.extraction.verification.grounding import Ruling, examine, settle
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.transcript import Transcript
from endoscribe.usage import Bill


@dataclass(frozen=True, slots=True)
class Answer:
    """All claims of a reader, and what they cost; `bill` is None for a reader that costs nothing."""

    claims: tuple[Claim, ...]
    bill: Bill | None = None
    #: The examination of these claims in the whole transcript, where the reader has seen to that itself.
    rulings: tuple[Ruling, ...] | None = None


class Extractor(Protocol):
    """Reads a transcript against a schema."""

    @property
    def name(self) -> str: ...

    def probe(self) -> str | None:
        """A sentence saying why it could not read now; None when it can."""

    def read(self, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None) -> Answer:
        """All that it finds. Raises ExtractionError with a sentence for the user."""
        ...


@dataclass(frozen=True, slots=True)
class UnavailableExtractor:
    """Stands for a configured reader that cannot be built; every use says why."""

    name: str
    problem: str

    def probe(self) -> str | None:
        return self.problem

    def read(
        self,
        transcript: Transcript,  # noqa: ARG002
        schema: ProcedureSchema,  # noqa: ARG002
        on_claims: OnClaims | None = None,  # noqa: ARG002
    ) -> Answer:
        raise ExtractionError(self.problem)


def read_transcript(
    extractor: Extractor, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None
) -> Record:
    """What a reader makes of a transcript, each claim examined once, with the bill. Raises ExtractionError."""
    answer = extractor.read(transcript, schema, on_claims)
    rulings = examine(answer.claims, transcript, schema) if answer.rulings is None else answer.rulings
    return replace(settle(rulings, transcript, schema, extractor.name), bill=answer.bill)
