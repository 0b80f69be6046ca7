"""Whether a value follows from the words that it is said to rest on.

A number must stand in the quote, in figures, in words or in another unit; an allowed value must be named there, as it
is spoken or misheard, and not be denied; a yes must speak of its field without denying it, and a no must deny it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence, Set
from datetime import date, time
from functools import lru_cache
from itertools import pairwise

from rapidfuzz import fuzz

from endoscribe.extraction.reading.quantities import CONVERSIONS, SCHEMA_UNITS, SPOKEN_UNITS
from endoscribe.extraction.verification.quotes import NEGATIONS
from endoscribe.extraction.verification.values import HEADING_WORDS, plain_phrase
from endoscribe.procedures.expressions import Value
from endoscribe.procedures.normalize import Token, plain_words
from endoscribe.procedures.phrases import compile_phrase
from endoscribe.procedures.schema import FieldSchema

#: The words [first, after) of a transcript.
TokenSpan = tuple[int, int]

#: Difference that two ways of writing the same number may leave.
NUMBER_TOLERANCE = 0.005
#: Relative difference that a unit conversion may leave (25.4 mm said as one inch and written as 25).
CONVERSION_TOLERANCE = 0.02
WORD_NUMBERS = {
    "another": 1, "once": 1, "solitary": 1, "first": 1, "both": 2, "pair": 2, "twice": 2, "second": 2, "third": 3,
    "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11,
    "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "sixteenth": 16, "seventeenth": 17,
    "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30, "dozen": 12,
    "o": 0, "oh": 0, "nil": 0, "half": 0.5,
}  # fmt: skip
#: Recognisers write these for 2, 4, 8 and 1; believed only where a number would stand: at the end or before a unit.
HOMOPHONES = {"to": 2, "too": 2, "for": 4, "ate": 8, "won": 1}
SINGULAR_WORDS = frozenset({"a", "an", "another", "one", "single", "the", "this"})
MANY_WORDS = frozenset({"few", "many", "multiple", "numerous", "several", "some", "no", "not", "without"})
DENYING_WORDS = NEGATIONS | {"normal", "unremarkable", "clear", "free", "absence", "zero", "nil"}
PERIOD_WORDS = {"annual": "year", "annually": "year", "yearly": "year", "monthly": "month", "weekly": "week"}

DIRECT_NEGATIONS = frozenset({"no", "not", "without", "never", "nor", "neither"})
#: What may stand between a negation and the thing that it denies.
NEGATION_FILLERS = frozenset(
    {"a", "an", "the", "any", "evidence", "sign", "signs", "of", "obvious", "visible", "definite", "clear", "other"}
)
#: "X was not ..." denies X itself only with one of these, or with nothing after it.
PRESENCE_WORDS = frozenset(
    {"seen", "present", "identified", "noted", "observed", "found", "visualized", "performed", "done", "taken",
     "placed", "used", "given", "detected", "encountered", "obtained"}
)  # fmt: skip
DONE_WORDS = frozenset(
    {"possible", "attempted", "intubated", "entered", "reached", "achieved", "successful", "examined", "necessary",
     "needed", "required", "visible", "adequate", "complete", "retrieved"}
)  # fmt: skip
AUXILIARIES = frozenset({"is", "could", "can", "has", "had", "have"})
#: What an allowed thing or act may be called that was not there, not done or not good.
FAILING_WORDS = frozenset(
    {"poor", "poorly", "inadequate", "inadequately", "insufficient", "unsatisfactory", "suboptimal", "incomplete",
     "unable", "failed", "unsuccessful", "declined", "refused", "deferred", "omitted", "skipped", "lack", "lacking",
     "lacks", "impossible", "nothing", "lost", "cannot"}
)  # fmt: skip
#: Words for a topic without a finding.
NEARLY = frozenset({"mostly", "largely", "nearly", "almost", "relatively", "partially"})
SOUND_WORDS = frozenset({"normal", "unremarkable", "healthy", "clear", "intact", "fine"})
#: Words of the same sentence before a quote, in which a negation still concerns it.
NEGATION_REACH = 6
#: Words around a yes-or-no thing in its sentence, in which a negation may concern it.
SENTENCE_REACH = 14
#: Words before and after a quote, in which the name of its field makes a short form of a value sure.
NAME_REACH = 8
#: Longest name of a value that means nothing without its field's: "2", "IV", "2a".
SHORT_NAME_CHARS = 2
CLAUSE_WORDS = frozenset({".", "but", "is", "with", "has", "have", "had", "however"})
MAX_NEGATED_LIST_WORDS = 8

MONTH_ABBREVIATIONS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MIN_CONTENT_CHARS = 4
STEM_CHARS = 4
#: Percent of letters in common from which a word is taken for one that was misheard ("cecilile" for sessile is 53).
MIN_TOPIC_LIKENESS = 65
#: Percent from which a word is taken for one of an allowed value: "perforation" and "preparation" have 73 in common.
MIN_WORD_LIKENESS = 75
TOPIC_WORDS_BEFORE = 60
TOPIC_WORDS_AFTER = 10
#: Longer words that tell nothing about the topic.
EMPTY_WORDS = PRESENCE_WORDS | {
    "about", "abnormal", "after", "also", "appear", "appears", "been", "from", "have", "here", "normal", "only", "over",
    "said", "stated", "that", "their", "then", "there", "these", "this", "true", "false", "unremarkable", "very",
    "well", "were", "what", "when", "where", "which", "while", "with", "within", "without", "word", "words", "empty",
}  # fmt: skip
#: Share of a text's longer words that its quote must hold.
MIN_TEXT_OVERLAP = 0.5


def find_objection(value: Value, field: FieldSchema, words: Sequence[Token], first: int, after: int) -> str | None:
    """Why the value does not follow from words[first:after], as a sentence; None when it may.

    `words` are those of the whole transcript: a negation just before the quote counts.
    """
    match field.type:
        case "integer" | "number":
            return _number_objection(value, field, words[first:after])
        case "boolean":
            return _truth_objection(bool(value), field, _Said(words, first, after))
        case "enum":
            return _word_objection(str(value), field, _Said(words, first, after))
        case "date" | "time":
            return _calendar_objection(str(value), field, words[first:after])
        case "multi":
            return _words_objection(value, field, _Said(words, first, after))
    return _text_objection(str(value), words[first:after])


class _Said:
    """The quote's plain words and their surroundings, for finding phrases in them."""

    def __init__(self, words: Sequence[Token], first: int, after: int) -> None:
        self.all = [word.text for word in words]
        self.first = first
        self.after = after

    @classmethod
    def of(cls, texts: Sequence[str], first: int, after: int) -> "_Said":
        return cls([Token(text, 0, 0) for text in texts], first, after)

    @property
    def texts(self) -> list[str]:
        return self.all[self.first : self.after]

    def matches(self, phrases: Iterable[str]) -> list[TokenSpan]:
        """Where in `all` one of the phrases, in the language of cues, stands in the quote; the longest of nested."""
        quoted = " ".join(self.texts)
        found = set()
        for phrase in phrases:
            for match in compile_phrase(phrase).pattern.finditer(quoted):
                if match.start() == 0 or quoted[match.start() - 1] == " ":
                    first = self.first + quoted.count(" ", 0, match.start())
                    found.add((first, first + match.group().count(" ") + 1))
        return [
            (begin, end)
            for begin, end in sorted(found)
            if not any(b <= begin and end <= e and (b, e) != (begin, end) for b, e in found)
        ]

    def sounds_of(self, phrase: str) -> TokenSpan | None:
        """Where the quote holds every word of a phrase, each as it is or misheard, in any order."""
        places = [self._place_of(word) for word in plain_phrase(phrase).split()] if phrase.isascii() else []
        found = [place for place in places if place is not None]
        return (min(found), max(found) + 1) if found and len(found) == len(places) else None

    def _place_of(self, word: str) -> int | None:
        least = MIN_WORD_LIKENESS if len(word) >= MIN_CONTENT_CHARS else 100
        likeness = [fuzz.ratio(word, text) for text in self.texts]
        best = max(likeness, default=0)
        return self.first + likeness.index(best) if best >= least else None

    def has(self, words: Set[str], before: int = 0) -> bool:
        """Whether one of the words stands in the quote, or among the words before it in its sentence."""
        begin = self.first
        while begin > max(0, self.first - before) and self.all[begin - 1] != ".":
            begin -= 1
        return not words.isdisjoint(self.all[begin : self.after])

    def denies(self, begin: int, end: int) -> bool:
        """Whether the mention at [begin, end) is plainly denied, before it or after it."""
        return self._denied_before(begin) or self._denied_after(end)

    def may_deny(self, begin: int, end: int) -> bool:
        """Whether any denying word of the same sentence can concern the mention; "no" only when it stands before it."""
        before = self.all[max(0, begin - SENTENCE_REACH) : begin]
        after = self.all[begin : end + SENTENCE_REACH]
        stop = after.index(".") if "." in after else len(after)
        if "." in before:
            before = before[len(before) - before[::-1].index(".") :]
        denying = NEGATIONS | FAILING_WORDS | {"free", "absence", "clear", "zero", "nil", "nothing"}
        return not denying.isdisjoint(before) or not (denying - {"no", "without", "non"}).isdisjoint(after[:stop])

    def _denied_before(self, begin: int) -> bool:
        at = begin - 1
        while at >= 0 and self.all[at] in NEGATION_FILLERS:
            at -= 1
        if at >= 0 and self.all[at] in DIRECT_NEGATIONS:
            return True
        return at >= 0 and self.all[at] == "or" and self._list_is_negated(at)

    def _list_is_negated(self, at: int) -> bool:
        """ "no masses, ulcers or polyps": the negation at the head of a list reaches its last member."""
        for back in range(at - 1, max(-1, at - 1 - MAX_NEGATED_LIST_WORDS), -1):
            if self.all[back] in CLAUSE_WORDS:
                return False
            if self.all[back] in ("no", "without"):
                return True
        return False

    def _denied_after(self, end: int) -> bool:
        following = [*self.all[end : end + 4], ".", ".", ".", "."][:4]
        if following[0] not in AUXILIARIES:
            return False
        if following[1] in ("absent", "negative"):
            return True
        said = following[3] if following[2] in ("be", "been", "is") else following[2]
        return following[1] == "not" and (said in PRESENCE_WORDS | DONE_WORDS or said in ".,")


