"""Who the patient is, kept on this machine: names, record numbers, birth dates and hospitals out, placeholders in.

Rules of English and of how dictations begin, without a list of names: what is said where an identifier is said is
taken for one. Works on recognised speech, with and without capitals. It lowers what a language model gets to see; it
is no promise that nothing slips through, and its measured recall stands in docs/EVALUATION.md.
"""

import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from endoscribe.extraction.claims import Claim, OnClaims
from endoscribe.extraction.extractor import Answer, Extractor
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.transcript import Transcript

IdentifierSpan = tuple[int, int, str]  # start, end, kind

MASK = re.compile(r"\[(?:NAME|NUMBER|BIRTH DATE|PLACE) \d+\]")
#: No name is longer, and a search must not run through a whole text for each of its letters.
_WORD = r"[A-Za-z][A-Za-z'\u2019\-]{0,40}"
_DIGIT_WORD = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple|\d)"
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)"
)
_NUMBER_WORD = (
    r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen"
    r"|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand"
    r"|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|\w+teenth|\w+ieth)"
)
_DATE_PART = rf"(?:the|of|and|on|in|,|\.(?=\d)|/|-|{_MONTH}\b\.?|{_NUMBER_WORD}\b|\d+(?:st|nd|rd|th)?)"

#: Words that end a name, or are none.
_NO_NAMES = frozenset({
    "a", "an", "the", "and", "or", "is", "was", "are", "were", "has", "had", "have", "who", "with", "on", "in",
    "at", "to", "of", "for", "from", "by", "as", "this", "that", "these", "those", "here", "today", "we", "i",
    "he", "she", "it", "they", "now", "will", "be", "been", "being", "our", "my", "his", "her", "their", "its",
    "patient", "procedure", "dictating", "performing", "doing", "presenting", "presents", "undergoing",
    "underwent", "aged", "age", "year", "years", "old", "male", "female", "man", "woman", "lady", "gentleman",
    "date", "birth", "born", "medical", "record", "number", "mrn", "hospital", "because", "when", "where",
    "there", "then", "so", "okay", "alright", "um", "uh", "er", "not", "no", "yes", "assisting", "assisted",
    "supervising", "driving", "scope", "colonoscopy", "gastroscopy", "endoscopy", "egd", "ercp", "eus", "test",
    "station", "room", "came", "comes", "coming", "says", "said", "referred", "seen", "also", "but", "about",
    "after", "before", "did", "does", "do", "going", "gave", "took", "plan", "prepared", "speaking", "dictated",
    "reporting", "scoping", "please", "thanks", "thank", "can", "could",
})  # fmt: skip
_TITLES = r"(?:mr|mrs|ms|miss|mister|missus|dr|doctor|prof|professor|sister|nurse|sir|dame)"
_NAMED = (
    r"(?:patient(?:'s|\u2019s)? (?:full )?name(?: is|:|,)?|name of (?:the )?patient(?: is|:)?"
    r"|(?:patient|gentleman|lady|man|woman) (?:is )?(?:called|named)"
    r"|surname(?: is|:)?|first name(?: is|:)?|last name(?: is|:)?|name(?: is|:)"
    r"|referred by|referring physician(?: is|:)?|endoscopist(?: is|:)?|operator(?: is|:)?|assistants?(?: is|:)"
    r"|dictated by|performed by|signed by|attending(?: is|:)|dictating for|next patient(?: is|,)?|my name is)"
)
_NUMBERED = (
    r"(?:medical record(?: number)?|record number|mrn|m\.?r\.? ?a? ?(?:number|no\.?)|mr number|hospital (?:number|id)"
    r"|nhs (?:number|no\.?)|patient (?:id|number|identifier)|chart number|unit number|case number|accession(?: number)?"
    r"|social security(?: number)?|ssn|insurance (?:number|id)|medicare(?: number)?|account number"
    r"|encounter(?: number)?"
    r"|phone(?: number)?|telephone(?: number)?|mobile(?: number)?|date of birth and number)"
)
_BORN = r"(?:date of birth|birth ?date|d\.?o\.?b\.?|born(?: on)?(?: the)?|birthday)"
_PLACES = (
    r"(?:hospital|infirmary|medical cent(?:er|re)|clinic|health cent(?:er|re)|university hospitals?|healthcare"
    r"|health system|nhs trust|endoscopy cent(?:er|re))"
)
#: "the", "an outside", "our": a hospital without a name.
_NO_PLACES = frozenset({
    "outside", "local", "referring", "another", "other", "same", "different", "main", "new", "general",
    "university", "community", "regional", "district", "teaching", "private", "public", "day", "pre-assessment",
    "preassessment", "pain", "gi", "endoscopy", "outpatient", "surgical", "anticoagulation", "follow", "up",
    "liver", "ibd", "fracture", "urgent", "care", "cancer", "surveillance", "screening", "medical", "academic",
    "tertiary", "home",
})  # fmt: skip

