"""The rows of a table: where one begins, which words belong to it, and what they say for each column.

A row is opened by an anchor ("a polyp", "another lesion", "two stents"); "the polyp" or "it" speaks on of the open row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from endoscribe.extraction.assertion import Assertion, assertion
from endoscribe.extraction.claims import Value
from endoscribe.extraction.mentions import Listener, Mention, pick
from endoscribe.extraction.reading import Match, Token
from endoscribe.procedures.schema import FieldSchema, RowCues, TableSchema

_INDEFINITE = frozenset(
    {"a", "an", "another", "1", "additional", "second", "third", "fourth", "fifth", "sixth", "next", "new", "first"}
)
_DEFINITE = frozenset(
    {
        "the",
        "this",
        "that",
        "these",
        "those",
        "it",
        "its",
        "all",
        "both",
        "each",
        "said",
        "previous",
        "same",
        "every",
        "largest",
        "any",
        "his",
        "her",
    }
)
_UNCOUNTED = frozenset({
    "few", "several", "multiple", "many", "numerous", "some", "scattered", "various", "countless",
})  # fmt: skip
#: A noun phrase begins after one of these.
_PHRASE_ENDS = frozenset({
    ".", "|", "and", "is", "see", "saw", "there", "of", "in", "at", "on", "with", "for", "to", "from", "i", "we",
    "as", "near", "found", "noted", "have", "has", "had", "am", "placed", "removed", "identified", "notice",
    "noticed", "note", "find", "or", "but", "by", "into", "through", "using", "per", "also", "then", "now", "here",
    "removing", "inserting", "placing", "deploying", "after", "before", "during", "remove", "place", "insert",
    "inserted", "deployed", "shows", "showed", "reveals", "revealed", "resected", "seeing", "seen", "visualize",
    "visualized", "took", "take", "taking", "obtained", "including", "not", "no", "without", "can", "which", "that",
    "was", "measuring",
})  # fmt: skip
_PLACE_WORDS = frozenset(
    {
        "in",
        "at",
        "within",
        "from",
        "near",
        "of",
        "on",
        "into",
        "across",
        "to",
        "through",
        "encasing",
        "involving",
        "occupying",
        "replacing",
    }
)
#: Things of the open row's kind that are not named again.
_AGAIN = ("another 1", "second|third|fourth|further 1", "1 more")
_DETERMINERS = frozenset({"a", "an", "another", "the", "this", "that", "these", "those"})
_PART_NAMES = frozenset({"1", "another", "first", "second", "third", "other", "fourth", "last"})
_BEFORE_COUNT = frozenset({"a", "the", "of", "another", "these", "total", "additional", "other", ","})
_MOST_MODIFIERS = 16
MOST_IN_GROUP = 50
#: "the old stent, partially occluded, was grasped and removed": words to the verb.
VERB_REACH = 14
#: "There is another polyp. It is in the cecum.": words from the thing to a place named later.
PLACE_REACH = 15
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "1", "another", "other", "last", "remaining")
_PART_FOLLOWS = frozenset(
    {"is", "measures", "measured", "1", "in", "at", "of", "being", "with", "located", ",", "to", "by", "removed", "was"}
)


@dataclass
class Row:
    """A row in the making: its anchor and the tokens that speak of it."""

    anchor: Match
    phrase_first: int
    count: int | None
    first: int = 0  # of all tokens that speak of it
    tokens: set[int] = field(default_factory=set)
    own: set[int] = field(default_factory=set)  # the anchor's own clause and noun phrase
    values: dict[str, Mention] = field(default_factory=dict)
    count_quote: tuple[int, int] | None = None
    group_of: "Row | None" = None
    like: "Row | None" = None  # the row before "another one"
    provisional: bool = True

    def forget(self) -> None:
        """Drop the tokens that were only supposed to be the row's."""
        self.own, self.tokens, self.provisional = set(), set(), False


@dataclass(frozen=True, slots=True)
class NounPhrase:
    """The words around an anchor: "the 5 mm sessile polyp"."""

    first: int
    definite: bool
    opens: bool  # says by itself that it is a new thing
    count: int | None
    count_at: int | None