# -- numbers ---------------------------------------------------------------------------------------------------------


def _number_objection(value: Value, field: FieldSchema, words: Sequence[Token]) -> str | None:
    number = float(value) if isinstance(value, int | float) else 0.0
    if any(abs(number - candidate) <= tolerance for candidate, tolerance in _numbers(words, field.unit)):
        return None
    if field.type == "integer" and _counts(number, words):
        return None
    return f"The words do not hold the number {number:g}."


def _numbers(words: Sequence[Token], unit: str | None) -> Iterator[tuple[float, float]]:
    """Every number that the words can mean in `unit`, with its tolerance; one in a unit that does not fit is none."""
    wanted = SCHEMA_UNITS.get(unit or "", unit or "")
    known = {unit for unit, _ in SPOKEN_UNITS}
    for index, word in enumerate(words):
        number = _number_of(words, index)
        own = PERIOD_WORDS.get(word.text) or _unit_after(words, index + 1)
        if number is None:
            number = 1.0 if word.text in PERIOD_WORDS or (word.text in ("a", "an", "every", "next") and own) else None
        if number is None:
            continue
        if own == wanted == "min" and (whole := _minutes_and_seconds(words, index, number)):
            yield whole, NUMBER_TOLERANCE
        if own is None or wanted not in known or own == wanted:
            yield number, NUMBER_TOLERANCE
        elif (own, wanted) in CONVERSIONS:
            yield _converted(number, own, wanted)
        if own is None:
            yield from _before_shared_unit(words, index, number, wanted)


