"""Where a transcript speaks of one field, and what it says there. Knows field types and English, no procedure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

from endoscribe.extraction.claims import Value
from endoscribe.extraction.reading.assertion import NEGATORS, Assertion, assertion
from endoscribe.extraction.reading.calendar import spoken_date, spoken_time
from endoscribe.extraction.reading.remainder import denies_the_rest
from endoscribe.extraction.reading.temporality import temporalities
from endoscribe.extraction.reading.tokens import Match, TokenizedTranscript
from endoscribe.procedures.schema import Cues, FieldSchema, ProcedureSchema, RelativePart

GOOD = (
    "normal", "normally", "unremarkable", "within normal limits", "no abnormalit*", "not ... abnormalit*",
    "no (significant|gross|obvious|focal|mucosal|suspicious) (focal) lesions|lesion|findings|pathology|masses",
    "healthy",
    "no evidence of abnormalit*", "grossly intact", "entirely clear", "nothing abnormal",
    "is (absolutely|all|completely|perfectly) fine|clean|clear|okay",
)  # fmt: skip
_NEARLY = frozenset({"mostly", "largely", "nearly", "almost", "relatively", "partially"})
#: Right after what it is said of.
_TERSE = ("fine", "clear", "clean", "okay", "good")
#: "normal with no masses", "normal without ulcers": what follows is not what is called normal.
_NOT_SAID_OF = frozenset({"with", "without", "no", "not"})
_PARTS = frozenset({"upper", "lower", "proximal", "distal", "mid", "middle"})
_NOT_OVERALL = frozenset(
    {"otherwise", "remaining", "remainder", "rest", "other", "surrounding", "upstream", "elsewhere"}
)
#: Between a negation and the history that it denies.
_OF_A_HISTORY = frozenset({
    "any", "known", "prior", "past", "personal", "family", "significant", "relevant", "previous", "or", "and", "other",
    "medical", "surgical", "a", "the", "is", "has", "have", "positive", "strong",
})  # fmt: skip
_DENIES_OUTRIGHT = frozenset({
    "no", "not", "without", "denies", "denied", "deny", "denying", "never", "nor", "neither", "negative",
})  # fmt: skip
_CORRECTIONS = (
    "sorry", "correction", "i mean", "i meant", "make that", "no wait", "let me correct", "rather", "should say",
    "actually", "no it is", "i misspoke",
)  # fmt: skip
#: Between a correction and the right class may stand: "sorry, it is grade C".
_BEFORE_SHORT = frozenset({",", "it", "is", "a", "the", "grade", "class", "type", "no", "stage", "score"})
#: A correction concerns what was said at most so many words before it.
CORRECTION_REACH = 10
CORRECTED_WITHIN = 7
AMENDED_WITHIN = 3
TOPIC_REACH = 80
#: A topic named so many words behind counts as well: "a normal caliber pancreatic duct".
TOPIC_BEHIND = 8
#: "erythema in the gastric antrum": words from a finding to its place.
PLACED_WITHIN = 5
#: "adjacent to the wall of the stomach": words from a relation to what it relates to.
RELATED_WITHIN = 6
_RELATES = ("communicat", "connect", "adjacent", "abut", "near", "upstream", "involv", "encas", "invad", "interface")
#: In speech without stops a clause may run on for a minute: what voids a mention stands within so many words.
UNLESS_REACH = 16
#: Values so short mean something only beside their field's name.
SHORT_VALUE = 3
#: Values whose own name is said at every turn: "the other polyp".
#: The value that tells that there was nothing.
NONE_VALUE = "none"
#: Words from "could not pass" to the place: "the stricture in the sigmoid".
END_WITHIN = 5
NO_NAMES = frozenset({"none", "other", "unknown"})
MOST_TEXT_WORDS = 40
DATE_WORDS = 10
TIME_WORDS = 7


@dataclass(frozen=True, slots=True)
class Mention:
    """A value said for a field: the tokens [first, after) are its quote, `at` is where the value itself stands."""

    value: Value
    first: int
    after: int
    at: int

    @property
    def last(self) -> int:
        """The last token that says it."""
        return max(self.at, self.after - 1)


@dataclass(frozen=True, slots=True)
class Subject:
    """A topic named at a token."""

    topic: str
    at: int
    after: int


class CueMatcher:
    """One reading of a transcript with a schema's ears: finds the mentions of any field."""

    def __init__(self, reading: TokenizedTranscript, schema: ProcedureSchema) -> None:
        self.reading = reading
        self.schema = schema
        self.temporalities = temporalities(reading, schema.course)
        #: By the field's identity: its content is long to hash, and a column may bear a field's name.
        self._mentions: dict[int, list[Mention]] = {}

    def assertion(self, match: Match) -> tuple[Assertion, int]:
        """How the matched words are meant, given all that the schema can hear around them."""
        return assertion(self.reading, match, self._named)

    @cached_property
    def _named(self) -> list[Match]:
        """The things that can be there or not: what yes-or-no fields listen for, and what makes rows."""
        phrases = [field.cues.said for field in self.schema.fields.values() if field.type == "boolean" and field.cues]
        phrases += [table.cues.anchors for table in self.schema.tables.values() if table.cues]
        return sorted((match for said in phrases for match in self.reading.find(said)), key=lambda match: match.first)

    def mentions(self, field: FieldSchema) -> list[Mention]:
        """Everything that was said for a field of the schema, in order, corrections heeded, before one is picked."""
        if id(field) not in self._mentions:
            self._mentions[id(field)] = self._find_mentions(field)
        return self._mentions[id(field)]

    def _find_mentions(self, field: FieldSchema) -> list[Mention]:
        if field.cues is None:
            return []
        found: Iterable[Mention]
        if field.type == "boolean":
            found = [*self._statements(field.cues), *self._verdicts(field.cues)]
        elif field.type in ("enum", "multi"):
            found = self._terms(field)
        elif field.type in ("integer", "number"):
            found = self._numbers(field)
        elif field.type == "date":
            found = self._dates(field.cues)
        elif field.type == "time":
            found = self._times(field.cues)
        else:
            found = self._texts(field.cues)
        return self._corrected(sorted(found, key=lambda mention: (mention.at, mention.first)), field)

    def counts_in(self, cues: Cues, index: int) -> bool:
        """Whether a match at this token is of the right time and not excepted by its clause."""
        if self.temporalities[index].value not in cues.time:
            return False
        if cues.about and not self._is_about(cues.about, index):
            return False
        if cues.not_about and (subject := self.topic_at(index)) is not None and subject.topic in cues.not_about:
            return False
        if self.ignores(cues, index):
            return False
        return self._fits_clause(cues, index)

    def ignores(self, cues: Cues, index: int) -> bool:
        """Whether a token stands in words that mean something else."""
        return any(match.first <= index < match.after for match in self.reading.find(cues.ignoring))

    def _is_about(self, topics: tuple[str, ...], index: int) -> bool:
        """Whether the speaker is on one of the topics, or has named one in the same clause."""
        subject = self.topic_at(index)
        first, after = self.reading.clause_span(index)
        near = min(after, index + TOPIC_BEHIND, self._next_number(index + 1))
        start = bisect_left(self.subjects, first, key=lambda subject: subject.at)
        named = takewhile(lambda one: one.at < near, self.subjects[start:])
        return (subject is not None and subject.topic in topics) or any(one.topic in topics for one in named)

    def _next_number(self, index: int) -> int:
        """The first number from a token on; what is named behind it is another one's topic: "2 mm, bile duct 5 mm"."""
        tokens = self.reading.tokens
        end = min(len(tokens), index + TOPIC_BEHIND)
        return next((i for i in range(index, end) if tokens[i].quantity or tokens[i].text.isdigit()), end)

    def _fits_clause(self, cues: Cues, index: int) -> bool:
        first, after = self.reading.clause_span(index)
        if cues.needs and not self._within(cues.needs, first, after):
            return False
        return not self._within(cues.unless, max(first, index - UNLESS_REACH), min(after, index + UNLESS_REACH))

    def _within(self, phrases: tuple[str, ...], first: int, after: int) -> bool:
        return any(first <= match.first < after for match in self.reading.find(phrases))

    # --- boolean ---

    def _statements(self, cues: Cues) -> Iterator[Mention]:
        for match in self.reading.find(cues.said):
            if not self.counts_in(cues, match.first):
                continue
            meant, word = self.assertion(match)
            if meant is Assertion.STATED or (cues.suspected and meant is Assertion.UNSURE):
                yield Mention(True, match.first, match.after, match.first)
            elif meant is Assertion.DENIED and cues.negation == "flips":
                yield Mention(False, min(word, match.first), max(word + 1, match.after), match.first)
        for match in self.reading.find(cues.denied):
            if self.counts_in(cues, match.first) and self._stated(match):
                yield Mention(False, match.first, match.after, match.first)

    def _verdicts(self, cues: Cues) -> Iterator[Mention]:
        """What is said of the field's organs: normal or not."""
        if not cues.normal:
            return
        for match, subjects in self._judged:
            named = [subject for subject in subjects if subject.topic in cues.normal and not self._is_a_part(subject)]
            if (
                not named
                or self.temporalities[match.first].value not in cues.time
                or not self._fits_clause(cues, match.first)
            ):
                continue
            value = self._is_normal(match, named[-1])
            if value is not None:
                first = min([match.first, *(s.at for s in named if self._same_clause(s.at, match.first))])
                yield Mention(value, first, match.after, match.first)
        for match in self.reading.find(cues.abnormal):
            if not self._is_in(cues.normal, match) or not self._fits_clause(cues, match.first):
                continue
            if self.temporalities[match.first].value in cues.time and self._stated(match):
                yield Mention(False, match.first, match.after, match.first)

    def _is_a_part(self, subject: Subject) -> bool:
        """ "the upper esophagus": what is said of a part is not said of the whole."""
        return subject.at > 0 and self.reading.tokens[subject.at - 1].text in _PARTS

    def _is_in(self, topics: tuple[str, ...], match: Match) -> bool:
        """Whether a finding belongs to one of the topics: where it is said to be, else what its clause speaks of."""
        place = self._place_of(match)
        if place:
            return place.topic in topics
        return self._is_about(topics, match.first) or self._is_led_to(topics, match)

    def _is_led_to(self, topics: tuple[str, ...], match: Match) -> bool:
        """ "I come to the liver and I see a lesion": what the clause before in the same sentence speaks of."""
        first = self.reading.clause_span(match.first)[0]
        if first == 0 or first == self.reading.sentence_span(match.first)[0]:
            return False
        before = self.reading.clause_span(first - 1)[0]
        named = [subject for subject in self.subjects if before <= subject.at < match.first]
        return bool(named) and named[-1].topic in topics

    def _place_of(self, match: Match) -> Subject | None:
        """What a finding is said to be in: "mild erythema in the antrum"."""
        after = self.reading.clause_span(match.first)[1]
        behind = bisect_left(self.subjects, match.after, key=lambda subject: subject.at)
        if behind == len(self.subjects) or self.subjects[behind].at >= min(after, match.after + PLACED_WITHIN):
            return None
        between = {token.text for token in self.reading.tokens[match.after : self.subjects[behind].at]}
        return self.subjects[behind] if between & {"in", "of", "at"} else None

    def _stated(self, match: Match) -> bool:
        return self.assertion(match)[0] is Assertion.STATED

    def _same_clause(self, a: int, b: int) -> bool:
        return self.reading.clause_span(a) == self.reading.clause_span(b)

    def _is_normal(self, match: Match, subject: Subject) -> bool | None:
        """True, False, or None where "normal" is not said of the whole; a negation before the subject is another's."""
        first, after = self.reading.clause_span(match.first)
        words = {token.text for token in self.reading.tokens[first : match.first]}
        tokens = self.reading.tokens
        if words & _NOT_OVERALL or (
            match.after < after and tokens[match.after].text in ("caliber", "variant", "saline")
        ):
            return None
        if words & _NEARLY:
            return False
        meant, negator = self.assertion(match)
        if meant is Assertion.DENIED and negator < subject.at < match.first and tokens[negator].text != "no":
            meant = Assertion.STATED
        if meant is Assertion.UNSURE and subject.after == match.first:
            meant = Assertion.STATED  # "to exclude eosinophils, stomach normal"
        return {Assertion.STATED: True, Assertion.DENIED: False}.get(meant)

    @cached_property
    def _judged(self) -> list[tuple[Match, list[Subject]]]:
        terse = [match for match in self.reading.find(_TERSE) if self._ends_subject(match.first)]
        found = [*self.reading.find(GOOD), *terse]
        return [(match, self._subjects_of(match)) for match in sorted(found, key=lambda match: match.first)]

    def _ends_subject(self, index: int) -> bool:
        """ "duodenum fine": the verb is left out."""
        return any(subject.after == index for subject in self.subjects)

    # --- topics ---

    @cached_property
    def subjects(self) -> list[Subject]:
        """Every topic named in the transcript, in order."""
        found: dict[int, Subject] = {}
        for topic, phrases in self.schema.topics.items():
            for match in self.reading.find(phrases):
                known = found.get(match.first)
                if known is None or match.after > known.after:
                    found[match.first] = Subject(topic, match.first, match.after)
        inside = [s for s in found.values() if not any(o.at < s.at and s.after <= o.after for o in found.values())]
        return sorted(inside, key=lambda subject: subject.at)

    def topic_at(self, index: int) -> Subject | None:
        """What the speaker is on at a token: named before it in its clause, else after it there, else last before."""
        first, after = self.reading.clause_span(index)
        behind = bisect_right(self.subjects, index, key=lambda subject: subject.at)
        last = self.subjects[behind - 1] if behind else None
        if last and last.at >= first:
            return last
        while last and self._is_related(last, index):
            behind -= 1
            last = self.subjects[behind - 1] if behind else None
        ahead = bisect_right(self.subjects, index, key=lambda subject: subject.at)
        if ahead < len(self.subjects) and self.subjects[ahead].at < min(after, self._next_number(index + 1)):
            return self.subjects[ahead]
        return last if last and last.at >= index - TOPIC_REACH else None

    def _is_related(self, subject: Subject, index: int) -> bool:
        """ "it communicates with the main duct": named for another thing's sake, unless "the duct" is named again."""
        noun = self.reading.tokens[subject.after - 1].text
        if any(token.text == noun for token in self.reading.tokens[subject.after : index]):
            return False
        first = max(self.reading.clause_span(subject.at)[0], subject.at - RELATED_WITHIN)
        return any(token.text.startswith(_RELATES) for token in self.reading.tokens[first : subject.at])

    def _subjects_of(self, match: Match) -> list[Subject]:
        """What a "normal" is said of: "the esophagus and the stomach are normal", "they are normal"."""
        first, after = self.reading.clause_span(match.first)
        before = [subject for subject in self.subjects if first <= subject.at < match.first]
        if before:
            return _coordinated(self.reading, before)
        end = min(after, match.after + 8)
        stop = next((i for i in range(match.after, end) if self.reading.tokens[i].text in _NOT_SAID_OF), end)
        behind = [subject for subject in self.subjects if match.after <= subject.at < stop]
        if behind:
            return behind[:1] + [subject for subject in behind[1:] if _linked(self.reading, behind[0], subject)]
        earlier = [subject for subject in self.subjects if match.first - TOPIC_REACH <= subject.at < first]
        if not earlier:
            return []
        start = self.reading.clause_span(earlier[-1].at)[0]
        return _coordinated(self.reading, [subject for subject in earlier if subject.at >= start])

    # --- enum ---

    def _terms(self, field: FieldSchema) -> list[Mention]:
        cues = field.cues or Cues()
        found: list[Mention] = []
        for value, phrases in _spoken_values(field).items():
            found += [
                Mention(value, match.first, match.after, match.first)
                for match in self.reading.find(phrases)
                if self.counts_in(cues, match.first) and (cues.carried or self._holds(match))
                and not (value == NONE_VALUE and self.denies_the_rest(match))
            ]  # fmt: skip
        found += self._beside_name(field, cues)
        return [mention for mention in found if not any(_inside(mention, other) for other in found)]

    def denies_the_rest(self, match: Match) -> bool:
        """ "no other complications": something was set aside before."""
        return denies_the_rest(self._texts_of_tokens, match.first, match.after)

    def denies_more(self, match: Match) -> bool:
        """ "no other polyps" counts none of those that were named before."""
        return any(token.text in ("other", "further", "additional", "more")
                   for token in self.reading.tokens[match.first : match.after])  # fmt: skip

    @cached_property
    def _texts_of_tokens(self) -> list[str]:
        return [token.text for token in self.reading.tokens]

    def end(self, field: FieldSchema) -> Mention | None:
        """The last value that is said to be where it ended: "aborted at the hepatic flexure"."""
        cues = field.cues or Cues()
        said = [(value, match) for value, names in _spoken_values(field).items() for match in self.reading.find(names)]
        named = [Mention(value, match.first, match.after, match.first) for value, match in said]
        found: list[Mention] = []
        for match in self.reading.find(cues.ends):
            if self.temporalities[match.first].value in cues.time:
                near = [m for m in named if 0 <= m.at - match.after <= END_WITHIN and self._is_beside(match, m)]
                found += sorted(near, key=lambda mention: (mention.at, -mention.after))[:1]
        return found[-1] if found else None

    def _is_beside(self, match: Match, mention: Mention) -> bool:
        return self.reading.sentence_span(match.first) == self.reading.sentence_span(mention.at)

    def _holds(self, match: Match) -> bool:
        """Whether a value is meant as it is said; a phrase that itself begins with "no" cannot be denied once more."""
        if self.reading.tokens[match.first].text in NEGATORS:
            return True
        return self.assertion(match)[0] in (Assertion.STATED, Assertion.UNSURE)

    def _beside_name(self, field: FieldSchema, cues: Cues) -> Iterator[Mention]:
        names = [match for match in self.reading.find(cues.said) if self.counts_in(cues, match.first)]
        if not names:
            return
        shorts = [(value, match) for value, forms in _short_values(field).items() for match in self.reading.find(forms)]
        for name in names:
            near = [
                (match.first, name.after - match.after, value, match)
                for value, match in shorts
                if 0 <= match.first - name.after <= cues.within and self._same_clause(name.first, match.first)
            ]
            if near:
                _, _, value, match = min(near, key=lambda one: one[:2])
                yield Mention(value, name.first, match.after, match.first)

    # --- numbers ---

    def _numbers(self, field: FieldSchema) -> list[Mention]:
        cues = field.cues or Cues()
        if cues.group is None:
            return self._numbers_of(field)
        return list(self._grouped(cues.group).get(field.id, ()))

    def _numbers_of(self, field: FieldSchema) -> list[Mention]:
        cues = field.cues or Cues()
        singles = (match for match in self.reading.find(cues.single) if self.counts_in(cues, match.first))
        ones = [Mention(1, match.first, match.after, match.first) for match in singles if self._stated(match)]
        return [*ones, *(mention for _, mention in self._ranked_numbers(field).values())]

    def _ranked_numbers(self, field: FieldSchema) -> dict[int, tuple[tuple[int, int], Mention]]:
        """For each token the number it holds for the field, by its best phrase: earlier in `said`, then shorter."""
        cues = field.cues or Cues()
        best: dict[int, tuple[tuple[int, int], Mention]] = {}
        for order, phrase in enumerate(cues.said):
            for match in _nearest(self.reading.find_all((phrase,))):
                if match.number is None or not self.counts_in(cues, match.first) or self.ignores(cues, match.number):
                    continue
                value = self._number(match.number, field, cues.part)
                rank = (order, match.after - match.first)
                if value is not None and (match.number not in best or rank < best[match.number][0]):
                    best[match.number] = (rank, Mention(value, match.first, match.after, match.number))
        return best

    def _grouped(self, group: str) -> Mapping[str, list[Mention]]:
        """The numbers of a group's fields; each number goes to the field whose words are nearest to it."""
        fields = [field for field in self.schema.fields.values() if field.cues and field.cues.group == group]
        best: dict[int, list[tuple[tuple[int, int], str, Mention]]] = {}
        for field in fields:
            for token, (rank, mention) in self._ranked_numbers(field).items():
                known = best.get(token)
                if known is None or rank < known[0][0]:
                    best[token] = [(rank, field.id, mention)]
                elif rank == known[0][0] and mention.first == known[0][2].first:
                    known.append((rank, field.id, mention))  # "3 in each segment": the same words for several fields
        shared: dict[str, list[Mention]] = {field.id: [] for field in fields}
        for owners in best.values():
            for _, owner, mention in owners:
                shared[owner].append(mention)
        return shared

    def _number(self, index: int, field: FieldSchema, part: RelativePart) -> int | float | None:
        """The number at a token in the field's unit; None when it does not fit the field."""
        token = self.reading.tokens[index]
        if token.quantity is None:
            numbers: tuple[float, ...] | None = (float(token.text),)
            kind = "single"
        else:
            numbers, kind = token.quantity.in_unit(field.unit), token.quantity.kind
        value = None if numbers is None else choose_part(numbers, kind, part)
        if value is None or (field.range and not field.range[0] <= value <= field.range[1]):
            return None
        if field.type == "integer":
            return int(value) if value == int(value) else None
        return int(value) if value == int(value) else value

    # --- text ---

    def _texts(self, cues: Cues) -> Iterator[Mention]:
        for match in self.reading.find(cues.said):
            end = min(self.reading.sentence_span(match.first)[1], match.after + MOST_TEXT_WORDS)
            stop = next((i for i in range(match.after, end) if self.reading.tokens[i].text in (".", "|")), end)
            if stop > match.after and self.counts_in(cues, match.first) and not self._is_denied_outright(match):
                words, _ = self.reading.quote(match.after, stop)
                yield Mention(words.strip(), match.after, stop, match.first)

    def _is_denied_outright(self, match: Match) -> bool:
        """ "no known family history of", "denies any history of": what follows tells of nothing that there is."""
        at = match.first - 1
        while at >= 0 and self.reading.tokens[at].text in _OF_A_HISTORY:
            at -= 1
        return at >= 0 and self.reading.tokens[at].text in _DENIES_OUTRIGHT

    def _dates(self, cues: Cues) -> Iterator[Mention]:
        """Dates with a day, a month's name and a year, right after one of the phrases."""
        for match in self.reading.find(cues.said):
            if self.counts_in(cues, match.first):
                words = [token.text for token in self.reading.tokens[match.after : match.after + DATE_WORDS]]
                said, length = spoken_date(words)
                if said:
                    yield Mention(said.isoformat(), match.first, match.after + length, match.first)

    def _times(self, cues: Cues) -> Iterator[Mention]:
        """Times of day right after one of the phrases."""
        for match in self.reading.find(cues.said):
            if self.counts_in(cues, match.first):
                words = [token.text for token in self.reading.tokens[match.after : match.after + TIME_WORDS]]
                said, length = spoken_time(words)
                if said:
                    yield Mention(said.isoformat("minutes"), match.first, match.after + length, match.first)

    # --- corrections ---

    def _corrected(self, found: Sequence[Mention], field: FieldSchema) -> list[Mention]:
        """Without what the speaker took back: "five, sorry, six millimeters"."""
        kept = list(found)
        for match in self._corrections:
            before = [m for m in kept if match.first - CORRECTION_REACH <= m.at < match.first]
            after = [m for m in kept if match.after <= m.at < match.after + CORRECTED_WITHIN]
            if not before:
                continue
            if after:
                kept = [mention for mention in kept if mention is not before[-1] or mention.value == after[0].value]
            elif field.type in ("integer", "number", "enum") and match.first - before[-1].last <= AMENDED_WITHIN:
                kept = [self._amended(m, match, field) if m is before[-1] else m for m in kept]
        return kept

    def _amended(self, mention: Mention, correction: Match, field: FieldSchema) -> Mention:
        """The mention with the number or the short form that follows the correction in place of its own."""
        tokens = self.reading.tokens
        if field.type == "enum":
            return self._renamed(mention, correction, field)
        part = field.cues.part if field.cues else "low"
        for index in range(correction.after, min(correction.after + 4, len(tokens))):
            if tokens[index].quantity is not None or tokens[index].text[0].isdigit():
                value = self._number(index, field, part)
                return mention if value is None else Mention(value, mention.first, index + 1, index)
        return mention

    def _renamed(self, mention: Mention, correction: Match, field: FieldSchema) -> Mention:
        """ "LA grade B, I mean grade C": the short form of another value right after the correction."""
        for value, forms in _short_values(field).items():
            for match in self.reading.find(forms):
                between = self.reading.tokens[correction.after : match.first]
                if match.first >= correction.after and {token.text for token in between} <= _BEFORE_SHORT:
                    return Mention(value, mention.first, match.after, match.first)
        return mention

    @cached_property
    def _corrections(self) -> list[Match]:
        return self.reading.find(_CORRECTIONS)