class RowReader:
    """Reads one table of one transcript."""

    def __init__(self, listener: Listener, table: TableSchema, cues: RowCues) -> None:
        self.listener, self.table, self.cues = listener, table, cues
        self.reading = listener.reading
        tokens = self.reading.tokens
        again = self.reading.find(_AGAIN)
        self._again = [match for match in again if not (match.first and tokens[match.first - 1].text in _DETERMINERS)]
        self.mentions = {column.id: listener.mentions(column) for column in table.columns.values()}

    def rows(self) -> list[Row]:
        """The rows in the order in which they were dictated, their columns filled."""
        rows = self._split_groups(self._collect())
        for row in rows:
            self._fill(row)
        return self._merged([row for row in rows if row.values or row.count])

    # --- opening rows ---

    def _collect(self) -> list[Row]:
        tokens = self.reading.tokens
        rows: list[Row] = []
        starts: list[tuple[int, int]] = []  # (first token of its stretch, index of the row it speaks of)
        for anchor in self._anchors():
            phrase = self._noun_phrase(anchor)
            if self._opens_row(anchor, phrase, rows):
                rows.append(self._opened(anchor, phrase, rows))
                if phrase.count_at is not None:
                    rows[-1].count_quote = (phrase.count_at, anchor.after)
                starts.append((self._stretch_start(phrase, starts), len(rows) - 1))
            elif rows and self._refers(anchor):
                starts.append((self._stretch_start(phrase, starts), self._meant(anchor, rows)))
        for k, (first, index) in enumerate(starts):
            end = starts[k + 1][0] if k + 1 < len(starts) else len(tokens)
            if rows[index].provisional:
                rows[index].forget()
            self._give(rows[index], first, end)
        for row in rows:
            row.first = min(row.tokens, default=row.phrase_first)
        return rows

    def _opened(self, anchor: Match, phrase: NounPhrase, rows: Sequence[Row]) -> Row:
        """A new row; until all anchors are known its own clause is what speaks of it."""
        row = Row(anchor, phrase.first, phrase.count, phrase.first)
        row.own = set(range(phrase.first, self.reading.clause_span(anchor.first)[1]))
        row.tokens = set(row.own)
        if anchor in self._again:
            row.like, row.count = rows[-1], 1
        group = (rows[-1].group_of or rows[-1]) if rows else None
        if group and (group.count or 0) > 1 and self._names_part(phrase):
            row.group_of = group
        return row

    def _names_part(self, phrase: NounPhrase) -> bool:
        """ "one is a 7 French stent", "the second, 10 French, stent" after "two stents"."""
        before = [token.text for token in self.reading.tokens[max(0, phrase.first - 3) : phrase.first + 2]]
        return any(name in _PART_NAMES and verb in ("is", ",", "a") for name, verb in pairwise(before))

    def _anchors(self) -> Iterator[Match]:
        after = 0
        named = self.reading.find(self.cues.anchors)
        again = [match for match in self._again if not self._names_anchor(match, named)]
        for match in sorted([*named, *again], key=lambda match: match.first):
            if match.first >= after:
                after = match.after
                yield match

    def _names_anchor(self, again: Match, named: Sequence[Match]) -> bool:
        """ "another one is a 7 French stent": the noun comes later and opens the row."""
        end = self.reading.clause_span(again.first)[1]
        return any(again.first <= match.first < end for match in named)

    def _noun_phrase(self, anchor: Match) -> NounPhrase:
        tokens = self.reading.tokens
        clause_first = self.reading.clause_span(anchor.first)[0]
        first = anchor.first
        while first > max(clause_first, anchor.first - _MOST_MODIFIERS) and not _ends_phrase(tokens, first - 1):
            first -= 1
        first = next((i for i in range(anchor.first - 1, first, -1) if tokens[i].text in _DETERMINERS), first)
        words = [token.text for token in tokens[first : anchor.first]]
        definite = any(word in _DEFINITE for word in words)
        count, at = _count(tokens, first, anchor)
        opens = not definite and (any(word in _INDEFINITE for word in words) or (at or anchor.first) < anchor.first)
        return NounPhrase(first, definite, opens, count, at)

    def _opens_row(self, anchor: Match, phrase: NounPhrase, rows: Sequence[Row]) -> bool:
        if not self._may_open(anchor, phrase):
            return False
        if anchor in self._again:
            return bool(rows) and self._may_open(anchor, phrase)
        if rows and self._is_predicate(phrase):
            return False
        if phrase.opens or self.cues.known:
            return True
        if phrase.definite:
            return all(self._differs(anchor, row) for row in rows) if rows else self._differs(anchor, None)
        return not rows or self._describes(anchor, phrase)

    def _is_predicate(self, phrase: NounPhrase) -> bool:
        """ "it is a multilocular cyst" says more of the open row."""
        return [token.text for token in self.reading.tokens[max(0, phrase.first - 2) : phrase.first]] == ["it", "is"]

    def _may_open(self, anchor: Match, phrase: NounPhrase) -> bool:
        """Whether the anchor is a thing of this examination that its clause states to be there."""
        if not self._refers(anchor) or not self._is_done(anchor, phrase):
            return False
        return not _of_another(self.reading.tokens, phrase.first)

    def _is_done(self, anchor: Match, phrase: NounPhrase) -> bool:
        """Whether the verb nearest to the thing is one of `needs`: "placed", not "removed"."""
        if not self.cues.needs or anchor in self._again:
            return not self._within(self.cues.unless, *self.reading.clause_span(anchor.first))
        first = self.reading.clause_span(anchor.first)[0]
        after = min(self.reading.sentence_span(anchor.first)[1], anchor.after + VERB_REACH)
        best: tuple[int, bool] | None = None
        for phrases, wanted in ((self.cues.needs, True), (self.cues.unless, False)):
            for match in self.reading.find(phrases):
                today = self.listener.occasions[match.first].value != "former"
                if (
                    today
                    and first <= match.first < after
                    and (best is None or _distance(match, phrase, anchor) < best[0])
                ):
                    best = (_distance(match, phrase, anchor), wanted)
        return best is not None and best[1]

    def _within(self, phrases: tuple[str, ...], first: int, after: int) -> bool:
        return any(first <= match.first < after for match in self.reading.find(phrases))

    def _describes(self, anchor: Match, phrase: NounPhrase) -> bool:
        """A bare noun ("polyp") is a new row when it comes with columns of its own ("6 mm polyp in the cecum")."""
        first, after = phrase.first, self.reading.clause_span(anchor.first)[1]
        own = {name for name, found in self.mentions.items() if any(first <= m.at < after for m in found)}
        return bool(own)

    def _differs(self, anchor: Match, row: Row | None) -> bool:
        """ "The largest cyst is in the tail": a new row when that is not where the open row's was."""
        first, after = self.reading.clause_span(anchor.first)
        for name in self.cues.apart:
            here = [m for m in self.mentions[name] if first <= m.at < after]
            if not here:
                continue
            if row is None:
                return True
            there = self._own_or_carried(self.table.columns[name], row)
            if there is not None and there.value != here[0].value:
                return True
        return False

    def _refers(self, anchor: Match) -> bool:
        occasion = self.listener.occasions[anchor.first].value
        denied = assertion(self.reading, anchor)[0] in (Assertion.DENIED, Assertion.NOTHING_MORE)
        return occasion in self.cues.time and not denied

    def _meant(self, anchor: Match, rows: Sequence[Row]) -> int:
        """The row that "the polyp in the cecum" speaks of; the open row unless another fits better."""
        first, after = self.reading.clause_span(anchor.first)
        for name in self.cues.apart:
            here = [m.value for m in self.mentions[name] if first <= m.at < after]
            for index in range(len(rows) - 1, -1, -1):
                own = self._own_or_carried(self.table.columns[name], rows[index])
                if here and own is not None and own.value == here[0]:
                    return index
        return len(rows) - 1

    def _stretch_start(self, phrase: NounPhrase, starts: Sequence[tuple[int, int]]) -> int:
        """A stretch begins with the anchor's clause, or with its noun phrase where the clause holds another anchor."""
        clause_first = self.reading.clause_span(phrase.first)[0]
        if starts and starts[-1][0] >= clause_first:
            return self._with_place(phrase.first, starts[-1][0])
        return clause_first

    def _with_place(self, first: int, limit: int) -> int:
        """Back over "and in the sigmoid colon" right before the noun phrase."""
        tokens = self.reading.tokens
        for k in range(first - 1, max(limit, first - 6), -1):
            if tokens[k].text in ("in", "at", "within") and tokens[k - 1].text in ("and", ",", "|", "."):
                return k
            if tokens[k].text in (".", "|", ",", "and"):
                break
        return first

    def _give(self, row: Row, first: int, end: int) -> None:
        """The stretch's first clause, and every later one that still speaks of the row."""
        index = first
        while index < end:
            after = min(end, self.reading.clause_span(index)[1])
            today = self.listener.occasions[index].value in self.cues.time
            if index == first or (today and self._speaks_on(row, index, after)):
                row.tokens.update(range(index, after))
            elif self._ends_row(index, after):
                break
            index = after
        if first <= row.anchor.first < end:
            row.own.update(range(first, min(end, self.reading.clause_span(row.anchor.first)[1])))

    def _speaks_on(self, row: Row, first: int, after: int) -> bool:
        if self._within(self.cues.continues, first, after):
            return True
        is_group = (row.count or 0) > 1
        return is_group and any(self._begins_part(index) for index in range(first, min(first + 4, after)))

    def _ends_row(self, first: int, after: int) -> bool:
        """Two clauses in a row about something else end it."""
        following = self.reading.clause_span(after)[1] if after < len(self.reading.tokens) else after
        return not self._within(self.cues.continues, after, following) and after - first > 3

    # --- groups ---

    def _split_groups(self, rows: Sequence[Row]) -> list[Row]:
        split: list[Row] = []
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

    def _is_told_singly(self, group: Row, following: Sequence[Row]) -> bool:
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

    def _sizes(self, row: Row) -> Iterator[Mention]:
        for column in self.table.columns.values():
            if column.type == "number":
                yield from (mention for mention in self.mentions[column.id] if mention.at in row.tokens)

    def _parts(self, row: Row) -> list[Row]:
        """ "Two nodes, the first 14 mm, the second 12 mm": a row for each part that says something of its own."""
        tokens = self.reading.tokens
        inside = sorted(index for index in row.tokens if index >= row.anchor.after)
        begins = [index for index in inside if self._begins_part(index)]
        parts = []
        for k, begin in enumerate(begins):
            end = begins[k + 1] if k + 1 < len(begins) else inside[-1] + 1
            inner = {i for i in inside if begin <= i < end}
            part = Row(row.anchor, begin, 1, begin, inner, group_of=row)
            part.own = set(part.tokens)
            part.count_quote = (begin, min(begin + 2, len(tokens)))
            if any(m.at in part.tokens for found in self.mentions.values() for m in found):
                parts.append(part)
        if not 2 <= len(parts) <= (row.count or 0):
            return []
        shared = self._said_of_all(parts)
        row.tokens = (row.tokens - set().union(*(part.tokens for part in parts))) | shared
        for part in parts:
            part.tokens -= shared
        return parts

    def _said_of_all(self, parts: Sequence[Row]) -> set[int]:
        """ "the first is 3 mm, the second 5 mm, both removed by snare": what follows "both" holds for every part."""
        shared: set[int] = set()
        for index in (index for part in parts for index in part.tokens):
            if self.reading.tokens[index].text in ("both", "all", "each"):
                shared.update(range(index, self.reading.clause_span(index)[1]))
        return shared & set().union(*(part.tokens for part in parts))

    def _listed(self, row: Row) -> list[Row]:
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

    def _part_of_size(self, group: Row, column: FieldSchema, place: int, scale: float) -> Row:
        token = self.reading.tokens[place]
        number = scale * (token.quantity.numbers[0] if token.quantity else float(token.text))
        part = Row(group.anchor, place, 1, group.first, {place}, {place}, count_quote=(place, place + 1))
        part.group_of = group
        part.values[column.id] = Mention(int(number) if number.is_integer() else number, place, place + 1, place)
        return part

    def _begins_part(self, index: int) -> bool:
        tokens = self.reading.tokens
        if tokens[index].text not in _ORDINALS or index + 1 >= len(tokens):
            return False
        return tokens[index + 1].text in _PART_FOLLOWS or tokens[index + 1].quantity is not None

    # --- columns ---

    def _fill(self, row: Row) -> None:
        for column in self.table.columns.values():
            if column.id == self.cues.count or column.id in row.values:
                continue
            mention = self._own_or_carried(column, row)
            if mention is not None and self._fits_row(column, row) and _belongs(column, mention, row):
                row.values[column.id] = mention

        if row.like is not None:
            row.values = {name: row.like.values[name] for name in self._shared(row.like, row)} | row.values

    def _shared(self, like: Row, row: Row) -> list[str]:
        return [name for name in self.cues.alike if name in like.values and name not in row.values]

    def _fits_row(self, column: FieldSchema, row: Row) -> bool:
        conditions = column.cues.only_if if column.cues else {}
        return all(name in row.values and row.values[name].value in wanted for name, wanted in conditions.items())

    def _own_or_carried(self, column: FieldSchema, row: Row) -> Mention | None:
        own = [m for m in self.mentions[column.id] if m.at in row.tokens]
        carried = bool(column.cues and column.cues.carried)
        mention = self._place(own, row) if carried else self._value(own, column, row)
        if mention is not None:
            return mention
        if row.group_of is not None:
            return self._own_or_carried(column, row.group_of)
        before = [m for m in self.mentions[column.id] if m.at < row.first] if carried else []
        return before[-1] if before else None

    def _value(self, own: Sequence[Mention], column: FieldSchema, row: Row) -> Mention | None:
        """From the noun phrase on; of two numbers before the noun the later, of others the first."""
        if column.type in ("integer", "number"):
            named = [m for m in own if row.phrase_first <= m.at < row.anchor.first]
            if named:
                return pick(named, column, "last")
        return pick([m for m in own if m.at >= row.phrase_first], column, "first") or pick(own, column, "last")

    def _place(self, own: Sequence[Mention], row: Row) -> Mention | None:
        """Where a thing is: named after it in its clause, else before it there, else later as "in the ..."."""
        near = [m for m in own if m.at in row.own and (m.at < row.anchor.after or self._is_place(m, row))]
        behind = [m for m in near if m.at >= row.phrase_first]
        if near:
            return behind[0] if behind else near[-1]
        later = [m for m in own if 0 <= m.at - row.anchor.after <= PLACE_REACH and self._is_place(m, row)]
        return later[0] if later else None

    def _is_place(self, mention: Mention, row: Row) -> bool:
        """ "... polyp in the cecum", "... polyp, cecum": not a place that the speaker has gone on to."""
        between = {token.text for token in self.reading.tokens[row.anchor.after : mention.at]}
        return mention.at - row.anchor.after <= 2 or bool(_PLACE_WORDS & between)

    def _merged(self, rows: Sequence[Row]) -> list[Row]:
        """Rows that say the same thing twice are one; the later one may add what the earlier left open."""
        kept: list[Row] = []
        for row in rows:
            same = next((old for old in kept if self.cues.merge and self._same(old, row)), None)
            if same is None:
                kept.append(row)
            else:
                same.values |= {name: mention for name, mention in row.values.items() if name not in same.values}
        return kept

    def _same(self, old: Row, row: Row) -> bool:
        def value(of: Row, name: str) -> Value | None:
            return of.values[name].value if name in of.values else None

        if any(value(old, name) != value(row, name) and value(row, name) is not None for name in self.cues.merge):
            return False
        shared = old.values.keys() & row.values.keys()
        return all(old.values[name].value == row.values[name].value for name in shared)


