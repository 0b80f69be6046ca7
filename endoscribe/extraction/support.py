"""Whether a value follows from the words that it is said to rest on.

Strict where words decide: a number must stand in the quote, in figures, in words or in another unit. Cautious
elsewhere: a yes, a no or an allowed value is doubted only when the quote plainly says the opposite, because an
experienced reader may conclude more from a sentence than a list of synonyms holds.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, time
from functools import lru_cache
from itertools import pairwise

from rapidfuzz import fuzz

from endoscribe.extraction.quantities import CONVERSIONS, SCHEMA_UNITS, SPOKEN_UNITS
from endoscribe.extraction.quotes import NEGATIONS
from endoscribe.extraction.values import plain_phrase, sure_phrases, term_phrases
from endoscribe.procedures.expressions import Value
from endoscribe.procedures.phrases import compile_phrase
from endoscribe.procedures.schema import FieldSchema
from endoscribe.procedures.wording import PlainWord, plain_words

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
CLAUSE_WORDS = frozenset({".", "but", "is", "with", "has", "have", "had", "however"})
MAX_NEGATED_LIST_WORDS = 8
#: A term of one letter or Roman numeral I is also an article or a pronoun: its mention proves nothing.
MIN_TERM_CHARS = 2

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MIN_CONTENT_CHARS = 4
STEM_CHARS = 4
#: Percent of letters in common from which a word is taken for one that was misheard ("cecilile" for sessile is 53).
MIN_TOPIC_LIKENESS = 65
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


def find_objection(value: Value, field: FieldSchema, words: Sequence[PlainWord], first: int, after: int) -> str | None:
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

    def __init__(self, words: Sequence[PlainWord], first: int, after: int) -> None:
        self.all = [word.text for word in words]
        self.first = first
        self.after = after

    @property
    def texts(self) -> list[str]:
        return self.all[self.first : self.after]

    def mentions(self, phrases: Iterable[str]) -> list[tuple[int, int]]:
        """Where in `all` one of the phrases stands in the quote, as [begin, end); the longest of nested ones."""
        found = {span for phrase in phrases for span in self._mentions(phrase)}
        return [
            (begin, end)
            for begin, end in sorted(found)
            if not any(b <= begin and end <= e and (b, e) != (begin, end) for b, e in found)
        ]

    def _mentions(self, phrase: str) -> Iterator[tuple[int, int]]:
        wanted = phrase.split()
        for begin in range(self.first, self.after - len(wanted) + 1):
            if wanted and self.all[begin : begin + len(wanted)] == wanted:
                yield begin, begin + len(wanted)

    def denies(self, begin: int, end: int) -> bool:
        """Whether the mention at [begin, end) is plainly denied, before it or after it."""
        return self._denied_before(begin) or self._denied_after(end)

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
        following = [*self.all[end : end + 3], ".", ".", "."][:3]
        if following[0] != "is":
            return False
        if following[1] in ("absent", "negative"):
            return True
        return following[1] == "not" and (following[2] in PRESENCE_WORDS or following[2] in ".,")


# -- numbers ---------------------------------------------------------------------------------------------------------


def _number_objection(value: Value, field: FieldSchema, words: Sequence[PlainWord]) -> str | None:
    number = float(value) if isinstance(value, int | float) else 0.0
    if any(abs(number - candidate) <= tolerance for candidate, tolerance in _numbers(words, field.unit)):
        return None
    if field.type == "integer" and _counts(number, words):
        return None
    return f"The words do not hold the number {number:g}."


def _numbers(words: Sequence[PlainWord], unit: str | None) -> Iterator[tuple[float, float]]:
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
        if own is None or wanted not in known or own == wanted:
            yield number, NUMBER_TOLERANCE
        elif (own, wanted) in CONVERSIONS:
            yield _converted(number, own, wanted)
        if own is None:
            yield from _before_shared_unit(words, index, number, wanted)


def _converted(number: float, unit: str, wanted: str) -> tuple[float, float]:
    converted = number * CONVERSIONS[unit, wanted]
    return converted, max(NUMBER_TOLERANCE, CONVERSION_TOLERANCE * abs(converted))


def _number_of(words: Sequence[PlainWord], index: int) -> float | None:
    text = words[index].text
    if words[index].is_number:
        return float(text)
    if text in HOMOPHONES:
        ends = index + 1 == len(words) or words[index + 1].text in ".,"
        return float(HOMOPHONES[text]) if index > 0 and (ends or _unit_after(words, index + 1)) else None
    return float(WORD_NUMBERS[text]) if text in WORD_NUMBERS else None


def _unit_after(words: Sequence[PlainWord], index: int) -> str | None:
    """The unit of a number that ends before `index`; "half a centimeter" has an article in between."""
    if index < len(words) and words[index].text in ("a", "an"):
        index += 1
    if index >= len(words):
        return None
    return next((unit for unit, pattern in SPOKEN_UNITS if pattern.match(words[index].text)), None)


def _before_shared_unit(
    words: Sequence[PlainWord], index: int, number: float, wanted: str
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


def names_one_thing(words: Sequence[PlainWord]) -> bool:
    """Whether a quote can stand for one thing, as "stent" or "the polyp" does: no number of things, nothing of many."""
    return bool(words) and not _bare_numbers(words) and not any(word.text in MANY_WORDS for word in words)


def _counts(number: float, words: Sequence[PlainWord]) -> bool:
    """Whether a count follows without its number: none denied, a single thing, several things told one by one."""
    texts = {word.text for word in words}
    bare = _bare_numbers(words)
    if number == 0:
        return bool(texts & DENYING_WORDS)
    if number == 1:
        return bool(texts & SINGULAR_WORDS) and not bare
    measured = sum(word.is_number for word in words) - len(bare)
    return number == sum(bare) or number == measured


def _bare_numbers(words: Sequence[PlainWord]) -> list[float]:
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
    phrases = {plain_phrase(field.label), plain_phrase(field.id)}
    mentions = said.mentions(phrases)
    if not mentions:
        return None if _speaks_of(field, said) else "The words do not speak of it."
    if value:
        return "The words deny it." if all(said.denies(*mention) for mention in mentions) else None
    texts = set(said.texts)
    affirmed = texts & PRESENCE_WORDS and not texts & DENYING_WORDS and not any(said.denies(*m) for m in mentions)
    return "The words affirm it." if affirmed else None


def _speaks_of(field: FieldSchema, said: _Said) -> bool:
    """Whether a longer word in or around the quote is, or sounds like, one of the words for the field.

    A speaker names the organ and then says "normal" a sentence later: the topic is looked for further back.
    """
    quoted = " ".join(said.texts)
    if field.cues and any(compile_phrase(phrase).pattern.search(quoted) for phrase in field.cues.said):
        return True
    topic = _topic_words(field)
    around = said.all[max(0, said.first - TOPIC_WORDS_BEFORE) : said.after + TOPIC_WORDS_AFTER]
    heard = {word for word in around if len(word) >= MIN_CONTENT_CHARS and word not in EMPTY_WORDS}
    if {word[:STEM_CHARS] for word in heard} & {word[:STEM_CHARS] for word in topic}:
        return True
    return any(fuzz.ratio(word, other) >= MIN_TOPIC_LIKENESS for word in heard for other in topic)


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
    own = said.mentions(term_phrases(field, value))
    if own:
        denied = all(said.denies(*mention) for mention in own)
        return f"The words deny {field.value_label(value)!r}." if denied else None
    others = {other for other in field.values if other != value and _affirms(other, field, said)}
    if not others or _may_be_misheard(value, said):
        return None
    return f"The words say {field.value_label(min(others))!r}."


def _words_objection(value: Value, field: FieldSchema, said: _Said) -> str | None:
    for word in value if isinstance(value, tuple) else ():
        mentions = said.mentions(term_phrases(field, word))
        if mentions and all(said.denies(*mention) for mention in mentions):
            return f"The words deny {field.value_label(word)!r}."
    return None


def _affirms(word: str, field: FieldSchema, said: _Said) -> bool:
    """Whether the quote names this allowed value without denying it; terms too short to be sure of do not count."""
    mentions = said.mentions(
        phrase for phrase in sure_phrases(field, word) if len(phrase) >= MIN_TERM_CHARS or phrase.isdecimal()
    )
    return bool(mentions) and not any(said.denies(*mention) for mention in mentions)


def _may_be_misheard(value: str, said: _Said) -> bool:
    """A value that is a number may stand in the text as its homophone: "NICE to"."""
    return any(value.startswith(str(HOMOPHONES[text])) for text in said.texts if text in HOMOPHONES)


# -- dates, times, text ----------------------------------------------------------------------------------------------


def _calendar_objection(value: str, field: FieldSchema, words: Sequence[PlainWord]) -> str | None:
    numbers = [
        int(digits) for word in words for digits in re.findall(r"\d+", str(WORD_NUMBERS.get(word.text, word.text)))
    ]
    numbers += [tens + unit for tens, unit in pairwise(numbers) if tens in (20, 30) and unit < 10]
    if field.type == "time":
        return None if _says_time(time.fromisoformat(value), numbers) else "The words do not hold this time."
    day = date.fromisoformat(value)
    months = {MONTHS.index(word.text[:3]) + 1 for word in words if word.text[:3] in MONTHS}
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


def _text_objection(value: str, words: Sequence[PlainWord]) -> str | None:
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
