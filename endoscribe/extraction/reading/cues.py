"""Where a transcript speaks of one field, and what it says there. Knows field types and English, no procedure."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

from endoscribe.extraction.claims import Value
from endoscribe.extraction.reading.assertion import NEGATORS, Assertion, assertion
from endoscribe.extraction.reading.calendar import spoken_date, spoken_time
from endoscribe.extraction.reading.headings import SectionHeading, under
from endoscribe.extraction.reading.remainder import denies_the_rest
from endoscribe.extraction.reading.temporality import Temporality, headings_of, temporalities
from endoscribe.extraction.reading.tokens import Match, TokenizedTranscript
from endoscribe.procedures.schema import (
    UNNAMED,
    Cues,
    FieldSchema,
    ProcedureSchema,
    RelativePart,
    plain_name,
    value_words,
)

GOOD = (
    "normal", "normally", "unremarkable", "within normal limits", "no abnormalit*", "not ... abnormalit*",
    "no (significant|gross|obvious|focal|mucosal|suspicious) (focal) lesions|lesion|findings|pathology|masses",
    "healthy",
    "no evidence of abnormalit*", "grossly intact", "entirely clear", "nothing abnormal",
    "is (absolutely|all|completely|perfectly) fine|clean|clear|okay",
)  # fmt: skip
_NEARLY = frozenset({"mostly", "largely", "nearly", "almost", "relatively", "partially"})
#: Right after what it is said of.
_TERSE = ("fine", "clear", "clean", "okay", "good", "nad")
#: "normal with no masses", "normal without ulcers": what follows is not what is called normal.
_NOT_SAID_OF = frozenset({"with", "without", "no", "not"})
_PARTS = frozenset({"upper", "lower", "proximal", "distal", "mid", "middle"})
_NOT_OVERALL = frozenset(
    {"otherwise", "remaining", "remainder", "rest", "other", "surrounding", "upstream", "elsewhere"}
)
#: "the esophageal contour was normal" says nothing of the mucosa.
_NOT_THE_WHOLE = frozenset({"contour", "caliber", "calibre", "motility", "peristalsis", "tone", "distensibility"})
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
#: So many phrases of a group's field tell its number by its name alone, before or behind it.
_DIRECT_PHRASES = 2
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
#: The value that tells that there was nothing.
NONE_VALUE = "none"
#: Words from "could not pass" to the place: "the stricture in the sigmoid".
END_WITHIN = 5
MOST_TEXT_WORDS = 40
#: Of a list under a heading so many words are one text.
MOST_LISTED_WORDS = 80
_STOPS = frozenset({".", ",", "|"})
_REVERSES = frozenset({"no", "actually", "correction", "sorry", "rather"})
_ITEM = re.compile(r"\s*\n\s*(?:\d{1,2}[.)]\s+|[-*\u2022]\s+)?")
#: Values that are said of anything: without their field's name they tell nothing.
_COMMON_VALUES = frozenset({
    "normal", "abnormal", "other", "none", "yes", "no", "not", "unknown", "large", "small", "medium", "big", "mild",
    "moderate", "severe", "minimal", "good", "fair", "poor", "excellent", "adequate", "inadequate", "complete",
    "incomplete", "partial", "full", "failed", "failure", "success", "successful", "positive", "negative", "left",
    "right", "both", "upper", "lower", "proximal", "distal", "middle", "single", "multiple", "present", "absent",
    "open", "closed", "clear", "low", "high", "early", "late", "before", "during", "after", "soft", "hard", "flat",
    "yellow", "white", "red", "green", "brown", "air", "water", "blood", "pain", "stent", "mass", "tumor", "lesion",
    "biopsy", "stable", "routine", "urgent", "sent", "pending", "placed", "removed", "changed", "checked",
    "independent", "observed", "assisted", "unclear", "indeterminate", "benign", "malignant", "suspicious", "easy",
    "difficult", "narrow", "wide", "long", "short", "anterior", "posterior", "lateral", "medial", "diffuse", "focal",
    "localized",
    "irregular", "regular", "smooth", "thick", "thin", "old", "new", "acute", "chronic", "active", "inactive",
    "standard", "alert", "awake", "local", "general", "oral", "nasal", "male", "female", "surveillance", "screening",
    "diagnostic", "therapeutic", "follow up", "pink", "pale", "cloudy", "dark", "rigid", "flexible", "limited",
})  # fmt: skip
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
        self.headings = headings_of(reading, schema.course)
        self.temporalities = temporalities(reading, schema.course, self.headings)
        #: By the field's identity: its content is long to hash, and a column may bear a field's name.
        self._mentions: dict[int, list[Mention]] = {}

    def assertion(self, match: Match) -> tuple[Assertion, int]:
        """How the matched words are meant, given all that the schema can hear around them."""
        return assertion(self.reading, match, self._named)

    @cached_property
    def _named(self) -> list[Match]:
        """The things that can be there or not: what yes-or-no fields listen for, and what makes rows."""
        phrases = [field.cues.said for field in self.schema.fields.values() if field.type == "boolean" and field.cues]
        phrases += [table.anchors for table in self.schema.tables.values()]
        return sorted((match for said in phrases for match in self.reading.find(said)), key=lambda match: match.first)

    def mentions(self, field: FieldSchema) -> list[Mention]:
        """Everything that was said for a field of the schema, in order, corrections heeded, before one is picked."""
        if id(field) not in self._mentions:
            self._mentions[id(field)] = self._find_mentions(field)
        return self._mentions[id(field)]

    def _find_mentions(self, field: FieldSchema) -> list[Mention]:
        cues = field.heard
        if cues is None or self._is_voided(cues):
            return []
        found: Iterable[Mention]
        if field.type == "boolean":
            found = [*self._statements(cues), *self._verdicts(cues)]
        elif field.type in ("enum", "multi"):
            found = self._terms(field)
        elif field.type in ("integer", "number"):
            found = self._numbers(field)
        elif field.type == "date":
            found = self._dates(cues)
        elif field.type == "time":
            found = self._times(cues)
        else:
            found = self._all_texts(cues)
        return self._corrected(sorted(found, key=lambda mention: (mention.at, mention.first)), field)

    def _is_voided(self, cues: Cues) -> bool:
        """Whether something was said of today that leaves the field empty."""
        return any(
            self.temporalities[match.first] is Temporality.TODAY and self._stated(match)
            for match in self.reading.find(cues.voided)
        )

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
            if value is not None and not (value and self._has_findings(cues)):
                first = min([match.first, *(s.at for s in named if self._same_clause(s.at, match.first))])
                yield Mention(value, first, match.after, match.first)
        for match in self.reading.find(cues.abnormal):
            if not self._is_in(cues.normal, match) or not self._fits_clause(cues, match.first):
                continue
            if self.temporalities[match.first].value in cues.time and self._stated(match):
                yield Mention(False, match.first, match.after, match.first)

    def _has_findings(self, cues: Cues) -> bool:
        """Whether something is found in the field's organs: "normal" is then said of what else there is."""
        return any(
            self._is_in(cues.normal, match) and self.temporalities[match.first].value in cues.time
            and self._stated(match) and not self.ignores(cues, match.first)
            for match in self.reading.find(cues.findings)
        )  # fmt: skip

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
        between = {token.text for token in tokens[subject.after : match.first]}
        if (
            words & _NOT_OVERALL
            or between & _NOT_THE_WHOLE
            or (match.after < after and tokens[match.after].text in ("caliber", "variant", "saline"))
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
        reach = max([match.first - TOPIC_REACH, *(h.first for h in self.headings if h.first <= match.first)])
        earlier = [subject for subject in self.subjects if reach <= subject.at < first]
        if not earlier:
            return []
        start = self.reading.clause_span(earlier[-1].at)[0]
        return _coordinated(self.reading, [subject for subject in earlier if subject.at >= start])

    # --- enum ---

    def _terms(self, field: FieldSchema) -> list[Mention]:
        cues = field.heard or Cues()
        found: list[Mention] = []
        for value, phrases in self._names_alone(field, cues).items():
            found += [
                Mention(value, match.first, match.after, match.first)
                for match in self.reading.find(phrases)
                if self.counts_in(cues, match.first) and (cues.carried or self._holds(match))
                and not (value == NONE_VALUE and self.denies_the_rest(match))
            ]  # fmt: skip
        found += self._beside_name(field, cues)
        if cues.by_name and NONE_VALUE in field.values:
            found += self._name_denied(cues)
        found += self._units_said(cues)
        return [mention for mention in found if not any(_inside(mention, other) for other in found)]

    def _names_alone(self, field: FieldSchema, cues: Cues) -> Mapping[str, tuple[str, ...]]:
        """For each value the names that mean it wherever they stand."""
        if not cues.alone:
            return {}
        if not cues.by_name:
            return _spoken_values(field)
        return {value: tuple(name for name in names if not self._is_ambiguous(name))
                for value, names in _all_names(field).items()}  # fmt: skip

    def _is_ambiguous(self, name: str) -> bool:
        """Whether a value's name may as well be another field's, or is said of anything."""
        return name in self.schema.shared_names or is_common(name)

    def _short_names(self, field: FieldSchema, cues: Cues) -> Mapping[str, tuple[str, ...]]:
        """For each value the names that mean it only beside the field's own name."""
        short = _short_values(field)
        names = _all_names(field)
        if not cues.alone:
            return {value: (*forms, *names[value]) for value, forms in short.items()}
        if not cues.by_name:
            return short
        return {value: (*forms, *filter(self._is_ambiguous, names[value])) for value, forms in short.items()}

    def _name_denied(self, cues: Cues) -> Iterator[Mention]:
        """ "no distal attachment": the field's own name denied is the value for nothing."""
        for match in self.reading.find(cues.said):
            meant, word = self.assertion(match)
            if meant is Assertion.DENIED and self.counts_in(cues, match.first) and not self.denies_the_rest(match):
                yield Mention(NONE_VALUE, min(word, match.first), max(word + 1, match.after), match.first)

    def named(self, field: FieldSchema) -> Iterator[Mention]:
        """Every place where a value of the field is named, whatever is said of it."""
        for value, names in _spoken_values(field).items():
            for match in self.reading.find((*names, *value_words(value)) if value not in UNNAMED else names):
                yield Mention(value, match.first, match.after, match.first)

    def _units_said(self, cues: Cues) -> Iterator[Mention]:
        """ "4 mg": the unit of what is measured."""
        for index, token in enumerate(self.reading.tokens if cues.units else ()):
            unit = token.quantity.said_in(cues.units) if token.quantity else None
            if unit and self.counts_in(cues, index):
                yield Mention(unit, index, index + 1, index)

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
        cues = field.heard or Cues()
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
        shorts = [(value, match) for value, forms in self._short_names(field, cues).items()
                  for match in self.reading.find(forms)]  # fmt: skip
        for name in names:
            near = [
                (match.first, name.after - match.after, value, match)
                for value, match in shorts
                if 0 <= match.first - name.after <= cues.within and self._same_clause(name.first, match.first)
            ]
            if near and field.type == "multi":
                yield from (Mention(value, match.first, match.after, match.first)
                            for _, _, value, match in near if self._holds(match))  # fmt: skip
            elif near:
                _, _, value, match = min(near, key=lambda one: one[:2])
                yield Mention(value, name.first, match.after, match.first)
            elif cues.by_name or not cues.alone:
                yield from self._before_name(name, shorts)

    def _before_name(self, name: Match, shorts: Sequence[tuple[str, Match]]) -> Iterator[Mention]:
        """ "severe coughing": a value right before its field's name."""
        for value, match in shorts:
            stated = value != NONE_VALUE and self._holds(match)
            if stated and match.after == name.first and self._same_clause(name.first, match.first):
                yield Mention(value, match.first, name.after, match.first)
                return

    # --- numbers ---

    def _numbers(self, field: FieldSchema) -> list[Mention]:
        cues = field.heard or Cues()
        if cues.group is None:
            return self._numbers_of(field)
        return list(self._grouped(cues.group).get(field.id, ()))

    def _numbers_of(self, field: FieldSchema) -> list[Mention]:
        cues = field.heard or Cues()
        singles = (match for match in self.reading.find(cues.single) if self.counts_in(cues, match.first))
        ones = [Mention(1, match.first, match.after, match.first) for match in singles if self._stated(match)]
        zeros = (match for match in self.reading.find(cues.zero) if self.counts_in(cues, match.first))
        ones += [Mention(0, match.first, match.after, match.first) for match in zeros if not self.denies_more(match)]
        return [*ones, *(mention for _, mention in self._ranked_numbers(field).values())]

    def _ranked_numbers(self, field: FieldSchema) -> dict[int, tuple[tuple[int, int], Mention]]:
        """For each token the number it holds for the field, by its best phrase: earlier in `said`, then shorter."""
        cues = field.heard or Cues()
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
        ranked = [(rank, field.id, mention) for field in fields
                  for rank, mention in self._ranked_numbers(field).values()]  # fmt: skip
        segments = [mention for rank, _, mention in ranked if rank[0] < _DIRECT_PHRASES]
        against = self._against_the_order(segments)
        best: dict[int, list[tuple[tuple[int, ...], str, Mention]]] = {}
        for rank, owner, mention in ranked:
            order = (int(self._is_set_apart(mention)), int(mention in against), *rank)
            known = best.get(mention.at)
            if known is None or order < known[0][0]:
                best[mention.at] = [(order, owner, mention)]
            elif order == known[0][0] and mention.first == known[0][2].first:
                known.append((order, owner, mention))  # "3 in each segment": the same words for several fields
        shared: dict[str, list[Mention]] = {field.id: [] for field in fields}
        for owners in best.values():
            for _, owner, mention in owners:
                shared[owner].append(mention)
        return shared

    def _is_set_apart(self, mention: Mention) -> bool:
        """ "on the right, two transverse": a comma parts a number from what is not its name."""
        beside = mention.at + 1 if _number_leads(mention) else mention.at - 1
        return mention.after - mention.first > 1 and self.reading.tokens[beside].text == ","

    def _against_the_order(self, found: Sequence[Mention]) -> set[Mention]:
        """ "1 right, 2 transverse, 2 left": where a sentence begins with a number, each number is before its name."""
        leads: dict[int, Mention] = {}
        for mention in sorted(found, key=lambda one: (one.first, one.after)):
            leads.setdefault(self.reading.sentence_span(mention.at)[0], mention)
        return {mention for mention in found if _number_leads(mention) is not
                _number_leads(leads[self.reading.sentence_span(mention.at)[0]])}  # fmt: skip

    def _number(self, index: int, field: FieldSchema, part: RelativePart) -> int | float | None:
        """The number at a token in the field's unit; None when it does not fit the field."""
        token = self.reading.tokens[index]
        if token.quantity is None:
            numbers: tuple[float, ...] | None = (float(token.text),)
            kind = "single"
        else:
            unit = token.quantity.said_in(field.cues.units) if field.cues and field.cues.units else field.unit
            numbers, kind = token.quantity.in_unit(unit), token.quantity.kind
        value = None if numbers is None else choose_part(numbers, kind, part)
        if value is None or (field.range and not field.range[0] <= value <= field.range[1]):
            return None
        if field.type == "integer":
            return int(value) if value == int(value) else None
        return int(value) if value == int(value) else value

    # --- text ---

    def _all_texts(self, cues: Cues) -> list[Mention]:
        """What stands under the field's headings, and what is said of it elsewhere."""
        headed = list(self._under_headings(cues))
        spans = [range(*self._section(mention.first)) for mention in headed]
        return [*headed, *(m for m in self._texts(cues) if not any(m.at in span for span in spans))]

    def _section(self, index: int) -> tuple[int, int]:
        """The tokens from the heading under which a token stands to where its section ends."""
        over = [heading for heading in self.headings if heading.first <= index]
        return (over[-1].first, over[-1].end) if over else (0, 0)

    def _texts(self, cues: Cues) -> Iterator[Mention]:
        for match in self.reading.find(cues.said):
            first = self._text_begins(match.after) if cues.takes == "rest" else match.first
            end = min(self.reading.sentence_span(match.first)[1], first + MOST_TEXT_WORDS)
            stop = next((i for i in range(first, end) if self.reading.tokens[i].text in (".", "|")), end)
            stop = match.after if cues.takes == "words" else self._answered(stop)
            counts = self._says_something(first, stop) and self.counts_in(cues, match.first)
            if counts and not self._is_denied_outright(match):
                words, _ = self.reading.quote(first, stop)
                yield Mention(words.strip(), first, stop, match.first)

    def _text_begins(self, index: int) -> int:
        """Past the colon or comma behind what leads to a text."""
        tokens = self.reading.tokens
        while index < len(tokens) and tokens[index].text == ",":
            index += 1
        return index

    def _says_something(self, first: int, after: int) -> bool:
        """A stop or the number of a list's item is no text."""
        return any(token.quantity or token.text.isalpha() for token in self.reading.tokens[first:after])

    def _answered(self, stop: int) -> int:
        """ "Hold aspirin? No, continue aspirin.": a text goes on over what answers or reverses it."""
        tokens = self.reading.tokens
        if stop + 1 >= len(tokens) or tokens[stop].text != ".":
            return stop
        asked = "?" in self.reading.transcript[tokens[stop].start : tokens[stop].end]
        reversed_ = (
            tokens[stop + 1].text in _REVERSES
            and tokens[stop + 2 : stop + 3]
            and (tokens[stop + 1].text != "no" or tokens[stop + 2].text == ",")
        )
        if not (asked or reversed_):
            return stop
        after = self.reading.sentence_span(stop + 1)[1]
        return after - 1 if tokens[after - 1].text == "." else after

    def _under_headings(self, cues: Cues) -> Iterator[Mention]:
        """What stands under a heading, as far as it is one text."""
        for heading in under(self.headings, self.reading, cues.headings) if cues.headings else ():
            first = self._content_begins(heading)
            after = self._content_ends(heading, first)
            if after > first and self._says_something(first, after):
                quote, _ = self.reading.quote(first, after)
                yield Mention(_as_one_text(quote), first, after, first)

    def _content_begins(self, heading: SectionHeading) -> int:
        tokens = self.reading.tokens
        return next((i for i in range(heading.after, heading.end) if tokens[i].text not in _STOPS), heading.end)

    def _content_ends(self, heading: SectionHeading, first: int) -> int:
        """Whole sentences, no more words than one text has."""
        after = heading.end
        while after - first > MOST_LISTED_WORDS:
            after = self.reading.sentence_span(after - 1)[0]
        while after > first and self.reading.tokens[after - 1].text in _STOPS:
            after -= 1
        return after

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


def _number_leads(mention: Mention) -> bool:
    return mention.at == mention.first


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
    how = (field.heard.pick if field.heard else None) or _usual_pick(field, default)
    if how == "any" and field.type == "enum":
        return next((mention for mention in reversed(mentions) if mention.value != NONE_VALUE), mentions[-1])
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
        plain = len(value) > SHORT_VALUE and value.isidentifier() and value not in UNNAMED and not term.short
        own = (value.replace("_", " "),) if plain else ()
        own = own if field.cues is None or field.cues.names else ()
        spoken[value] = (*own, *term.spoken, *term.misheard)
    return spoken


def _all_names(field: FieldSchema) -> dict[str, tuple[str, ...]]:
    """For each allowed value every name: its id and label in words, and its spoken forms."""
    named = {}
    for value, term in field.values.items():
        written = filter(None, (plain_name(value), plain_name(term.label or "")))
        named[value] = tuple(dict.fromkeys((*written, *term.spoken, *term.misheard)))
    return named


def is_common(name: str) -> bool:
    """Whether a value's name is said of anything, or too short to mean one thing."""
    return name in _COMMON_VALUES or len(name) <= SHORT_VALUE or name.isdigit()


def _as_one_text(quote: str) -> str:
    """The items of a list in one line, their numbers left out."""
    return " ".join(_ITEM.sub(" ", quote).split())


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
