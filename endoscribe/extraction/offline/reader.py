"""The offline reader: a transcript read with a schema's cues, without any model or network.

Deterministic, and silent where it is not sure. Knows no procedure: what to listen for stands in the schema.
"""

from collections.abc import Iterator

from endoscribe.extraction.claims import Claim, OnClaims, Value
from endoscribe.extraction.extractor import Answer
from endoscribe.extraction.offline.groups import RowDraft
from endoscribe.extraction.offline.rows import RowReader
from endoscribe.extraction.reading.cues import CueMatcher, Mention, pick
from endoscribe.extraction.reading.tokens import TokenizedTranscript
from endoscribe.extraction.silence import CUE_READER
from endoscribe.extraction.verification.grounding import examine
from endoscribe.procedures.schema import Cues, FieldSchema, ProcedureSchema, TableSchema
from endoscribe.transcript import Transcript


class OfflineExtractor:
    """An `Extractor` that listens for the cues of a schema."""

    name = CUE_READER

    def probe(self) -> str | None:
        """Nothing can keep it from reading."""
        return None

    def read(self, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None) -> Answer:
        """Every value that the transcript states in a way that the schema foresees, with the words that state it.

        What its own words do not bear out is left out: where two of our own rules disagree, nothing is sure.
        """
        extraction = _Extraction(transcript, schema)
        examined = examine(tuple(extraction.claims()), transcript, schema, extraction.matcher)
        rulings = tuple(ruling for ruling in examined if ruling.cell.status == "ok")
        claims = tuple(ruling.claim for ruling in rulings)
        if on_claims:
            on_claims(claims)
        return Answer(claims, rulings=rulings)


class _Extraction:
    """One transcript read once."""

    def __init__(self, transcript: Transcript, schema: ProcedureSchema) -> None:
        self.reading = TokenizedTranscript(transcript.text, schema.spoken_repairs)
        self.matcher = CueMatcher(self.reading, schema)
        self.schema = schema

    def claims(self) -> Iterator[Claim]:
        readers = {table.id: self._reader(table) for table in self.schema.tables.values()}
        rows = {name: reader.rows() if reader else [] for name, reader in readers.items()}
        all_told = {name for name, reader in readers.items() if reader and reader.all_told}
        for field in self.schema.fields.values():
            if field.type == "multi":
                yield from self._several(field)
                continue
            if field.cues and field.cues.count_of:
                table_id = field.cues.count_of
                claim = self._count(field, field.cues, rows[table_id]) if table_id in all_told else None
            else:
                claim = self._scalar(field)
            if claim:
                yield claim
        for table in self.schema.tables.values():
            for index, row in enumerate(rows[table.id]):
                yield from self._cells(table, row, index)

    def _reader(self, table: TableSchema) -> RowReader | None:
        return RowReader(self.matcher, table, table.cues) if table.cues and self.reading.tokens else None

    def _several(self, field: FieldSchema) -> Iterator[Claim]:
        """A claim for each value of a multi field, with the words that say it first."""
        first: dict[Value, Mention] = {}
        for mention in self.matcher.mentions(field):
            first.setdefault(mention.value, mention)
        for value, mention in first.items():
            yield self._claim(field.id, (str(value),), mention.first, mention.after)

    def _scalar(self, field: FieldSchema) -> Claim | None:
        mention = self.matcher.end(field) if field.cues and field.cues.ends else None
        mention = mention or pick(self.matcher.mentions(field), field, "last")
        return self._claim(field.id, mention.value, mention.first, mention.after) if mention else None

    def _count(self, field: FieldSchema, cues: Cues, found: list[RowDraft]) -> Claim | None:
        """The number of things in a table; None when some row does not say how many it holds."""
        if found:
            counts = [row.count for row in found if row.count is not None]
            anchor = found[0].anchor
            return self._claim(field.id, sum(counts), anchor.first, anchor.after) if len(counts) == len(found) else None
        zero = [match for match in self.reading.find(cues.zero)
                if self.matcher.counts_in(cues, match.first) and not self.matcher.denies_more(match)]  # fmt: skip
        return self._claim(field.id, 0, zero[0].first, zero[0].after) if zero else None

    def _cells(self, table: TableSchema, row: RowDraft, index: int) -> Iterator[Claim]:
        count_column = table.cues.count if table.cues else None
        for column in table.columns.values():
            if column.id == count_column:
                if row.count is None or (row.group_of and not row.count_quote):
                    continue  # told by its size alone: no words say "one"
                first, after = row.count_quote or (row.anchor.first, row.anchor.after)
                yield self._claim(f"{table.id}.{column.id}", row.count, first, after, index)
            elif column.id in row.values:
                mention = row.values[column.id]
                yield self._claim(f"{table.id}.{column.id}", mention.value, mention.first, mention.after, index)

    def _claim(self, target: str, value: Value, first: int, after: int, row: int | None = None) -> Claim:
        quote, start = self.reading.quote(first, after)
        return Claim(target, value, quote, row, start)
