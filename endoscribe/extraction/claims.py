"""What a reader of a transcript says it heard, before anybody has verified it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from endoscribe.errors import ExtractionError
from endoscribe.procedures.expressions import Value as Value  # noqa: PLC0414  (also known by this name here)
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.transcript import Transcript
from endoscribe.usage import Bill


@dataclass(frozen=True, slots=True)
class Claim:
    """One cell: the target (`bbps_right`, `polyps.size_mm`), its row, the value as given, and the words it rests on.

    `value` may still be the text that a model wrote ("6", "true"): verification types it. `start` is the character
    offset of the quote where the reader knows it; a model does not.
    """

    target: str
    value: Value
    quote: str
    row: int | None = None  # 0-based; None outside tables
    start: int | None = None


#: Called with all claims so far, each time that there are more.
OnClaims = Callable[[tuple[Claim, ...]], None]


class Extractor(Protocol):
    """Reads a transcript against a schema. Raises ExtractionError with a sentence for the user."""

    @property
    def name(self) -> str: ...

    def probe(self) -> str | None:
        """A sentence saying why it could not read now; None when it can."""

    def extract(
        self, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None
    ) -> tuple[Claim, ...]: ...


@dataclass(frozen=True, slots=True)
class UnavailableExtractor:
    """Stands for a configured reader that cannot be built; every use says why."""

    name: str
    problem: str

    def probe(self) -> str | None:
        return self.problem

    def extract(
        self,
        transcript: Transcript,  # noqa: ARG002
        schema: ProcedureSchema,  # noqa: ARG002
        on_claims: OnClaims | None = None,  # noqa: ARG002
    ) -> tuple[Claim, ...]:
        raise ExtractionError(self.problem)


@dataclass(frozen=True, slots=True)
class Answer:
    """All claims of a reader, and what they cost; `bill` is None for a reader that costs nothing."""

    claims: tuple[Claim, ...]
    bill: Bill | None = None


@runtime_checkable
class BilledExtractor(Extractor, Protocol):
    """An extractor whose reading has a price."""

    def read(self, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None) -> Answer: ...


def read_with(
    extractor: Extractor, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None
) -> Answer:
    """What any extractor hears, with its bill if it has one."""
    if isinstance(extractor, BilledExtractor):
        return extractor.read(transcript, schema, on_claims)
    return Answer(extractor.extract(transcript, schema, on_claims))


class WrappingExtractor(ABC):
    """An extractor that does something to the transcript or the answer of another one, in `read`."""

    def __init__(self, inner: Extractor) -> None:
        self._inner = inner

    @property
    def name(self) -> str:
        return self._inner.name

    def probe(self) -> str | None:
        return self._inner.probe()

    def extract(
        self, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None
    ) -> tuple[Claim, ...]:
        return self.read(transcript, schema, on_claims).claims

    @abstractmethod
    def read(self, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None) -> Answer: ...
