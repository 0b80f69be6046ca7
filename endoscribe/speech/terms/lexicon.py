"""Puts a procedure's mis-heard terms right in recognised words, and keeps what was heard beside what was meant.

This text is shown, quoted and kept, so the pass is conservative. A word that an English dictionary knows is never
touched by likeness, however strange it looks in its place; only a word that is no word, heard without confidence, may
become the one term that sounds like it. Listed mis-hearings are put right where they cannot be ordinary English: when
they hold a word that is none, or stand beside a word of the procedure.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from rapidfuzz import fuzz, process

from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.repairs import is_opposite
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.speech.terms.classes import ClassNames
from endoscribe.speech.terms.respelling import is_one_phrase, respelled
from endoscribe.transcript import Word

#: A term is taken to be meant when its sound is this much like what was heard, in per cent (rapidfuzz' ratio), and no
#: other term comes near; set so that the mis-hearings in tests/speech/test_lexicon.py are put right and
#: its English is not.
MIN_SOUND_LIKENESS = 76
CLEARLY_BEST_BY = 5
#: How much the sound of a term of another procedure must be like what was heard.
LIKENESS_ELSEWHERE = 84
#: How much a term's letters must be like what was heard, in per cent: short words sound alike easily ("orphus",
#: "Paris").
LETTER_LIKENESS = 62
#: How much the letters of a term of one word must be like it: "deberticule" is no diverticulosis.
LETTER_LIKENESS_OF_ONE = 66
#: A term of more words than were heard would add something that was not said, unless words only ran together.
LIKENESS_TO_MORE_WORDS = 90
SHORTEST_SOUND = 5
#: A word of a term of several is put right alone when it is this long.
SHORTEST_PART = 7
LONGEST_SPAN = 3
#: Of an unlisted mis-hearing that is a word alone: "mhm" is more often said than meant.
LONGEST_INTERJECTION = 3
ENDINGS = (
    "s", "es", "ed", "ing", "ion", "ions", "er", "ers", "e", "ly", "ally", "al", "ic", "ical", "ive", "ous", "a", "ar",
    "ated", "atous", "oma", "omatous", "y", "ies",
)  # fmt: skip
PREFIXES = (
    "un", "de", "non", "dis", "in", "im", "ir", "a", "an", "re", "micro", "macro", "multi", "oligo", "uni", "bi",
    "supra", "infra", "sub", "para", "peri", "trans", "endo", "exo", "inter", "intra", "extra", "pre", "post",
    "hypo", "hyper", "ileo", "gastro", "duodeno", "jejuno", "hepato", "pancreato", "cholecysto", "choledocho", "procto",
    "recto",
)  # fmt: skip
#: What is done to an organ, and how it looks: the part before tells which.
OPERATION_ENDINGS = (
    "ectomy",
    "otomy",
    "ostomy",
    "oscopy",
    "ography",
    "ogram",
    "plasty",
    "cystic",
    "locular",
    "clips",
    "clip",
)
STEM_LIKENESS = 70
SHORTEST_STEM = 5
#: Whoever is surer than this is not doubted.
DOUBTED_PROBABILITY = 0.9

#: Spellings that sound alike, longest first; then vowels count as one.
_SOUNDS = (
    (r"[^a-z]", ""),
    (r"tch|tu(?=r)|cch|ch(?=[eiou])", "c"),
    (r"sch|sh|ti(?=o)|ci(?=a)|si(?=o)", "s"),
    (r"ph", "f"),
    (r"th", "t"),
    (r"gh|h", ""),
    (r"ge|gi|j", "c"),
    (r"c(?=[eiy])|z", "s"),
    (r"ch|ck|c(?!$)|q|k", "k"),
    (r"x", "ks"),
    (r"[aeiouyw]+", "a"),
    (r"(.)\1+", r"\1"),
)


@dataclass(frozen=True, slots=True)
class _Meant:
    spelling: tuple[str, ...]
    sound: str
    #: How much like it a word has to sound.
    likeness: float


class _Sounds:
    """Terms to be found by their sound."""

    def __init__(self, meant: Iterable[_Meant]) -> None:
        self._meant = [each for each in meant if len(each.sound) >= SHORTEST_SOUND]
        self._sounds = [each.sound for each in self._meant]

    def most_alike(self, sound: str, letters: str) -> tuple[float, tuple[str, ...]] | None:
        """The term that sounds like what was heard; of several, the one that is clearly written more like it."""
        found = [
            (likeness, self._meant[place])
            for _, likeness, place in process.extract(sound, self._sounds, scorer=fuzz.ratio, limit=4)
            if likeness >= MIN_SOUND_LIKENESS - CLEARLY_BEST_BY
        ]
        if not found or found[0][0] < found[0][1].likeness:
            return None
        rivals = [each for each in found if found[0][0] - each[0] < CLEARLY_BEST_BY]
        ranked = sorted(((_likeness_of_letters(letters, each[1]), each) for each in rivals), key=lambda one: -one[0])
        if len(ranked) > 1 and ranked[0][0] - ranked[1][0] < CLEARLY_BEST_BY:
            return None
        likeness, best = ranked[0][1]
        return (likeness, best.spelling) if likeness >= best.likeness else None


#: Whether it is a whole term, how likely it is, and the term.
_Guess = tuple[bool, float, tuple[str, ...]]


class Lexicon:
    """One procedure's terms; immutable but for a cache of guesses."""

    def __init__(
        self,
        terms: Iterable[str],
        listed: Mapping[str, Iterable[str]],
        known: Iterable[str] = (),
        elsewhere: Iterable[str] = (),
        classes: ClassNames | None = None,
    ) -> None:
        """`terms` as they are to be written; `listed` maps what is meant to what is heard.

        `known` holds further words that are never taken for something else, `elsewhere` terms of other procedures, of
        which several are done in one session: they have to be likelier.
        """
        terms, self._classes = tuple(terms), classes or ClassNames((), {})
        written = (*self._classes.words, *(word for term in terms for word in term.split()))
        cases = {_plain(word): word for word in written if not word.islower()}

        def spelt(term: str) -> tuple[str, ...]:
            return tuple(cases.get(_plain(word), word) for word in term.split())

        spellings = {_plain(term): spelt(term) for term in terms}
        others = {_plain(term): spelt(term) for term in elsewhere}
        meant = [_Meant(spelling, _sound(term), MIN_SOUND_LIKENESS) for term, spelling in spellings.items()]
        meant += [
            _Meant(spelling, _sound(term), LIKENESS_ELSEWHERE)
            for term, spelling in others.items()
            if term not in spellings
        ]
        self._whole = _Sounds(meant)
        self._parts = _Sounds(_parts(meant))
        self._term_words = frozenset(word for term in (*spellings, *map(_plain, listed)) for word in term.split())
        self._known = self._term_words | frozenset(word for phrase in known for word in _plain(phrase).split())
        self._listed: dict[tuple[str, ...], tuple[str, ...]] = {}
        for term, hearings in listed.items():
            spelling = spellings.get(_plain(term), spelt(term))
            for heard in map(_plain, hearings):
                if any(len(word) > LONGEST_INTERJECTION and not self._is_word(word) for word in heard.split()):
                    self._listed[tuple(heard.split())] = spelling
        self._longest = max((LONGEST_SPAN, *map(len, self._listed)))
        self._guessed: dict[tuple[str, ...], _Guess | None] = {}

    @classmethod
    def of(cls, schema: ProcedureSchema) -> "Lexicon":
        terms = (*schema.vocabulary, *_written_terms(schema))
        return cls(terms, schema.repairs, schema.real_words, _shipped_terms(), ClassNames.of(schema))

    def repair(self, words: Sequence[Word]) -> tuple[Word, ...]:
        """The words with what was mis-heard put right; each repaired word keeps what was heard in `heard`."""
        repaired: list[Word] = []
        at = 0
        while at < len(words):
            if named := self._classes.at(words, at):
                length, written = named
                repaired += written
            else:
                length, meant = self._meant_at(words, at)
                repaired += respelled(words[at : at + length], meant) if meant else words[at : at + length]
            at += length
        return tuple(repaired)

    def _meant_at(self, words: Sequence[Word], at: int) -> tuple[int, tuple[str, ...]]:
        """How many words from `at` on were mis-heard, and what was meant; (1, ()) where nothing was."""
        spans = [words[at : at + length] for length in range(self._longest, 0, -1) if at + length <= len(words)]
        spans = [span for span in spans if is_one_phrase(span)]
        for span in spans:
            if (meant := self._listed.get(_heard(span))) and _is_doubtful(span):
                return len(span), meant
        guesses = [(*guess, len(span)) for span in spans if (guess := self._guess(span))]
        if not guesses:
            return 1, ()
        _, _, meant, length = max(guesses)
        return length, meant

    def _guess(self, span: Sequence[Word]) -> _Guess | None:
        heard = _heard(span)
        strange = [word for word in heard if not self._is_word(word)]
        if len(span) > LONGEST_SPAN or not strange or not _is_doubtful(span) or _is_acronym(span):
            return None
        if any(_plain(word.text) in strange and not _is_doubtful([word]) for word in span):
            return None
        if heard not in self._guessed:
            self._guessed[heard] = self._likely(heard, strange)
        return self._guessed[heard]

    def _likely(self, heard: tuple[str, ...], strange: Sequence[str]) -> _Guess | None:
        sound, letters = _sound(" ".join(heard)), "".join(heard)
        if len(sound) < SHORTEST_SOUND:
            return None
        for is_whole, terms in ((True, self._whole), (False, self._parts)):
            meant = terms.most_alike(sound, letters)
            if meant and (is_whole or len(heard) == 1) and _may_stand_for(heard, strange, meant[1]):
                return None if _is_written_more_like_another(heard, meant[1]) else (is_whole, *meant)
        return None

    def _is_word(self, word: str) -> bool:
        """Known, English, or a known word behind a prefix: "decannulated", "oligocystic", "ileocolonoscopy"."""
        if word in self._known or word in _shipped_words() or is_english(word):
            return True
        rests = (word.removeprefix(prefix) for prefix in PREFIXES if word.startswith(prefix))
        return any(len(rest) >= SHORTEST_STEM - 1 and self._is_word(rest) for rest in rests)


