"""Things told together and then one by one: "two nodes, the first 14 mm, the second 12 mm"."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from endoscribe.extraction.reading.cues import Mention
from endoscribe.extraction.reading.tokens import Match, TokenizedTranscript, TranscriptToken
from endoscribe.procedures.schema import FieldSchema, TableSchema

_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "1", "another", "other", "last", "remaining",
    "larger", "largest", "smaller", "smallest", "bigger", "biggest", "others", "rest", "remainder",
)  # fmt: skip
#: A single part told by one of these leaves the others untold; "the largest" may stand for them all.
_COUNTED = ("first", "second", "third", "fourth", "fifth")
_OTHERS = ("others", "rest", "remainder")
_GREATEST = ("largest", "biggest", "larger", "bigger")
_PART_FOLLOWS = frozenset({
    "is", "measures", "measured", "1", "in", "at", "of", "being", "with", "located", ",", "to", "by", "removed",
    "was",
})  # fmt: skip
#: "one" names a part only after one of these.
_BEFORE_ONE = frozenset({".", "|", ",", "and", "with", "the", "a", "smaller", "larger", "which", "that", "being"})


@dataclass
class RowDraft:
    """A row in the making: its anchor and the tokens that speak of it."""

    anchor: Match
    phrase_first: int
    count: int | None
    first: int = 0  # of all tokens that speak of it
    tokens: set[int] = field(default_factory=set)
    own: set[int] = field(default_factory=set)  # the anchor's own clause and noun phrase
    values: dict[str, Mention] = field(default_factory=dict)
    count_quote: tuple[int, int] | None = None
    group_of: "RowDraft | None" = None
    like: "RowDraft | None" = None  # the row before "another one"
    provisional: bool = True
    blocked: set[str] = field(default_factory=set)  # columns that a part does not have from its group

    def forget(self) -> None:
        """Drop the tokens that were only supposed to be the row's."""
        self.own, self.tokens, self.provisional = set(), set(), False