def _minutes_and_seconds(words: Sequence[Token], index: int, minutes: float) -> float | None:
    """The minutes of "14 minutes and 30 seconds", from the index of its first number."""
    later = index + 2 + (index + 2 < len(words) and words[index + 2].text == "and")
    if later + 1 >= len(words) or not words[later].is_number or not words[later + 1].text.startswith("sec"):
        return None
    return round(minutes + float(words[later].text) / 60, 4)


def _converted(number: float, unit: str, wanted: str) -> tuple[float, float]:
    converted = number * CONVERSIONS[unit, wanted]
    return converted, max(NUMBER_TOLERANCE, CONVERSION_TOLERANCE * abs(converted))


def _number_of(words: Sequence[Token], index: int) -> float | None:
    text = words[index].text
    if words[index].is_number:
        return float(text)
    if text in HOMOPHONES:
        ends = index + 1 == len(words) or words[index + 1].text in ".,"
        return float(HOMOPHONES[text]) if index > 0 and (ends or _unit_after(words, index + 1)) else None
    return float(WORD_NUMBERS[text]) if text in WORD_NUMBERS else None


def _unit_after(words: Sequence[Token], index: int) -> str | None:
    """The unit of a number that ends before `index`; "half a centimeter" has an article in between."""
    if index < len(words) and words[index].text in ("a", "an"):
        index += 1
    if index >= len(words):
        return None
    return next((unit for unit, pattern in SPOKEN_UNITS if pattern.match(words[index].text)), None)