def _belongs(column: FieldSchema, mention: Mention, row: Row) -> bool:
    """A range's upper end or a second dimension must come from the very words that gave the first number."""
    if column.cues is None or column.cues.part in ("low", "first", "largest"):
        return True
    return any(other.at == mention.at for other in row.values.values())


def _distance(verb: Match, phrase: NounPhrase, anchor: Match) -> int:
    """Words between a verb and a noun phrase, whichever comes first; 0 within it ("the previously placed stent")."""
    if verb.first >= anchor.after:
        return verb.first - anchor.after
    return max(0, phrase.first - verb.after) + 1


def _ends_phrase(tokens: Sequence[Token], index: int) -> bool:
    said = tokens[index].text
    if said == ",":
        return not (tokens[index - 1].text.isdigit() or tokens[index - 1].quantity is not None)
    joins = said in ("to", "by", "and", "of") and (
        tokens[index - 1].text.isdigit() or tokens[index - 1].quantity is not None
    )
    joins = joins or (said in ("placed", "inserted") and tokens[index - 1].text in ("previously", "recently"))
    return said in _PHRASE_ENDS and not joins


def _count(tokens: Sequence[Token], first: int, anchor: Match) -> tuple[int | None, int | None]:
    """How many a noun phrase speaks of, and the token that says so: "two", "a", or the noun's own number."""
    plural = tokens[anchor.after - 1].text.endswith("s")
    for index in range(first, anchor.first):
        said = tokens[index].text
        if said in _UNCOUNTED:
            return None, None
        plain_number = said.isdigit() and 0 < int(said) <= MOST_IN_GROUP and tokens[index].quantity is None
        if plain_number and (index == first or plural or tokens[index - 1].text in _BEFORE_COUNT):
            return int(said), index
        if said in ("a", "an", "another") and not plural:
            return 1, index
    return (None, None) if plural else (1, anchor.first)


def _list_ending_at(tokens: Sequence[Token], last: int) -> list[int]:
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


def _of_another(tokens: Sequence[Token], first: int) -> bool:
    """ "near the first polyp", "same jar as previous polyp": the noun only says where."""
    before = tokens[first - 1].text if first else ""
    return before in ("near", "as", "from", "beside", "adjacent") or (
        before == "to" and tokens[first - 2].text in ("adjacent", "next", "distal", "proximal", "close", "opposite")
    )