def _may_stand_for(heard: Sequence[str], strange: Sequence[str], spelling: Sequence[str]) -> bool:
    """Whether a term that sounds like the heard words can be what was meant."""
    written = _plain(" ".join(spelling)).split()
    if not all(word in strange or word in written for word in (heard[0], heard[-1])):
        return False
    likeness = fuzz.ratio("".join(heard), "".join(written))
    enough = LETTER_LIKENESS if len(heard) > 1 else LETTER_LIKENESS_OF_ONE
    if likeness < (enough if len(written) <= len(heard) else LIKENESS_TO_MORE_WORDS):
        return False
    terms = written if len(heard) > 1 else ["".join(written)]
    return not any(_may_be_meant(word, term) for word in strange for term in terms)


def _is_written_more_like_another(heard: Sequence[str], spelling: Sequence[str]) -> bool:
    """Whether a word of the field that is no other form of the term is as near: "recum" may well be the rectum."""
    if len(heard) > 1:
        return False
    term = _plain("".join(spelling))
    nearest = process.extract(heard[0], _shipped_words(), scorer=fuzz.ratio, score_cutoff=fuzz.ratio(heard[0], term))
    return any(word != term and not _is_another_form(word, term) for word, _, _ in nearest)


def is_english(word: str) -> bool:
    """Whether an English dictionary of 160 000 words and their forms knows it; numbers count as words."""
    return not word.isalpha() or len(word) < 3 or _in_dictionary(word)