def _before_shared_unit(
    words: Sequence[Token], index: int, number: float, wanted: str
) -> Iterator[tuple[float, float]]:
    """In "two by three centimeters" and "3, 4 and 6 cm" the unit stands once, after the last number."""
    for later in range(index + 1, min(len(words), index + 10)):
        if not words[later].is_number and words[later].text not in ("to", "by", "x", "and", ",", "or"):
            return
        unit = _unit_after(words, later + 1) if words[later].is_number else None
        if unit:
            if (unit, wanted) in CONVERSIONS:
                yield _converted(number, unit, wanted)
            return


def names_one_thing(words: Sequence[Token]) -> bool:
    """Whether a quote can stand for one thing, as "stent" or "the polyp" does: no number of things, nothing of many."""
    return bool(words) and not _bare_numbers(words) and not any(word.text in MANY_WORDS for word in words)


def _counts(number: float, words: Sequence[Token]) -> bool:
    """Whether a count follows without its number: none denied, a single thing, several things told one by one."""
    texts = {word.text for word in words}
    bare = _bare_numbers(words)
    if number == 0:
        return bool(texts & DENYING_WORDS)
    if number == 1:
        return bool(texts & SINGULAR_WORDS) and not bare
    measured = sum(word.is_number for word in words) - len(bare)
    return number == sum(bare) or number == measured


def _bare_numbers(words: Sequence[Token]) -> list[float]:
    """Numbers that can count things: without a unit, and not "a 20" with a unit that was misheard."""
    return [
        float(word.text)
        for index, word in enumerate(words)
        if word.is_number
        and not _unit_after(words, index + 1)
        and not (index > 0 and words[index - 1].text in ("a", "an", "another"))
    ]


# -- yes and no, allowed values --------------------------------------------------------------------------------------


def _truth_objection(value: bool, field: FieldSchema, said: _Said) -> str | None:
    said_for = said.matches(_name_forms(field))
    if not said_for and not _speaks_of(field, said):
        return "The words do not speak of it."
    denies = bool(field.cues and said.matches(field.cues.denied))
    if value:
        return _yes_objection(field, said, said_for, denies=denies)
    return None if denies else _no_objection(field, said, said_for)


def _yes_objection(field: FieldSchema, said: _Said, said_for: Sequence[TokenSpan], *, denies: bool) -> str | None:
    if said_for:
        return "The words deny it." if all(said.denies(*span) for span in said_for) else None
    if field.cues and field.cues.normal:
        finds = any(not said.denies(*span) for span in said.matches(field.cues.abnormal))
        return "The words tell of something abnormal." if finds and not said.has(SOUND_WORDS | NEGATIONS) else None
    topic = _topic_words(field)
    spans = [(at, at + 1) for at in range(said.first, said.after) if _sounds_like_any(said.all[at], topic)]
    return "The words deny it." if denies or any(said.denies(*span) for span in spans) else None