def _nearest(matches: Sequence[Match]) -> list[Match]:
    """Of matches that end alike the shortest: "one piece, closed with two clips" has two clips."""
    shortest: dict[int, Match] = {}
    for match in matches:
        shortest[match.after] = match
    return list(shortest.values())


def choose_part(numbers: Sequence[float], kind: str, part: RelativePart) -> float | None:
    """One of the numbers of a quantity."""
    ordered = sorted(numbers)
    by_part: dict[RelativePart, float | None] = {
        "low": ordered[0],
        "high": ordered[-1] if kind == "range" else None,
        "first": numbers[0],
        "second": numbers[1] if kind == "dimensions" else None,
        "largest": ordered[-1],
        "other": ordered[-2] if kind == "dimensions" else None,
    }
    return by_part[part]


def pick(mentions: Sequence[Mention], field: FieldSchema, default: str) -> Mention | None:
    """The mention that is the field's value."""
    if not mentions:
        return None
    how = (field.cues.pick if field.cues else None) or _usual_pick(field, default)
    if how in ("any", "worst"):
        return next((mention for mention in mentions if mention.value is (how == "any")), mentions[-1])
    if how == "farthest":
        order = list(field.values)
        return max(mentions, key=lambda mention: order.index(str(mention.value)))
    if how in ("largest", "smallest"):
        choose = max if how == "largest" else min
        return choose(
            mentions, key=lambda mention: float(mention.value) if isinstance(mention.value, int | float) else 0
        )
    return mentions[0] if how == "first" else mentions[-1]


