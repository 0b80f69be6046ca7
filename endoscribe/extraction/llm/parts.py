"""Long dictations in parts: cut by time with an overlap, read side by side, and put together without doubling.

An hour of speech is more than a model reads well at once, and its answer more than it gives in time.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from endoscribe.errors import ExtractionError
from endoscribe.extraction.claims import Claim, OnClaims, Value
from endoscribe.extraction.extractor import Answer, Extractor
from endoscribe.extraction.verification.grounding import examine
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema
from endoscribe.transcript import Transcript
from endoscribe.usage import Bill, Usage

PART_S = 15 * 60.0
OVERLAP_S = 60.0
#: For texts without times, at 150 words a minute.
PART_WORDS = 2250
OVERLAP_WORDS = 150
#: Up to so many parts' worth a dictation is read at once; a little too long is better than cut.
WHOLE_PARTS = 1.4
MOST_AT_ONCE = 4
#: Characters by which the same words may be placed apart in two parts.
SAME_PLACE_CHARS = 12


@dataclass(frozen=True, slots=True)
class TranscriptPart:
    """A stretch [start, end) of the transcript's text."""

    start: int
    end: int


def cut(transcript: Transcript) -> list[TranscriptPart]:
    """The parts of a transcript, overlapping; one that holds all when it is not long."""
    words = _word_starts(transcript)
    if not words:
        return [TranscriptPart(0, len(transcript.text))]
    length, overlap = (PART_S, OVERLAP_S) if transcript.segments else (float(PART_WORDS), float(OVERLAP_WORDS))
    clock = [at for at, _ in words]
    total = clock[-1] - clock[0]
    if total <= WHOLE_PARTS * length:
        return [TranscriptPart(0, len(transcript.text))]
    count = round(total / length)
    step = total / max(1, count)
    parts = []
    for index in range(count):
        begins, ends = clock[0] + index * step, clock[0] + (index + 1) * step + overlap
        first = next(start for at, start in words if at >= begins - (overlap if index else 0))
        last = next((start for at, start in words if at >= ends), len(transcript.text))
        parts.append(TranscriptPart(0 if index == 0 else first, len(transcript.text) if index == count - 1 else last))
    return parts


def _word_starts(transcript: Transcript) -> list[tuple[float, int]]:
    """Each word's time, or without audio its number, and where it begins."""
    if transcript.segments:
        return [(placed.word.start_s, placed.start) for placed in transcript.placed_words]
    starts, at = [], 0
    for number, word in enumerate(transcript.text.split()):
        at = transcript.text.index(word, at)
        starts.append((float(number), at))
        at += len(word)
    return starts


class PartwiseExtractor:
    """An `Extractor` that gives long dictations to another one in parts."""

    def __init__(self, inner: Extractor) -> None:
        self._inner = inner

    @property
    def name(self) -> str:
        return self._inner.name

    def probe(self) -> str | None:
        return self._inner.probe()

    def read(self, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None) -> Answer:
        """All parts read at the same time, each within the reader's own deadline; one that fails fails the whole."""
        parts = cut(transcript)
        if len(parts) == 1:
            return self._inner.read(transcript, schema, on_claims)
        found: dict[int, tuple[Claim, ...]] = {}

        def reporter(index: int) -> Callable[[tuple[Claim, ...]], None]:
            def report(claims: tuple[Claim, ...]) -> None:
                found[index] = claims
                if on_claims:
                    placed = [_placed(found[i], parts[i], transcript, schema) for i in sorted(found)]
                    on_claims(together(placed, schema))

            return report

        def read_part(index: int) -> Answer | ExtractionError:
            text = transcript.text[parts[index].start : parts[index].end]
            try:
                return self._inner.read(Transcript(text), schema, reporter(index))
            except ExtractionError as error:
                return error

        with ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="part") as pool:
            answers = _all_or_error(list(pool.map(read_part, range(len(parts)))))
        placed = [_placed(answer.claims, part, transcript, schema) for answer, part in zip(answers, parts, strict=True)]
        return Answer(together(placed, schema), _total([answer.bill for answer in answers]))


def _all_or_error(outcomes: Sequence[Answer | ExtractionError]) -> list[Answer]:
    """The answers of all parts; when one failed, raises its error, with what the others took, too."""
    failed = next((each for each in outcomes if isinstance(each, ExtractionError)), None)
    if failed:
        failed.bill = _total([each.bill for each in outcomes])
        raise failed
    return [each for each in outcomes if isinstance(each, Answer)]


def _total(bills: Sequence[Bill | None]) -> Bill | None:
    known = [bill for bill in bills if bill]
    if not known:
        return None
    costs = [bill.cost_usd for bill in known]
    usage = sum((bill.usage for bill in known), Usage())
    return Bill(usage, None if None in costs else sum(cost for cost in costs if cost is not None))


