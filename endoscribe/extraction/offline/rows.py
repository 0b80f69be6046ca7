"""The rows of a table: where one begins, which words belong to it, and what they say for each column.

A row is opened by an anchor ("a polyp", "another lesion", "two stents"); "the polyp" or "it" speaks on of the open row.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise

from endoscribe.extraction.claims import Value
from endoscribe.extraction.offline.groups import Groups, RowDraft
from endoscribe.extraction.reading.assertion import Assertion
from endoscribe.extraction.reading.cues import CueMatcher, Mention, pick
from endoscribe.extraction.reading.noun_phrases import (
    DEFINITE,
    DETERMINERS,
    NounPhrase,
    distance,
    noun_phrase,
    stands_for_a_place,
)
from endoscribe.extraction.reading.tokens import Match, TranscriptToken
from endoscribe.procedures.schema import FieldSchema, RowCues, TableSchema

_PLACE_WORDS = frozenset({
    "in", "at", "within", "from", "near", "of", "on", "into", "across", "to", "through", "encasing", "involving",
    "occupying", "replacing",
})  # fmt: skip
#: What was done earlier, is only planned or was taken back is not done now.
_NOT_NOW = ("former", "past", "plan", "retracted")
#: Things of the open row's kind that are not named again.
_AGAIN = (
    "another 1", "second|third|fourth|further|next 1", "1 more",
    "flat|sessile|pedunculated|tiny|small|little|diminutive|large|big|bigger|smaller|similar 1",
)  # fmt: skip
#: At the head of a clause: of several things just told.
_OF_ALL = (
    "both|all (of) (them|these) is", "both|all (polyps|lesions|stents|cysts|nodes) is",
    "both|all (of) (them|these) removed|taken|resected|snared|excised|retrieved|biopsied",
)  # fmt: skip
_AT_THE_HEAD = 2
#: "the antrum and the distal body": words between two places of one sampling that need no new "from".
_NEAR_PLACE = 4
#: "... to evaluate for celiac disease and from the stomach": with one.
_FAR_PLACE = 9
_PART_NAMES = frozenset({"1", "another", "first", "second", "third", "other", "fourth", "last"})
#: "the old stent, partially occluded, was grasped and removed": words to the verb.
VERB_REACH = 14
#: "There is another polyp. It is in the cecum.": words from the thing to a place named later.
PLACE_REACH = 15
#: "the polyp, 8 mm", "the polyp measures 8 mm": words from the noun to its size; farther off is a snare's.
_SIZE_FOLLOWS = 3
#: ", sorry,": words between a thing and its correction.
_TAKEN_BACK_WITHIN = 4
#: "and some sludge was": words of a subject that comes between.
_SHORT_SUBJECT = 3
#: "and then in the proximal": words before a place that opens a clause.
_LONGEST_OPENING = 6
#: "polyp was then completely removed": words from the noun to the verb.
_ACT_FOLLOWS = 4
#: "demerol was given 100 mg", "100 mg of intravenous demerol": words between a name and its measure.
_MEASURE_WITHIN = 3
#: Between the names of a list: "the transverse colon, the descending colon and ...".
_IN_LISTS = frozenset({
    ",", "and", "or", "the", "a", "both", "colon", "artery", "vein", "duct", "trunk", "axis", "lobe", "gland",
})  # fmt: skip
_PARTS_DRUGS = frozenset({"and", "with", "plus", ".", "|", ";", "then"})
#: "the sessile polyp": what is said again is said shortly; "the transfer scolen icy polyp" may be a new one.
_MOST_UNKNOWN = 1


class RowReader:
    """Reads one table of one transcript."""

    def __init__(self, matcher: CueMatcher, table: TableSchema, cues: RowCues) -> None:
        self.matcher, self.table, self.cues = matcher, table, cues
        self.reading = matcher.reading
        tokens = self.reading.tokens
        again = self.reading.find(_AGAIN)
        self._again = [match for match in again if not self._is_known(match, tokens)]
        self.mentions = {column.id: matcher.mentions(column) for column in table.columns.values()}
        self.groups = Groups(self.reading, table, self.mentions)
        self._named = [*self._anchors()]
        #: Whether, once the rows are read, each thing that today's findings name has its row: then they can be counted.
        self.all_told = True

    @staticmethod
    def _is_known(again: Match, tokens: Sequence[TranscriptToken]) -> bool:
        """ "the second one" speaks of what was counted; "the next one" is new."""
        determined = again.first > 0 and tokens[again.first - 1].text in DETERMINERS
        return determined and tokens[again.first].text != "next" and tokens[again.first - 1].text not in ("a", "an")

    def rows(self) -> list[RowDraft]:
        """The rows in the order in which they were dictated, their columns filled."""
        rows = self._apart(self.groups.split(self._collect()))
        for row in rows:
            self._fill(row)
        if self.cues.named_by:
            self._fill_lists(rows)
        self.all_told = self.all_told and all(row.values or row.count for row in rows)
        return self._merged([row for row in rows if row.values or row.count])

    def _apart(self, rows: Sequence[RowDraft]) -> list[RowDraft]:
        """ "Biopsies of the antrum for H. pylori and of the duodenum for celiac disease": a row for each place."""
        split: list[RowDraft] = []
        for row in rows:
            places = [place for name in self.cues.merge for place in self._places_of(self.mentions[name], row)]
            split += [self._part_at(row, places, index) for index in range(len(places))] if len(places) > 1 else [row]
        return split

    def _places_of(self, mentions: Sequence[Mention], row: RowDraft) -> list[Mention]:
        """The different values that the row's own clause joins by "and", in order."""
        own = sorted((m for m in mentions if m.at in row.own and m.at >= row.anchor.after), key=lambda m: m.at)
        places: list[Mention] = []
        for mention in own:
            between = (
                [token.text for token in self.reading.tokens[places[-1].after : mention.at]] if places else ["and"]
            )
            is_near = len(between) <= _NEAR_PLACE or (
                len(between) <= _FAR_PLACE and bool({"from", "of", "in"} & set(between[-2:]))
            )
            if not {"and", ","} & set(between) or not is_near:
                continue
            if all(mention.value != place.value for place in places):
                places.append(mention)
        return places

    def _part_at(self, row: RowDraft, places: Sequence[Mention], index: int) -> RowDraft:
        """The row of one place: what is said up to the next one; the last words may be said of all."""
        begin = row.first if index == 0 else places[index].first
        end = places[index + 1].first if index + 1 < len(places) else max(row.tokens) + 1
        part = RowDraft(row.anchor, row.phrase_first, row.count, begin)
        part.tokens = {token for token in row.tokens if begin <= token < end}
        part.own = {token for token in row.own if begin <= token < end}
        if not self._says_more(part, places[index]):
            part.tokens |= {token for token in row.tokens if token >= places[-1].first} - row.own
            part.tokens |= {token for token in row.own if token > places[-1].after}
        return part

    def _says_more(self, part: RowDraft, place: Mention) -> bool:
        others = (m for name, found in self.mentions.items() for m in found if name not in self.cues.merge)
        return any(m.at in part.tokens and m.at > place.at for m in others)

    # --- opening rows ---

    def _collect(self) -> list[RowDraft]:
        rows: list[RowDraft] = []
        starts: list[tuple[int, int | None]] = []  # (first token of its stretch, index of the row it speaks of)
        for anchor in self._named:
            phrase = noun_phrase(self.reading, anchor)
            if anchor in self._again:
                phrase = NounPhrase(anchor.first, False, False, True, 1, anchor.first)
            if self._opens_row(anchor, phrase, rows):
                self._open(anchor, phrase, rows, starts)
            elif self._refers(anchor):
                meant = self._meant(anchor, phrase, rows)
                self.all_told = self.all_told and self._is_told(anchor, phrase, meant)
                if rows:
                    starts.append((self._stretch_start(phrase, starts), meant))
        self._share_out(rows, starts)
        return rows

    def _open(
        self, anchor: Match, phrase: NounPhrase, rows: list[RowDraft], starts: list[tuple[int, int | None]]
    ) -> None:
        if rows and self._takes_back(rows[-1], phrase):
            rows.pop()
            starts.pop()
        rows.append(self._opened(anchor, phrase, rows))
        if phrase.count_at is not None:
            rows[-1].count_quote = (phrase.count_at, min(phrase.count_at + 2, anchor.after))
        starts.append((self._stretch_start(phrase, starts), len(rows) - 1))

    def _share_out(self, rows: Sequence[RowDraft], starts: Sequence[tuple[int, int | None]]) -> None:
        """Give every stretch of words to the row that it speaks of."""
        for k, (first, index) in enumerate(starts):
            if index is None:
                continue
            end = starts[k + 1][0] if k + 1 < len(starts) else len(self.reading.tokens)
            if rows[index].provisional:
                rows[index].forget()
            self._give(rows[index], first, end)
        self._share_with_all(rows)
        for row in rows:
            row.first = min(row.tokens, default=row.phrase_first)

    def _share_with_all(self, rows: Sequence[RowDraft]) -> None:
        """ "Both were removed with cold snare": said of the last two, "all were removed" of all so far."""
        tokens = self.reading.tokens
        for match in self.reading.find(_OF_ALL):
            first, after = self.reading.clause_span(match.first)
            follows_comma = match.first > 0 and tokens[match.first - 1].text == ","
            if match.first - first > _AT_THE_HEAD and not follows_comma:
                continue
            if self.matcher.temporalities[match.first].value not in self.cues.time:
                continue
            told = [row for row in rows if row.anchor.first < match.first]
            for row in told[-2:] if tokens[match.first].text == "both" else told:
                row.tokens.update(range(match.first, after))

    def _takes_back(self, row: RowDraft, phrase: NounPhrase) -> bool:
        """ "three stents, sorry, two stents were removed": said once, corrected once."""
        words = self.reading.tokens[row.anchor.after : phrase.first]
        if not words and row.phrase_first < phrase.first:
            return True  # "a stent, a 10 French plastic stent": the same thing once more
        return len(words) <= _TAKEN_BACK_WITHIN and any(token.text in ("sorry", "correction") for token in words)

    def _opened(self, anchor: Match, phrase: NounPhrase, rows: Sequence[RowDraft]) -> RowDraft:
        """A new row; until all anchors are known its own clause is what speaks of it."""
        row = RowDraft(anchor, phrase.first, phrase.count, phrase.first)
        row.own = set(range(phrase.first, self._own_words(anchor, phrase)[1]))
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
        named = self.reading.find(self.table.anchors)
        again = [match for match in self._again if not self._names_anchor(match, named)]
        following = {match.first for match in named}
        for match in sorted([*named, *again], key=lambda match: match.first):
            if match.first >= after and match.after not in following:  # of "polypoid lesion" the last word counts
                after = match.after
                yield match

    def _names_anchor(self, again: Match, named: Sequence[Match]) -> bool:
        """ "another one is a 7 French stent": the noun comes later and opens the row."""
        end = self.reading.clause_span(again.first)[1]
        return any(again.first <= match.first < end for match in named)

    def _opens_row(self, anchor: Match, phrase: NounPhrase, rows: Sequence[RowDraft]) -> bool:
        if not self._may_open(anchor, phrase):
            return False
        if anchor in self._again:
            return bool(rows) and not self._goes_on_with_group(anchor, rows[-1])
        if rows and self._is_predicate(phrase):
            return False
        if phrase.opens or self.cues.known or self.cues.named_by:
            return True
        if phrase.definite:
            differs = all(self._differs(anchor, row) for row in rows) if rows else self._differs(anchor, None)
            return differs or self._is_elsewhere(anchor, phrase, rows)
        again = not self.cues.merge and self._is_acted_on(anchor) and self._meant(anchor, phrase, rows) is not None
        return not rows or (self._describes(anchor, phrase) and not again)

    def _goes_on_with_group(self, anchor: Match, row: RowDraft) -> bool:
        """ "two stents, one is 7 French and another one is 10 French": part of what was counted."""
        same_sentence = self.reading.sentence_span(anchor.first) == self.reading.sentence_span(row.anchor.first)
        return same_sentence and (row.count or 0) > 1 and row.group_of is None

    def _is_predicate(self, phrase: NounPhrase) -> bool:
        """ "it is a multilocular cyst", "looks like an adenoma": says more of the open row."""
        before = [token.text for token in self.reading.tokens[max(0, phrase.first - 2) : phrase.first]]
        return before == ["it", "is"] or before[-1:] == ["like"] or before == ["consistent", "with"]

    def _may_open(self, anchor: Match, phrase: NounPhrase) -> bool:
        """Whether the anchor is a thing of this examination that its clause states to be there."""
        if phrase.doubtful or not self._refers(anchor) or not self._is_done(anchor, phrase):
            return False
        if self.matcher.assertion(anchor)[0] is Assertion.UNSURE:
            return False
        return not stands_for_a_place(self.reading.tokens, phrase.first)

    def _is_done(self, anchor: Match, phrase: NounPhrase) -> bool:
        """Whether the verb nearest to the thing is one of `needs`: "placed", not "removed"."""
        if not self.cues.needs or anchor in self._again:
            return not self._within(self.cues.unless, *self.reading.clause_span(anchor.first))
        first = self.reading.clause_span(anchor.first)[0]
        after = min(self.reading.sentence_span(anchor.first)[1], anchor.after + VERB_REACH)
        best: tuple[int, bool] | None = None
        for phrases, wanted in ((self.cues.needs, True), (self.cues.unless, False)):
            for match in self.reading.find(phrases):
                today = self.matcher.temporalities[match.first].value not in _NOT_NOW
                if (
                    today
                    and not self._is_of_another(anchor, match)
                    and first <= match.first < after
                    and (best is None or distance(match, phrase, anchor) < best[0])
                ):
                    best = (distance(match, phrase, anchor), wanted)
        return best is not None and best[1]

    def _is_of_another(self, anchor: Match, verb: Match) -> bool:
        """ "the stent was swept and sludge was removed": the verb has a subject of its own."""
        between = [token.text for token in self.reading.tokens[anchor.after : verb.first]]
        if between[-1:] != ["is"] or "and" not in between:
            return False
        subject = between[len(between) - 1 - between[::-1].index("and") + 1 : -1]
        return 0 < len(subject) <= _SHORT_SUBJECT and not {"then", "it", "they", "both", "is"} & set(subject)

    def _within(self, phrases: tuple[str, ...], first: int, after: int) -> bool:
        return any(first <= match.first < after for match in self.reading.find(phrases))

    def _describes(self, anchor: Match, phrase: NounPhrase) -> bool:
        """A bare noun ("polyp") is a new row when it comes with columns of its own ("6 mm polyp in the cecum")."""
        first, after = phrase.first, self.reading.clause_span(anchor.first)[1]
        said = [m.at for found in self.mentions.values() for m in found]
        return any(first <= at < after and not anchor.first <= at < anchor.after for at in said)

    def _differs(self, anchor: Match, row: RowDraft | None) -> bool:
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

    # --- things that are not introduced as new ---

    def _is_elsewhere(self, anchor: Match, phrase: NounPhrase, rows: Sequence[RowDraft]) -> bool:
        """ "and the ascending colon ICA flat polyp, 6 mm": described anew in a place where no row is, so a new row.

        Where recognition garbles "in the ... I see a", the article of the place is all that is left before the noun.
        """
        tokens = self.reading.tokens
        before = tokens[phrase.first - 1].text if phrase.first else ""
        if tokens[phrase.first].text != "the" or before in DEFINITE or len(self._definite(anchor, phrase)) > 1:
            return False
        _, after = self._own_words(anchor, phrase)
        described = any(phrase.first <= m.at < after for column in self._described for m in self.mentions[column.id])
        if not described or not rows:
            return described
        return all(any(self._place_apart(column, anchor, phrase, row) for column in self._carried) for row in rows)

    def _definite(self, anchor: Match, phrase: NounPhrase) -> list[str]:
        words = [token.text for token in self.reading.tokens[phrase.first : anchor.first]]
        return [word for word in words if word in DEFINITE]

    @cached_property
    def _carried(self) -> list[FieldSchema]:
        return [column for column in self.table.columns.values() if column.cues and column.cues.carried]

    @cached_property
    def _described(self) -> list[FieldSchema]:
        """The columns that tell one thing of a place from another."""
        plain = [column for column in self.table.columns.values() if column not in self._carried]
        return [column for column in plain if column.id != self.cues.count]

    def _own_words(self, anchor: Match, phrase: NounPhrase) -> tuple[int, int]:
        """The anchor's clause without what other anchors say there."""
        first, after = self.reading.clause_span(anchor.first)
        behind = [other.after for other in self._named if first <= other.first < phrase.first]
        ahead = [noun_phrase(self.reading, other).first for other in self._named if anchor.after <= other.first < after]
        return max([first, *behind]), min([after, *ahead])

    def _place_apart(self, column: FieldSchema, anchor: Match, phrase: NounPhrase, row: RowDraft) -> bool:
        """Whether the words around the anchor name a place, and not the row's."""
        span = range(*self._own_words(anchor, phrase))
        around = RowDraft(anchor, phrase.first, None, own=set(span))
        here = self._place([m for m in self.mentions[column.id] if m.at in span], around)
        there = self._own_or_carried(column, row)
        return here is not None and there is not None and here.value != there.value

    def _size_apart(self, column: FieldSchema, anchor: Match, phrase: NounPhrase, row: RowDraft) -> bool:
        """Whether the noun phrase, or what follows it at once, gives a number that is not the row's."""
        after = min(self._own_words(anchor, phrase)[1], anchor.after + _SIZE_FOLLOWS)
        here = {m.value for m in self.mentions[column.id] if phrase.first <= m.at < after}
        there = {m.value for m in self.mentions[column.id] if m.at in row.tokens and m.at < phrase.first}
        return bool(here and there) and not here & there

    def _is_apart(self, anchor: Match, phrase: NounPhrase, row: RowDraft) -> bool:
        numbers = [column for column in self._described if column.type == "number"]
        return any(self._place_apart(column, anchor, phrase, row) for column in self._carried) or any(
            self._size_apart(column, anchor, phrase, row) for column in numbers
        )

    def _is_told(self, anchor: Match, phrase: NounPhrase, meant: int | None) -> bool:
        """Whether a thing named without opening a row is in one nevertheless, or is none that counts."""
        if self._within(self.cues.unless, *self.reading.clause_span(anchor.first)):
            return True
        if meant is None or phrase.doubtful:
            return False
        if self._is_predicate(phrase) or stands_for_a_place(self.reading.tokens, phrase.first):
            return True
        if phrase.definite:
            return self._unknown_words(anchor, phrase) <= _MOST_UNKNOWN
        return self._is_acted_on(anchor)

    def _is_acted_on(self, anchor: Match) -> bool:
        """ "Polyp is removed": a bare noun at the head of a clause that tells what is done with the open row's."""
        first, after = self.reading.clause_span(anchor.first)
        told = [token.text for token in self.reading.tokens[anchor.after : anchor.after + 1]] == ["is"]
        near = min(after, anchor.after + _ACT_FOLLOWS)
        return anchor.first == first and told and self._within(self.cues.continues, anchor.after, near)

    def _unknown_words(self, anchor: Match, phrase: NounPhrase) -> int:
        """Words before the noun that say nothing for any column: more than a few may be a garbled new thing."""
        known = {i for found in self.mentions.values() for m in found for i in (m.at, *range(m.first, m.after))}
        words = (i for i in range(phrase.first, anchor.first) if i not in known)
        return sum(self.reading.tokens[i].text not in (*DEFINITE, ",") for i in words)

    def _refers(self, anchor: Match) -> bool:
        temporality = self.matcher.temporalities[anchor.first].value
        meant, word = self.matcher.assertion(anchor)
        denied = meant in (Assertion.DENIED, Assertion.NOTHING_MORE)
        if denied and self.cues.named_by:
            denied = word <= anchor.first  # "clopidogrel was not stopped" is told of a drug that is taken
        return temporality in self.cues.time and not denied

    def _meant(self, anchor: Match, phrase: NounPhrase, rows: Sequence[RowDraft]) -> int | None:
        """The row that "the polyp in the cecum" speaks of: the open one unless another fits better, or none."""
        first, after = self.reading.clause_span(anchor.first)
        for name in self.cues.apart:
            here = [m.value for m in self.mentions[name] if first <= m.at < after]
            for index in range(len(rows) - 1, -1, -1):
                own = self._own_or_carried(self.table.columns[name], rows[index])
                if here and own is not None and own.value == here[0]:
                    return index
        fitting = (index for index in reversed(range(len(rows))) if not self._is_apart(anchor, phrase, rows[index]))
        return next(fitting, None)

    def _stretch_start(self, phrase: NounPhrase, starts: Sequence[tuple[int, int | None]]) -> int:
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

    def _give(self, row: RowDraft, first: int, end: int) -> None:
        """The stretch's first clause, and every later one that still speaks of the row."""
        index = first
        while index < end:
            after = min(end, self.reading.clause_span(index)[1])
            today = self.matcher.temporalities[index].value in self.cues.time
            if index == first or (today and self._speaks_on(row, index, after)):
                row.tokens.update(range(index, after))
            elif self._ends_row(index, after):
                break
            index = after
        if first <= row.anchor.first < end:
            row.own.update(range(first, min(end, self.reading.clause_span(row.anchor.first)[1])))

    def _speaks_on(self, row: RowDraft, first: int, after: int) -> bool:
        if self._within(self.cues.continues, first, after):
            return True
        is_group = (row.count or 0) > 1
        return is_group and any(self.groups.begins_part(index) for index in range(first, min(first + 4, after)))

    def _ends_row(self, first: int, after: int) -> bool:
        """Two clauses in a row about something else end it."""
        following = self.reading.clause_span(after)[1] if after < len(self.reading.tokens) else after
        return not self._within(self.cues.continues, after, following) and after - first > 3

    # --- columns ---

    def _fill(self, row: RowDraft) -> None:
        self._name(row)
        for column in self.table.columns.values():
            if column.id in (self.cues.count, self.cues.named_by) or column.id in row.values:
                continue
            mention = self._own_or_carried(column, row)
            if mention is not None and self._fits_row(column, row) and _belongs(column, mention, row):
                row.values[column.id] = mention

        if row.like is not None:
            row.values = {name: row.like.values[name] for name in self._shared(row.like, row)} | row.values

    def _name(self, row: RowDraft) -> None:
        """What the anchor's own words say: which drug it is, and of what class."""
        anchor = row.anchor
        if self.cues.named_by:
            key = self.table.columns[self.cues.named_by]
            here = [m for m in self.matcher.named(key) if anchor.first <= m.at < anchor.after]
            if here:
                row.values[key.id] = here[0]
        if self.cues.word:
            words = self.reading.quote(anchor.first, anchor.after)[0]
            row.values[self.cues.word] = Mention(words, anchor.first, anchor.after, anchor.first)

    def _fill_lists(self, rows: Sequence[RowDraft]) -> None:
        """ "The cecum, the ascending colon and the rectum were normal": what follows the last is told of each."""
        for row, following in reversed([*pairwise(rows)]):
            between = [token.text for token in self.reading.tokens[row.anchor.after : following.anchor.first]]
            if between and {",", "and", "or"} & set(between) and not set(between) - _IN_LISTS:
                told = {name: m for name, m in following.values.items() if m.at >= following.anchor.after}
                row.values = told | row.values

    def _shared(self, like: RowDraft, row: RowDraft) -> list[str]:
        return [name for name in self.cues.alike if name in like.values and name not in row.values]

    def _fits_row(self, column: FieldSchema, row: RowDraft) -> bool:
        conditions = column.cues.only_if if column.cues else {}
        return all(name in row.values and row.values[name].value in wanted for name, wanted in conditions.items())

    def _beside(self, column: FieldSchema, row: RowDraft) -> Mention | None:
        """The measure that stands right at a name: "fentanyl 100 mcg and versed 10 mg", "25 mg of demerol"."""
        tokens, near = self.reading.tokens, list[tuple[int, Mention]]()
        for mention in self.mentions[column.id]:
            first, after = row.anchor.first, row.anchor.after
            between = tokens[after : mention.at] if mention.at >= after else tokens[mention.at + 1 : first]
            if len(between) <= _MEASURE_WITHIN and not _PARTS_DRUGS & {token.text for token in between}:
                near.append((len(between), mention))
        return min(near, key=lambda one: one[0])[1] if near else None

    def _own_or_carried(self, column: FieldSchema, row: RowDraft) -> Mention | None:
        if column.cues and column.cues.units:
            return self._beside(column, row)
        own = [m for m in self.mentions[column.id] if m.at in row.tokens]
        carried = bool(column.cues and column.cues.carried)
        mention = self._place(own, row) if carried else self._value(own, column, row)
        if mention is not None:
            return mention
        if row.group_of is not None:
            return None if column.id in row.blocked else self._own_or_carried(column, row.group_of)
        before = [m for m in self.mentions[column.id] if m.at < row.first] if carried else []
        return before[-1] if before else None

    def _value(self, own: Sequence[Mention], column: FieldSchema, row: RowDraft) -> Mention | None:
        """From the noun phrase on; of two numbers before the noun the later, of others the first."""
        if column.type in ("integer", "number"):
            named = [m for m in own if row.phrase_first <= m.at < row.anchor.first]
            if named:
                return pick(named, column, "last")
        return pick([m for m in own if m.at >= row.phrase_first], column, "first") or pick(own, column, "last")

    def _place(self, own: Sequence[Mention], row: RowDraft) -> Mention | None:
        """Where a thing is: named after it in its clause, else before it there, else later as "in the ..."."""
        near = [m for m in own if m.at in row.own and (m.at < row.anchor.after or self._is_place(m, row))]
        behind = [m for m in near if m.at >= row.phrase_first]
        opening = [m for m in near if m.at < row.phrase_first and self._opens_clause(m)]
        if opening:
            return opening[-1]
        if near:
            return behind[0] if behind else near[-1]
        later = [m for m in own if 0 <= m.at - row.anchor.after <= PLACE_REACH and self._is_place(m, row)]
        return later[0] if later else None

    def _opens_clause(self, mention: Mention) -> bool:
        """ "then in the neck there is another one"."""
        first = self.reading.clause_span(mention.at)[0]
        before = [token.text for token in self.reading.tokens[first : mention.at]]
        return len(before) <= _LONGEST_OPENING and bool({"in", "at", "within"} & set(before)) and "is" not in before

    def _is_place(self, mention: Mention, row: RowDraft) -> bool:
        """ "... polyp in the cecum", "... polyp, cecum": not a place that the speaker has gone on to."""
        between = {token.text for token in self.reading.tokens[row.anchor.after : mention.at]}
        return mention.at - row.anchor.after <= 2 or bool(_PLACE_WORDS & between)

    def _merged(self, rows: Sequence[RowDraft]) -> list[RowDraft]:
        """Rows that say the same thing twice are one; the later one may add what the earlier left open."""
        kept: list[RowDraft] = []
        for row in rows:
            same = next((old for old in kept if self.cues.merge and self._same(old, row)), None)
            if same is None:
                kept.append(row)
            else:
                same.values |= {name: mention for name, mention in row.values.items() if name not in same.values}
        return kept

    def _same(self, old: RowDraft, row: RowDraft) -> bool:
        def value(of: RowDraft, name: str) -> Value | None:
            return of.values[name].value if name in of.values else None

        both = [(value(old, name), value(row, name)) for name in self.cues.merge]
        if any(one != other and one is not None and other is not None for one, other in both):
            return False
        shared = old.values.keys() & row.values.keys()
        return all(_told_alike(old.values[name].value, row.values[name].value) for name in shared)


def _told_alike(one: Value, other: Value) -> bool:
    """Whether two values are the same; a text may begin a sentence or not."""
    return one == other or (isinstance(one, str) and isinstance(other, str) and one.casefold() == other.casefold())


def _belongs(column: FieldSchema, mention: Mention, row: RowDraft) -> bool:
    """A range's upper end or a second dimension must come from the very words that gave the first number."""
    if column.cues is None or column.cues.part in ("low", "first", "largest"):
        return True
    return any(other.at == mention.at for other in row.values.values())