def _usual_pick(field: FieldSchema, default: str) -> str:
    if field.type != "boolean":
        return default
    return "worst" if field.cues and field.cues.normal else "any"


def _spoken_values(field: FieldSchema) -> dict[str, tuple[str, ...]]:
    spoken = {}
    for value, term in field.values.items():
        plain = len(value) > SHORT_VALUE and value.isidentifier() and value not in NO_NAMES and not term.short
        own = (value.replace("_", " "),) if plain else ()
        own = own if field.cues is None or field.cues.names else ()
        spoken[value] = (*own, *term.spoken, *term.misheard)
    return spoken


def _short_values(field: FieldSchema) -> dict[str, tuple[str, ...]]:
    return {
        value: (*((value,) if len(value) <= SHORT_VALUE else ()), *term.short) for value, term in field.values.items()
    }


def _inside(mention: Mention, other: Mention) -> bool:
    """Whether another mention covers this one and more."""
    covers = other.at <= mention.at and mention.after <= other.after
    return covers and (other.after - other.at) > (mention.after - mention.at)


def _coordinated(reading: TokenizedTranscript, subjects: Sequence[Subject]) -> list[Subject]:
    """The last of some subjects and those that are joined to it by "and" or a comma."""
    kept = [subjects[-1]]
    for subject in reversed(subjects[:-1]):
        if not _linked(reading, subject, kept[0]):
            break
        kept.insert(0, subject)
    return kept


def _linked(reading: TokenizedTranscript, earlier: Subject, later: Subject) -> bool:
    between = {token.text for token in reading.tokens[earlier.after : later.at]}
    return between <= {
        "and",
        ",",
        "or",
        "the",
        "a",
        "mucosa",
        "lining",
        "body",
        "of",
    }