@cache
def _dictionary() -> Callable[[str], bool]:
    from spellchecker import SpellChecker

    return SpellChecker("en", distance=1).__contains__


def _in_dictionary(word: str) -> bool:
    return _dictionary()(word) or (word.endswith("s") and _dictionary()(word[:-1]))


def _parts(terms: Sequence[_Meant]) -> Iterable[_Meant]:
    """The long words of terms of several words: one of them may be mis-heard alone."""
    words = {word: term.likeness for term in reversed(terms) if len(term.spelling) > 1 for word in term.spelling}
    return [_Meant((word,), _sound(word), likeness) for word, likeness in words.items() if len(word) >= SHORTEST_PART]


def _likeness_of_letters(letters: str, meant: _Meant) -> float:
    return fuzz.ratio(letters, _plain("".join(meant.spelling)))


@cache
def _shipped_terms() -> tuple[str, ...]:
    return tuple({term: None for schema in SchemaLibrary(SHIPPED_SCHEMA_DIR) for term in schema.vocabulary})


def _written_terms(schema: ProcedureSchema) -> Iterable[str]:
    """What the listed repairs mean, where it is a term of its own and not a way of writing one."""
    known = {_plain(term) for term in schema.vocabulary}
    return [meant for meant in schema.repairs if _plain(meant) not in known and meant.isascii()]