def _no_objection(field: FieldSchema, said: _Said, said_for: Sequence[TokenSpan]) -> str | None:
    if field.cues and field.cues.normal:
        finds = said.matches((*field.cues.abnormal, "abnormal*"))
        return None if finds or said.has(NEGATIONS | NEARLY) else "The words do not tell of anything abnormal."
    if said_for:
        return None if any(said.may_deny(*span) for span in said_for) else "The words affirm it."
    return None if said.has(DENYING_WORDS | FAILING_WORDS, NEGATION_REACH) else "The words do not deny it."


def _name_forms(field: FieldSchema) -> tuple[str, ...]:
    """Phrases that name the field: its label, its id, and what the offline reader listens for."""
    return (
        *filter(None, (plain_phrase(field.label), plain_phrase(field.id))),
        *(field.cues.said if field.cues else ()),
    )


def _speaks_of(field: FieldSchema, said: _Said) -> bool:
    """Whether a longer word in or around the quote is, or sounds like, one of the words for the field.

    A speaker names the organ and then says "normal" a sentence later: the topic is looked for further back.
    """
    topic = _topic_words(field)
    around = said.all[max(0, said.first - TOPIC_WORDS_BEFORE) : said.after + TOPIC_WORDS_AFTER]
    heard = {word for word in around if len(word) >= MIN_CONTENT_CHARS and word not in EMPTY_WORDS}
    if {word[:STEM_CHARS] for word in heard} & {word[:STEM_CHARS] for word in topic}:
        return True
    return any(_sounds_like_any(word, topic) for word in heard)


def _sounds_like_any(word: str, others: Iterable[str]) -> bool:
    return len(word) >= MIN_CONTENT_CHARS and any(fuzz.ratio(word, other) >= MIN_TOPIC_LIKENESS for other in others)


def _topic_words(field: FieldSchema) -> frozenset[str]:
    """The longer words of a field's label, id and guide, and of what the offline reader listens for."""
    cues = field.cues
    listened = (*cues.said, *cues.denied, *cues.normal, *cues.abnormal, *cues.about) if cues else ()
    return _longer_words(" ".join((field.label, field.id, field.guide or "", *listened)))


@lru_cache(maxsize=1024)
def _longer_words(text: str) -> frozenset[str]:
    words = re.findall(rf"[a-z]{{{MIN_CONTENT_CHARS},}}", text.casefold().replace("_", " "))
    return frozenset(words) - EMPTY_WORDS


def _word_objection(value: str, field: FieldSchema, said: _Said) -> str | None:
    named = said.matches(_sure_forms(field, value))
    if not named and (others := _affirmed(field, said) - {value}) and not _named_beside_field(value, field, said):
        return f"The words say {field.value_label(min(others))!r}."
    return _naming_objection(value, field, said)


def _words_objection(value: Value, field: FieldSchema, said: _Said) -> str | None:
    objections = (_naming_objection(word, field, said) for word in value) if isinstance(value, tuple) else ()
    return next(filter(None, objections), None)


def _naming_objection(value: str, field: FieldSchema, said: _Said) -> str | None:
    """Why the quote does not name an allowed value; None when it does, in any of its forms, and does not deny it."""
    named = said.matches(_sure_forms(field, value)) or _named_beside_field(value, field, said)
    named = named or [span for form in _sure_forms(field, value) if (span := said.sounds_of(form))]
    if named:
        denied = all(said.denies(*span) for span in named)
        return f"The words deny {field.value_label(value)!r}." if denied else None
    if _is_denial(value, field) and said.has(DENYING_WORDS, NEGATION_REACH):
        others = [form for other in field.values if other != value for form in _sure_forms(field, other)]
        if said.matches(others) or _speaks_of(field, said):
            return None
    return f"The words do not say {field.value_label(value)!r}."


