"""English words brought to one form, so that a phrase in a schema and a spoken sentence can be compared.

Knows contractions, number words, British spelling and the forms of "to be"; knows nothing of endoscopy.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

_RAW = re.compile(
    r"(?P<item>(?m:^)[ \t]*\d{1,2}[.)](?=\s+\D)|(?<=[:.;]\s)\d{1,2}[.)](?=\s+[A-Z]))"  # a list's number is a stop
    r"|(?P<number>\d{1,3}(?:,\d{3})+(?![\d.])|\d+(?:\.\d+)?|(?<![\w.])\.\d+)"
    r"|(?P<word>[^\W\d_]+(?:['\u2019][^\W\d_]+)?)"
    r"|(?P<dash>(?<=\d)\s?[-\u2013\u2014]\s?(?=\d))"
    r"|(?P<times>[\u00d7+=])"
    r"|(?P<stop>[.?!;]+(?!\d)|\n\s*\n|\n(?=[ \t]*(?:\d{1,2}[.)]\s|[A-Z][^\n:.;?!]{1,60}:)))"
    r"|(?P<comma>,|:(?!\d))"
)

#: Spoken stops, where they stand like one.
_SPOKEN_STOPS = {("full", "stop"): ".", ("new", "paragraph"): ".", ("new", "line"): ".", ("next", "line"): "."}
_SPOKEN_PUNCTUATION = frozenset({"period", "comma", "full", "new", "next"})
_NO_STOP_AFTER = frozenset({
    "a", "an", "the", "this", "that", "each", "any", "his", "her", "one", "long", "short", "brief", "time", "rest",
    "waiting", "observation", "observational", "recovery", "follow", "up", "menstrual", "same", "over", "in", "during",
    "of", "for", "postoperative", "postprocedural", "procedural", "prep", "preparation", "surveillance", "window",
    "latency", "grace", "withdrawal", "extended", "prolonged", "similar", "whole", "entire", "dosing", "interval",
})  # fmt: skip
_NO_STOP_BEFORE = frozenset({"of", "was", "is", "were", "between", "prior", "up", "pain", "pains", "cramps", "time"})

HESITATIONS = frozenset({"uh", "um", "uhm", "er", "erm", "hmm", "ah", "eh"})

#: `appears to be`, `has been` and their like all become `is`.
_TO_BE = frozenset({"is", "are", "was", "were"})
_TO_SEEM = frozenset({"appear", "appears", "appeared", "seem", "seems", "seemed", "look", "looks", "looked"})

#: What begins a form of "to be".
_MAYBE_TO_BE = _TO_BE | _TO_SEEM | {"has", "have", "had"}

#: "I look for a patch" says nothing of how something is.
_LOOKED_WITH = frozenset({"for", "at", "into", "around", "back", "again", "through", "over"})

_CONTRACTIONS = {"'m": "am", "'re": "is", "'ve": "have", "'ll": "will", "'d": "would"}
#: After these an 's is "is"; after any other word it marks possession.
_PRONOUNS = frozenset({"it", "he", "she", "there", "that", "here", "what", "this", "who", "where", "everything", "let"})

_BRITISH = (
    (re.compile(r"^oe(?=soph|dem|str)"), "e"), (re.compile(r"caec"), "cec"), (re.compile(r"haem"), "hem"),
    (re.compile(r"anaes"), "anes"), (re.compile(r"anaem"), "anem"), (re.compile(r"tumour"), "tumor"),
    (re.compile(r"colour"), "color"), (re.compile(r"fibre"), "fiber"), (re.compile(r"coeli"), "celi"),
    (re.compile(r"diarrhoe"), "diarrhe"), (re.compile(r"melaen"), "melen"),
    (re.compile(r"ischaem"), "ischem"), (re.compile(r"paed"), "ped"),
    (re.compile(r"oeuvre"), "euver"), (re.compile(r"litre"), "liter"), (re.compile(r"metre"), "meter"),
    (re.compile(r"^(visual|local|cauter|recogn|stabil|optim|util|steril|normal|minim|mobil)is(?=(e|ed|es|ing)$)"),
     r"\1iz"),
)  # fmt: skip

#: What every word in British spelling holds: most words need no closer look.
_MAYBE_BRITISH = re.compile(r"ae|oe|our|fibre|is(?:e|ing)")

#: From 0 on.
SMALL_NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_UNITS = {word: number for number, word in enumerate(SMALL_NUMBERS)} | {
    "single": 1,
    "couple": 2,
    "nought": 0,
    "twice": 2,
    "thrice": 3,
}
_TENS = {
    word: 10 * number
    for number, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2
    )
} | {"fourty": 40}
_NUMBER_WORDS = _UNITS.keys() | _TENS.keys()

#: By the sign, or by the kind of stop.
_SIGNS = {"\u00d7": "x", "+": "plus", "=": "is", "stop": ".", "item": ".", "comma": ","}


@dataclass(frozen=True, slots=True)
class Token:
    """A word in its plain form, and the characters of the original text that it stands for."""

    text: str
    start: int
    end: int

    @property
    def is_number(self) -> bool:
        return self.text[0].isdecimal()


def plain_words(text: str) -> list[str]:
    """The plain words of a phrase: `0-IIb` is `0 iib`, `wasn't seen` is `is not seen`."""
    return [word.text for word in read_words(text)]


def read_words(text: str) -> list[Token]:
    """Words, numbers, and `.` and `,` for the stops between them; digits and letters that touch come apart."""
    words = _without_hesitations(_with_spoken_stops(_split(text)))
    return _merge_to_be(_merge_numbers(words))


def _split(text: str) -> list[Token]:
    words: list[Token] = []
    for match in _RAW.finditer(text):
        kind, (start, end), said = str(match.lastgroup), match.span(), match.group().lower()
        if kind == "word":
            words += [Token(part, start, end) for part in _expand(said)]
        elif kind == "number":
            number = said.replace(",", "")
            words.append(Token(f"0{number}" if number.startswith(".") else number, start, end))
        else:
            words.append(Token("to" if kind == "dash" else _SIGNS[said if kind == "times" else kind], start, end))
    return words


def _with_spoken_stops(words: list[Token]) -> list[Token]:
    """ "To the cecum period no polyps full stop": words for stops, where no word shows that they mean themselves."""
    said = [word.text for word in words]
    if _SPOKEN_PUNCTUATION.isdisjoint(said):
        return words
    kept: list[Token] = []
    i = 0
    while i < len(words):
        before, following = kept[-1].text if kept else ".", said[i + 1] if i + 1 < len(said) else ""
        stop = _SPOKEN_STOPS.get((said[i], following))
        if stop and before != "a":
            kept.append(Token(stop, words[i].start, words[i + 1].end))
            i += 2
            continue
        is_stop = said[i] == "comma" or (
            said[i] == "period" and kept and before not in _NO_STOP_AFTER and following not in _NO_STOP_BEFORE
        )
        kept.append(replace(words[i], text="," if said[i] == "comma" else ".") if is_stop else words[i])
        i += 1
    return kept


@lru_cache(maxsize=16384)
def _expand(word: str) -> tuple[str, ...]:
    """`can't` is `can not`, `I'm` is `i am`, `Barrett's` is `barrett`; British spelling becomes American."""
    word = word.replace("\u2019", "'")
    if "'" not in word:
        return ("can", "not") if word == "cannot" else (_american(word),)
    if word.endswith("n't"):
        return {"ca": "can", "wo": "will", "sha": "shall"}.get(word[:-3], word[:-3]), "not"
    stem, ending = word[: word.index("'")], word[word.index("'") :]
    if ending in _CONTRACTIONS:
        return stem, _CONTRACTIONS[ending]
    return (stem, "is") if stem in _PRONOUNS and ending == "'s" else (_american(stem),)


def _american(word: str) -> str:
    if not _MAYBE_BRITISH.search(word):
        return word
    for pattern, plain in _BRITISH:
        word = pattern.sub(plain, word)
    return word


def _without_hesitations(words: list[Token]) -> list[Token]:
    """Drop "um" and words said twice running; numbers may well be said twice ("three, three, three")."""
    kept: list[Token] = []
    for word in words:
        if word.text in HESITATIONS:
            continue
        if kept and kept[-1].text == word.text and _stammered(word.text):
            kept[-1] = replace(kept[-1], end=word.end)
            continue
        kept.append(word)
    return kept


def _stammered(word: str) -> bool:
    return word.isalpha() and len(word) > 1 and word not in _UNITS and word not in _TENS


def _merge_numbers(words: list[Token]) -> list[Token]:
    merged: list[Token] = []
    i = 0
    while i < len(words):
        begins = words[i].text
        number, after = _spoken_number(words, i) if begins in _NUMBER_WORDS or begins[0].isdecimal() else (None, i)
        if number is None:
            merged.append(words[i])
            i += 1
        else:
            merged.append(Token(number, words[i].start, words[after - 1].end))
            i = after
    return merged


def _spoken_number(words: list[Token], i: int) -> tuple[str | None, int]:
    """The number that begins at word i, and the index after it; (None, i) when there is none."""
    if words[i].is_number:
        return _fraction(words, words[i].text, i + 1)
    value, after = _below_hundred(words, i)
    if value is None:
        return None, i
    if after < len(words) and words[after].text == "hundred":
        rest, end = _below_hundred(words, after + 2 if _text(words, after + 1) == "and" else after + 1)
        value, after = value * 100 + (rest or 0), end if rest is not None else after + 1
    return _fraction(words, str(value), after)


def _below_hundred(words: list[Token], i: int) -> tuple[int | None, int]:
    said = _text(words, i)
    if said in _UNITS:
        return _UNITS[said], i + 1
    if said not in _TENS:
        return None, i
    unit = _UNITS.get(_text(words, i + 1), 0)
    joined = 0 < unit < 10 and _text(words, i + 1) not in ("single", "couple", "twice", "thrice")
    return (_TENS[said] + unit, i + 2) if joined else (_TENS[said], i + 1)


def _fraction(words: list[Token], whole: str, after: int) -> tuple[str, int]:
    """`six point five` and `six and a half`."""
    if _text(words, after) == "point" and "." not in whole:
        digits = ""
        end = after + 1
        while end < len(words) and (digit := _digit(words[end])) is not None:
            digits, end = digits + digit, end + 1
        if digits:
            return f"{whole}.{digits}", end
    if [_text(words, after + k) for k in range(3)] == ["and", "a", "half"] and "." not in whole:
        return f"{whole}.5", after + 3
    return whole, after


def _digit(word: Token) -> str | None:
    if word.is_number:
        return word.text if word.text.isdigit() else None
    value = _UNITS.get(word.text)
    return str(value) if value is not None and value < 10 else None


def _text(words: list[Token], i: int) -> str:
    return words[i].text if i < len(words) else ""


def _merge_to_be(words: list[Token]) -> list[Token]:
    """`was`, `appears to be`, `has been`, `is being` and `is now being` are all `is`."""
    merged: list[Token] = []
    i = 0
    while i < len(words):
        said, after = words[i].text, i + 1
        if said not in _MAYBE_TO_BE:
            merged.append(words[i])
            i += 1
            continue
        is_verb = said in _TO_BE or (said in _TO_SEEM and not (merged and merged[-1].text in ("normal", "like")))
        is_verb = is_verb and not (said in _TO_SEEM and _text(words, i + 1) in _LOOKED_WITH)
        if said in ("has", "have", "had") and _text(words, i + 1) == "been":
            is_verb, after = True, i + 2
        if not is_verb:
            merged.append(words[i])
            i += 1
            continue
        while _text(words, after) in ("to", "be", "being", "been", "have", "now") and _continues(words, after):
            after += 1
        word = Token("is", words[i].start, words[after - 1].end)
        if merged and merged[-1].text == "is":
            merged[-1] = replace(merged[-1], end=word.end)
        else:
            merged.append(word)
        i = after
    return merged


def _continues(words: list[Token], i: int) -> bool:
    said, following = _text(words, i), _text(words, i + 1)
    needed = {"to": ("be", "have"), "have": ("been",), "now": ("being",)}
    return said not in needed or following in needed[said]