_TITLE = re.compile(rf"\b{_TITLES}\b\.?\s+", re.IGNORECASE)
_NAME_SAID = re.compile(rf"\b{_NAMED}\s+", re.IGNORECASE)
_NUMBER_SAID = re.compile(
    rf"\b{_NUMBERED}\b[\s,:#]*(?:(?:is|number|was|of)[\s,:]+)*"
    rf"(?P<id>(?=[\w\s\-]*(?:\d|{_DIGIT_WORD}\b))(?:[A-Za-z]{{1,3}}[\s\-]?)?(?:{_DIGIT_WORD}[\s\-]*){{3,}}[A-Za-z]?\b)",
    re.IGNORECASE,
)
_BIRTH_SAID = re.compile(
    rf"\b{_BORN}\b[\s,:]*(?:(?:is|was|on)[\s,:]+)*(?P<date>{_DATE_PART}(?:[\s,]*{_DATE_PART}){{0,11}})", re.IGNORECASE
)
#: A long run of digits is no measurement.
_LONG_NUMBER = re.compile(r"(?<![\d.])\d(?:[\s\-]?\d){6,}(?![\d.])")
_SPELLED_NUMBER = re.compile(rf"\b{_DIGIT_WORD}(?:[\s\-,]+{_DIGIT_WORD}){{6,}}\b", re.IGNORECASE)
#: "two three four five six seven eight millimetres": sizes one after another, and no number of anybody.
_UNIT = (
    r"(?:mm|cm|ml|cc|mg|mcg|kg|min|sec|percent|per cent|milli(?:meter|metre|liter|litre|gram)s?|centi(?:meter|metre)s?"
    r"|minutes?|seconds?|hours?|days?|weeks?|months?|years?|french|gauge|joules?|degrees?|o'?clock)"
)
_BEFORE_UNIT = re.compile(rf"(?:[\s,\-]*(?:and|or|to|by|x)\s+{_DIGIT_WORD})*[\s,\-]*(?:{_UNIT}\b|%)", re.IGNORECASE)
_LAST_DIGIT = re.compile(rf"[\s\-,]*{_DIGIT_WORD}[\s\-,]*$", re.IGNORECASE)
_EMAIL = re.compile(r"\b[\w.+\-]{1,64}@[\w\-]+(?:\.[\w\-]+)+\b")
_SOCIAL = re.compile(r"\b\d{3}-\d{2}-\d{4}\b")
_PLACE = re.compile(rf"\b(?P<name>(?:{_WORD}\s+){{1,4}})(?P<kind>{_PLACES})\b", re.IGNORECASE)
#: "St. Elsewhere's" and "Saint Luke's" are places wherever they stand.
_SAINT = re.compile(r"\b(?:St\.?|Saint)\s+[A-Z][a-z]+(?:'s|\u2019s)?")
#: "This is Jane Roe, a 65 year old", "Jane Roe is a 65-year-old", "patient Jane Roe".
_PERSON = rf"(?P<person>{_WORD}(?:\s+{_WORD}){{0,2}})"
_AGED = (
    r",?\s+(?:(?:who|she|he)\s+)?(?:is\s+)?(?:an?\s+|aged\s+)?(?:\d{1,3}|\w+(?:ty|teen)\b)[\s\-]*(?:\w+[\s\-]+)?"
    r"(?:year|yo\b|y\.o)"
)
_INTRODUCED = (
    re.compile(rf"\b(?:this is|we have|on|for|patient(?: is)?|next is|with|meet)\s+{_PERSON}{_AGED}", re.IGNORECASE),
    re.compile(r"\b(?P<person>[A-Z][a-z'\u2019]+(?:\s+[A-Z][a-z'\u2019]+){1,2})" + _AGED),
    re.compile(r"\b[Pp]atient\s+(?P<person>[A-Z][a-z'\u2019]+(?:\s+[A-Z][a-z'\u2019]+){1,2})\b"),
)
#: Before a place's name that recognition has written small.
_AT_PLACE = re.compile(r"\b(?:at|from|in|of|to)\s+(?:the\s+)?$", re.IGNORECASE)
AT_PLACE_CHARS = 30
#: Two words with capitals; a comma between them where the surname stands first.
_FULL_NAME = re.compile(r"\b[A-Z][a-z'\u2019\-]{2,}(?:,? [A-Z][a-z'\u2019\-]{2,}){1,2}\b")
_CALENDAR = frozenset({
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "good", "morning",
    "afternoon", "evening", "hello",
})  # fmt: skip
#: Who it is about is said at the beginning.
INTRODUCTION_CHARS = 400
MOST_NAME_WORDS = 3
MOST_NAME_CHARS = 200
#: So many sizes are said one after another, but not more.
MOST_SIZES = 8
#: A name of so many letters is hidden wherever else it is said.
SHORTEST_REPEATED = 4