class Groups:
    """Splits rows that hold several things where the speaker told them apart."""

    def __init__(
        self, reading: TokenizedTranscript, table: TableSchema, mentions: Mapping[str, Sequence[Mention]]
    ) -> None:
        self.reading, self.table, self.mentions = reading, table, mentions

    def split(self, rows: Sequence[RowDraft]) -> list[RowDraft]:
        """The rows with the parts of a group in its place."""
        split: list[RowDraft] = []
        for index, row in enumerate(rows):
            if self._is_told_singly(row, rows[index + 1 :]):
                continue
            named = sum(other.group_of is row for other in rows)
            if named:
                row.count = (row.count or 0) - named
                split += [row] if row.count > 0 else []
                continue
            parts = (self._parts(row) or self._listed(row)) if (row.count or 0) > 1 else []
            split += parts or [row]
        return split

    def _is_told_singly(self, group: RowDraft, following: Sequence[RowDraft]) -> bool:
        """ "Two polyps in the sigmoid, a 4 mm polyp and a 6 mm polyp": the parts take the group's place."""
        if (group.count or 0) < 2 or any(self._sizes(group)):
            return False
        end = self.reading.sentence_span(group.anchor.first)[1]
        end = self.reading.sentence_span(end)[1] if end < len(self.reading.tokens) else end
        parts = [row for row in following[: group.count] if row.anchor.first < end and any(self._sizes(row))]
        if sum(row.count or 0 for row in parts) != group.count:
            return False
        for row in parts:
            row.group_of = group
        return True

    def _sizes(self, row: RowDraft) -> Iterator[Mention]:
        for column in self.table.columns.values():
            if column.type == "number":
                yield from (mention for mention in self.mentions[column.id] if mention.at in row.tokens)

    def _parts(self, row: RowDraft) -> list[RowDraft]:
        """ "Two nodes, the first 14 mm, the second 12 mm": a row for each part that says something of its own."""
        tokens = self.reading.tokens
        inside = sorted(index for index in row.tokens if index >= row.anchor.after)
        begins = [index for index in inside if self.begins_part(index)]
        parts = []
        for k, begin in enumerate(begins):
            end = begins[k + 1] if k + 1 < len(begins) else inside[-1] + 1
            inner = {i for i in inside if begin <= i < end}
            part = RowDraft(row.anchor, begin, 1, begin, inner, group_of=row)
            part.own = set(part.tokens)
            part.count_quote = (begin, min(begin + 2, len(tokens)))
            if any(m.at in part.tokens for found in self.mentions.values() for m in found):
                parts.append(part)
        if len(parts) == 1 and tokens[parts[0].phrase_first].text in _COUNTED and (row.count or 0) > 1:
            return self._one_of(row, parts[0])
        if not 2 <= len(parts) <= (row.count or 0):
            return []
        self._count_others(parts, row)
        self._size_of_extremes(parts, row)
        shared = self._said_of_all(parts)
        row.tokens = (row.tokens - set().union(*(part.tokens for part in parts))) | shared
        for part in parts:
            part.tokens -= shared
        return parts

    def _one_of(self, group: RowDraft, part: RowDraft) -> list[RowDraft]:
        """ "Four polyps. The first was 3 mm ...": of the others nothing is told."""
        group.tokens -= part.tokens
        group.count, group.count_quote = (group.count or 0) - 1, None
        return [part, group]

    def _count_others(self, parts: Sequence[RowDraft], group: RowDraft) -> None:
        """ "the largest ..., the others ...": all but those told singly."""
        for part in parts:
            if self.reading.tokens[part.phrase_first].text in _OTHERS:
                part.count = (group.count or 0) - (len(parts) - 1)

    def _size_of_extremes(self, parts: Sequence[RowDraft], group: RowDraft) -> None:
        """ "3 to 13 mm, the largest ...": the upper end is the largest one's, and only its own."""
        for high in (column for column in self.table.columns.values() if column.cues and column.cues.part == "high"):
            ends = [m for m in self.mentions[high.id] if m.at in group.tokens and m.at < parts[0].first]
            for part in parts if ends else ():
                part.blocked.add(high.id)
                if self.reading.tokens[part.phrase_first].text in _GREATEST:
                    part.values |= {column.id: ends[-1] for column in self._lows(high)}

    def _lows(self, high: FieldSchema) -> Iterator[FieldSchema]:
        """The columns for the lower end of a range whose upper end is another column's."""
        for column in self.table.columns.values():
            if column.cues and column.cues.part == "low" and column.unit == high.unit and column.type == high.type:
                yield column

    def _said_of_all(self, parts: Sequence[RowDraft]) -> set[int]:
        """ "the first is 3 mm, the second 5 mm, both removed by snare": what follows "both" holds for every part."""
        shared: set[int] = set()
        for index in (index for part in parts for index in part.tokens):
            if self.reading.tokens[index].text in ("both", "all", "each"):
                shared.update(range(index, self.reading.clause_span(index)[1]))
        return shared & set().union(*(part.tokens for part in parts))

    def _listed(self, row: RowDraft) -> list[RowDraft]:
        """ "Three polyps, 3, 4 and 6 mm": a row for each size, as many as the group counts."""
        tokens, count = self.reading.tokens, row.count or 0
        for column in self.table.columns.values():
            for last in (m for m in self.mentions[column.id] if m.at in row.tokens and m.at > row.anchor.first):
                places = _list_ending_at(tokens, last.at)
                quantity = tokens[last.at].quantity
                if column.type == "number" and len(places) == count and quantity and quantity.kind == "single":
                    scale = float(last.value) / quantity.numbers[0] if isinstance(last.value, int | float) else 1
                    return [self._part_of_size(row, column, place, scale) for place in places]
        return []

    def _part_of_size(self, group: RowDraft, column: FieldSchema, place: int, scale: float) -> RowDraft:
        token = self.reading.tokens[place]
        number = scale * (token.quantity.numbers[0] if token.quantity else float(token.text))
        part = RowDraft(group.anchor, place, 1, group.first, {place}, {place}, group_of=group)
        part.count_quote = group.count_quote
        part.values[column.id] = Mention(int(number) if number.is_integer() else number, place, place + 1, place)
        return part

    def begins_part(self, index: int) -> bool:
        """Whether a part of a group begins at a token: "the first is", "another 10 French"."""
        tokens = self.reading.tokens
        if tokens[index].text not in _ORDINALS or index + 1 >= len(tokens):
            return False
        if tokens[index].text == "1" and index and tokens[index - 1].text not in _BEFORE_ONE:
            return False  # "NICE 1, cold snare" counts nothing
        return tokens[index + 1].text in _PART_FOLLOWS or tokens[index + 1].quantity is not None


def _list_ending_at(tokens: Sequence[TranscriptToken], last: int) -> list[int]:
    """The places of the numbers in "3, 4 and 6 mm", given the last one's."""
    places = [last]
    index = last - 1
    while index > 0 and tokens[index].text in (",", "and"):
        while tokens[index].text in (",", "and"):
            index -= 1
        quantity = tokens[index].quantity
        single = quantity is not None and quantity.kind == "single"
        if not (single or tokens[index].text.replace(".", "").isdigit()):
            break
        places.insert(0, index)
        index -= 1
    return places