def _plain(text: str) -> str:
    """Lower case, letters and digits; what joins or ends words becomes a space or nothing."""
    return " ".join(re.sub(r"[^a-z0-9 ]", "", re.sub(r"[-/]", " ", text.casefold())).split())


@cache
def _shipped_words() -> frozenset[str]:
    """Every word that a shipped procedure expects, whichever is dictated: each is a word of the field."""
    schemas = SchemaLibrary(SHIPPED_SCHEMA_DIR)
    said = (phrase for schema in schemas for phrase in (*schema.vocabulary, *_spoken(schema)))
    return frozenset(word for phrase in said for word in _plain(phrase).split())


def _spoken(schema: ProcedureSchema) -> Iterable[str]:
    """The names of a schema's fields and values, without what is mis-heard for them."""
    for _, field in schema.targets():
        yield field.label
        for value, term in field.values.items():
            yield from (value.replace("_", " "), *term.spoken)


def _may_be_meant(word: str, term: str) -> bool:
    """Whether a word that no list has may all the same be what was said, and not the term."""
    if _is_another_form(word, term):
        return True
    return _sound(word) != _sound(term) and (is_opposite(word, term) or _is_another_operation(word, term))


def _is_another_operation(word: str, term: str) -> bool:
    """Whether both are built alike on another stem, or on the same stem otherwise ("ampullectomy", "gastrotomy")."""
    ending = next((each for each in OPERATION_ENDINGS if word.endswith(each)), None)
    other = next((each for each in OPERATION_ENDINGS if term.endswith(each)), None)
    if ending is None:
        return False
    if other is None:
        return True
    stems = fuzz.ratio(word.removesuffix(ending), term.removesuffix(other))
    return ending != other or stems < STEM_LIKENESS


def _is_another_form(word: str, term: str) -> bool:
    """Whether only the ending differs ("cannulated", "cannulation"): no mistake, though no dictionary has it."""
    return not _stems(word).isdisjoint(_stems(term))


def _stems(word: str) -> set[str]:
    return {word, *(word.removesuffix(ending) for ending in ENDINGS if len(word) - len(ending) >= SHORTEST_STEM)}


@cache
def _sound(text: str) -> str:
    """A rough key of how a text is pronounced: words that sound alike have keys alike."""
    sound = text.casefold()
    for spelling, becomes in _SOUNDS:
        sound = re.sub(spelling, becomes, sound)
    return sound


def _heard(span: Sequence[Word]) -> tuple[str, ...]:
    return tuple(_plain(" ".join(word.text for word in span)).split())


def _is_doubtful(span: Sequence[Word]) -> bool:
    return any(word.probability is None or word.probability < DOUBTED_PROBABILITY for word in span)


def _is_acronym(span: Sequence[Word]) -> bool:
    return any(len(word.text) > 1 and word.text.rstrip(".,;:?!").isupper() for word in span)