@dataclass(frozen=True)
class Masked:
    """A text with placeholders, and what stands behind each."""

    text: str
    originals: dict[str, str]

    def restored(self, text: str) -> str:
        """A text that may hold placeholders, with the words that they stand for."""
        for placeholder, original in self.originals.items():
            text = text.replace(placeholder, original)
        return text


def mask(text: str, terms: frozenset[str] = frozenset()) -> Masked:
    """The text with every identifier that the rules know replaced; the same words get the same placeholder.

    `terms` are words of the field, small, that no name has: "boston", "paris".
    """
    spans = _without_overlaps([*_identifiers(text, terms), *_capitalised_names(text, terms)])
    spans = _without_overlaps([*spans, *_repeated_names(text, spans)])
    placeholders: dict[str, str] = {}
    counts: dict[str, int] = {}
    masked, position = "", 0
    for start, end, kind in spans:
        words = text[start:end]
        if words not in placeholders:
            counts[kind] = counts.get(kind, 0) + 1
            placeholders[words] = f"[{kind} {counts[kind]}]"
        masked += text[position:start] + placeholders[words]
        position = end
    return Masked(masked + text[position:], {placeholder: words for words, placeholder in placeholders.items()})


class MaskingExtractor:
    """An `Extractor` that lets another one see the transcript only without its identifiers."""

    def __init__(self, inner: Extractor) -> None:
        self._inner = inner

    @property
    def name(self) -> str:
        return self._inner.name

    def probe(self) -> str | None:
        return self._inner.probe()

    def read(self, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None) -> Answer:
        """What the other one reads, with the identifiers put back into quotes and values."""
        masked = mask(transcript.text, schema.spoken_repairs.known_words)

        def restored(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
            return tuple(_restored(claim, masked) for claim in claims)

        def report(claims: tuple[Claim, ...]) -> None:
            if on_claims:
                on_claims(restored(claims))

        answer = self._inner.read(Transcript(masked.text), schema, report)
        return Answer(restored(answer.claims), answer.bill)


def unmasked(claims: Sequence[Claim], text: str, schema: ProcedureSchema) -> tuple[Claim, ...]:
    """The claims of a reader that saw a text without its identifiers, with the words that were said."""
    if not any(MASK.search(claim.quote) for claim in claims) or MASK.search(text):
        return tuple(claims)
    masked = mask(text, schema.spoken_repairs.known_words)
    return tuple(_restored(claim, masked) for claim in claims)


def _restored(claim: Claim, masked: Masked) -> Claim:
    value = claim.value
    if isinstance(value, str):
        value = masked.restored(value)
    elif isinstance(value, tuple):
        value = tuple(masked.restored(word) for word in value)
    return replace(claim, value=value, quote=masked.restored(claim.quote))


# -- where identifiers are said ---------------------------------------------------------------------------------------


#: What may follow a name in the sentence that introduces somebody: "patient jane roe is a 65 year old".
_AFTER_A_NAME = frozenset({"is", "was", "a", "an"})


def _identifiers(text: str, terms: frozenset[str]) -> Iterator[IdentifierSpan]:
    for match in _TITLE.finditer(text):
        yield from _name_from(text, match.end(), terms)
    for match in _NAME_SAID.finditer(text):
        yield from _name_from(text, match.end(), terms, may_be_listed=True)
    yield from _introduced(text, terms)
    yield from _numbers(text)
    for match in _BIRTH_SAID.finditer(text):
        if re.search(rf"\d|{_MONTH}", match["date"], re.IGNORECASE):
            yield _trimmed(text, match.start("date"), match.end("date"), "BIRTH DATE")
    yield from _places(text)


def _numbers(text: str) -> Iterator[IdentifierSpan]:
    for match in _NUMBER_SAID.finditer(text):
        yield _trimmed(text, match.start("id"), _end_before_size(text, match.start("id"), match.end("id")), "NUMBER")
    for match in (match for pattern in (_LONG_NUMBER, _SPELLED_NUMBER) for match in pattern.finditer(text)):
        end = _end_before_size(text, match.start(), match.end())
        digits = re.findall(r"\d|[a-z]+", text[match.start() : end], re.IGNORECASE)
        if end == match.end() or len(digits) > MOST_SIZES:
            yield _trimmed(text, match.start(), end, "NUMBER")
    for match in (match for pattern in (_SOCIAL, _EMAIL) for match in pattern.finditer(text)):
        yield _trimmed(text, match.start(), match.end(), "NUMBER")


def _end_before_size(text: str, start: int, end: int) -> int:
    """Where a run of digits ends that stands before a unit: its last one is the size of something."""
    if not _BEFORE_UNIT.match(text, end) or not (last := _LAST_DIGIT.search(text, start, end)):
        return end
    return last.start()


def _introduced(text: str, terms: frozenset[str]) -> Iterator[IdentifierSpan]:
    for match in (match for pattern in _INTRODUCED for match in pattern.finditer(text)):
        start, end = match.span("person")
        if set(re.findall(r"\b[a-z]+\b", text[start:end])) & terms:
            continue  # "for endoscopic ampullectomy, a 65 year old"
        for span in _name_from(text, start, terms, end):
            rest = text[span[1] : end].casefold().split()
            if all(word in _AFTER_A_NAME for word in rest):  # "stent placement on" is no name
                yield span


def _capitalised_names(text: str, terms: frozenset[str]) -> Iterator[IdentifierSpan]:
    """ "Rosamund Achebe" and "Achebe, Rosamund" where the speaker introduces whom it is about."""
    small = set(re.findall(r"\b[a-z]+\b", text))
    for match in _FULL_NAME.finditer(text, 0, INTRODUCTION_CHARS):
        words = {word.casefold() for word in re.findall(_WORD, match.group())}
        if not words & (_NO_NAMES | _NO_PLACES | terms | small | _CALENDAR):
            yield match.start(), match.end(), "NAME"


def _name_from(
    text: str, start: int, terms: frozenset[str], end: int | None = None, *, may_be_listed: bool = False
) -> Iterator[IdentifierSpan]:
    """Up to three words from a place on that can be a name; capitals, where the text has any, must go on.

    A word of the field ends a name, unless its capital tells that it belongs to it: "Mrs. Jane Hill". With
    `may_be_listed` the surname may stand first, before a comma: "ROE, JANE".
    """
    last, words, capitals = start, 0, False
    for match in re.finditer(_WORD, text[start : end or start + MOST_NAME_CHARS]):
        gap = text[last : start + match.start()].strip(" ")
        word = match.group()
        if may_be_listed and gap == "," and words == 1 and capitals and _is_forename(word, terms):
            gap = ""
        stops = words == MOST_NAME_WORDS or gap.strip(".") or (words and "." in gap and len(word) > 1)
        is_term = words and not word[0].isupper() and word in terms
        ends = word.casefold().removesuffix("'s") in _NO_NAMES or (capitals and not word[0].isupper())
        if stops or is_term or ends:
            break
        capitals = word[0].isupper()
        last, words = start + match.end(), words + 1
        if word.endswith(("'s", "\u2019s")):
            break
    if words:
        yield start, last, "NAME"


def _is_forename(word: str, terms: frozenset[str]) -> bool:
    return word[0].isupper() and word.casefold() not in _NO_NAMES | _NO_PLACES | _CALENDAR | terms


def _places(text: str) -> Iterator[IdentifierSpan]:
    for match in _PLACE.finditer(text):
        words = [(match.start("name") + word.start(), word.group()) for word in re.finditer(_WORD, match["name"])]
        stops = [index for index, (_, word) in enumerate(words) if word.casefold() in _NO_NAMES]
        named = words[stops[-1] + 1 if stops else 0 :]
        while named and named[0][1].casefold() in _NO_PLACES:
            named = named[1:]
        if named and (
            named[0][1][0].isupper() or _AT_PLACE.search(text, max(0, named[0][0] - AT_PLACE_CHARS), named[0][0])
        ):
            yield named[0][0], match.end(), "PLACE"
    for match in _SAINT.finditer(text):
        yield match.start(), match.end(), "PLACE"


def _repeated_names(text: str, spans: Sequence[IdentifierSpan]) -> Iterator[IdentifierSpan]:
    """Later "Roe's polyp" of somebody introduced as "Mrs. Jane Roe"."""
    words = {
        word
        for start, end, kind in spans
        if kind == "NAME"
        for word in re.findall(_WORD, text[start:end])
        if len(word) >= SHORTEST_REPEATED and word[0].isupper() and not word.isupper()
    }
    for word in sorted(words):
        for match in re.finditer(rf"\b{re.escape(word)}\b", text):
            yield match.start(), match.end(), "NAME"


def _trimmed(text: str, start: int, end: int, kind: str) -> IdentifierSpan:
    """Without the blanks and little words at the end of a match."""
    said = re.sub(r"(?:[\s,.\-]+|\b(?:the|of|and|on|in)\b)+$", "", text[start:end], flags=re.IGNORECASE)
    return start, start + len(said), kind


def _without_overlaps(spans: Sequence[IdentifierSpan]) -> list[IdentifierSpan]:
    """Spans in order; of two that meet the longer one."""
    kept: list[IdentifierSpan] = []
    for span in sorted(spans, key=lambda span: (span[0] - span[1], span[0])):
        place = bisect(kept, span)
        is_free = all(span[1] <= other[0] or span[0] >= other[1] for other in kept[max(0, place - 1) : place + 1])
        if span[0] < span[1] and is_free:
            kept.insert(place, span)
    return kept