def _sure_forms(field: FieldSchema, value: str) -> tuple[str, ...]:
    """Phrases that name an allowed value wherever they stand; a name as short as "2" or "B" needs its field's."""
    term = field.values[value]
    names = (plain_phrase(name) for name in (value, term.label or value))
    return (*(name for name in names if len(name) > SHORT_NAME_CHARS), *term.spoken, *term.misheard)


def _named_beside_field(value: str, field: FieldSchema, said: _Said) -> list[TokenSpan]:
    """Where a short form stands in a quote that names the field, or that follows its name: "NICE to", "LA grade B"."""
    if not _is_field_named(field, said):
        return []
    names = [plain_phrase(name) for name in (value, field.value_label(value))]
    spans = said.matches((*filter(None, names), *field.values[value].short))
    heard = enumerate(said.texts, start=said.first)
    return spans or [(at, at + 1) for at, text in heard if value.startswith(str(HOMOPHONES.get(text, "\0")))]


def _is_field_named(field: FieldSchema, said: _Said) -> bool:
    near = _Said.of(said.all, max(0, said.first - NAME_REACH), min(len(said.all), said.after + NAME_REACH))
    words = {*plain_phrase(field.label).split(), *plain_phrase(field.id).split()} - HEADING_WORDS
    return bool(words & set(near.texts)) or bool(near.matches(_name_forms(field))) or _speaks_of(field, near)


def _is_denial(value: str, field: FieldSchema) -> bool:
    """Whether an allowed value says that there is nothing: "none" follows from "no complications"."""
    return bool({*plain_phrase(value).split(), *plain_phrase(field.value_label(value)).split()} & DENYING_WORDS)


def _affirmed(field: FieldSchema, said: _Said) -> set[str]:
    """The allowed values that the quote names without denying them."""
    return {
        value
        for value in field.values
        if any(not said.denies(*span) for span in said.matches(_sure_forms(field, value)))
    }


# -- dates, times, text ----------------------------------------------------------------------------------------------


def _calendar_objection(value: str, field: FieldSchema, words: Sequence[Token]) -> str | None:
    numbers = [
        int(digits) for word in words for digits in re.findall(r"\d+", str(WORD_NUMBERS.get(word.text, word.text)))
    ]
    numbers += [tens + unit for tens, unit in pairwise(numbers) if tens in (20, 30) and unit < 10]
    if field.type == "time":
        return None if _says_time(time.fromisoformat(value), numbers) else "The words do not hold this time."
    day = date.fromisoformat(value)
    months = {MONTH_ABBREVIATIONS.index(word.text[:3]) + 1 for word in words if word.text[:3] in MONTH_ABBREVIATIONS}
    if day.day not in numbers or (months and day.month not in months) or not (months or day.month in numbers):
        return "The words do not hold this date."
    return None if _says_year(day.year, numbers) else "The words do not hold the year."


def _says_time(moment: time, numbers: Sequence[int]) -> bool:
    hours = {moment.hour, moment.hour % 12 or 12}
    if any(hour * 100 + moment.minute in numbers for hour in hours):
        return True
    return bool(hours & set(numbers)) and (moment.minute == 0 or moment.minute in numbers)


def _says_year(year: int, numbers: Sequence[int]) -> bool:
    """The year in full, in two digits, or as spoken in two halves ("nineteen eighty four", "twenty twenty four")."""
    halves = (year // 100, year % 100)
    return year in numbers or year % 100 in numbers or any(pair == halves for pair in pairwise(numbers))


def _text_objection(value: str, words: Sequence[Token]) -> str | None:
    """A free text may be worded anew, but holds no number of its own and mostly words of its quote."""
    spoken = {word.text for word in words}
    written = plain_words(value)
    numbers = {word for word in written if word[0].isdecimal()}
    if numbers - spoken:
        return f"The words do not hold the number {min(numbers - spoken)}."
    content = {word[:STEM_CHARS] for word in written if len(word) >= MIN_CONTENT_CHARS}
    stems = {word[:STEM_CHARS] for word in spoken}
    if len(content & stems) < MIN_TEXT_OVERLAP * len(content):
        return "The text says more than the words that it rests on."
    return None