def _placed(
    claims: Sequence[Claim], part: TranscriptPart, transcript: Transcript, schema: ProcedureSchema
) -> list[Claim]:
    """The part's claims with the place of their quotes in the whole text, as far as they are found."""
    text = Transcript(transcript.text[part.start : part.end])
    return [
        replace(ruling.claim, start=part.start + ruling.place.start) if ruling.place else ruling.claim
        for ruling in examine(claims, text, schema)
    ]


# -- putting together ------------------------------------------------------------------------------------------------


@dataclass
class _Row:
    """One row, with the claims of every part that saw it."""

    claims: dict[str, Claim] = field(default_factory=dict)

    @property
    def start(self) -> int:
        return min((claim.start for claim in self.claims.values() if claim.start is not None), default=-1)

    def is_same(self, other: "_Row") -> bool:
        """Whether both rest on the same words: in the overlap a finding is read twice."""
        shared = self.claims.keys() & other.claims.keys()
        return any(_same_place(self.claims[name], other.claims[name]) for name in shared)


def _same_place(one: Claim, other: Claim) -> bool:
    if one.start is None or other.start is None:
        return False
    return abs(one.start - other.start) <= SAME_PLACE_CHARS


def together(parts: Sequence[Sequence[Claim]], schema: ProcedureSchema) -> tuple[Claim, ...]:
    """The claims of all parts as if one reader had read the whole."""
    rows = {table: _rows_together(parts, table) for table in schema.tables}
    fields: dict[str, list[Claim]] = defaultdict(list)
    for claim in (claim for part in parts for claim in part if "." not in claim.target):
        if not any(_same_place(claim, known) for known in fields[claim.target]):
            fields[claim.target].append(claim)
    merged = [
        claim
        for target, claims in fields.items()
        for claim in _field_together(claims, schema.target_index[target], rows)
    ]
    for table_rows in rows.values():
        for index, row in enumerate(table_rows):
            merged += [replace(claim, row=index) for claim in row.claims.values()]
    return tuple(merged)


def _rows_together(parts: Sequence[Sequence[Claim]], table: str) -> list[_Row]:
    merged: list[_Row] = []
    for part in parts:
        for row in _rows_of(part, table):
            known = next((other for other in merged if other.is_same(row)), None)
            if known is None:
                merged.append(row)
            else:
                known.claims = row.claims | known.claims
    return sorted(merged, key=lambda row: row.start) if all(row.start >= 0 for row in merged) else merged


def _rows_of(claims: Sequence[Claim], table: str) -> Iterator[_Row]:
    rows: dict[int, _Row] = defaultdict(_Row)
    for claim in claims:
        if claim.target.partition(".")[0] == table and "." in claim.target:
            rows[claim.row or 0].claims[claim.target] = claim
    yield from (rows[index] for index in sorted(rows))


def _field_together(claims: Sequence[Claim], schema: FieldSchema, rows: Mapping[str, Sequence[_Row]]) -> list[Claim]:
    """One claim where parts differ: as the schema picks among several mentions, or the count of all rows."""
    if len(claims) == 1 or schema.type == "multi":
        return list(claims)
    table = schema.cues.count_of if schema.cues else None
    if table is not None:
        counted = _counted(rows.get(table, ()))
        return [replace(claims[0], value=counted)] if counted is not None else list(claims[:1])
    picked = _picked(claims, schema)
    return [picked] if picked else list(claims)  # the first one holds unless a later one corrects it


def _picked(claims: Sequence[Claim], schema: FieldSchema) -> Claim | None:
    pick = schema.cues.pick if schema.cues else None
    if schema.type == "boolean":
        wanted = "false" if pick == "worst" or (schema.cues and schema.cues.normal) else "true"
        return next((claim for claim in claims if str(claim.value).lower() == wanted), claims[0])
    if pick == "farthest":
        order = {value: place for place, value in enumerate(schema.values)}
        return max(claims, key=lambda claim: order.get(str(claim.value), -1))
    if pick in ("largest", "smallest"):
        choose = max if pick == "largest" else min
        return choose(claims, key=lambda claim: _number(claim.value))
    return claims[-1] if pick == "last" else None


def _counted(rows: Sequence[_Row]) -> int | None:
    """How many things the rows hold together; None when one of them does not say."""
    counts = [next((c.value for t, c in row.claims.items() if t.endswith(".count")), None) for row in rows]
    if not counts or any(count is None or not str(count).isdigit() for count in counts):
        return None
    return sum(int(str(count)) for count in counts)


def _number(value: Value) -> float:
    try:
        return float(str(value).split()[0])
    except (ValueError, IndexError):
        return 0.0
