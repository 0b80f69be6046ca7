"""What each word of a dictation is about: this examination, the time before it, a plan, or nothing any more."""

from collections.abc import Iterator, Sequence
from enum import Enum

from endoscribe.extraction.reading.headings import SectionHeading, find_headings, under
from endoscribe.extraction.reading.tokens import Match, TokenizedTranscript
from endoscribe.procedures.schema import Course

#: Where the examination is said to begin later than this, the phrase means something else.
LATEST_BEGIN = 0.7
_RETRACTIONS = ("scratch|strike|delete|disregard|ignore that", "forget that|it")
_RESUMES = frozenset({"now", "today", "i", "we", "there", "currently", "so", "okay", "but", "in", "at", "then", "next"})
#: What is told of these is not of today, before it begins either.
_EARLIER = (
    "last|prior|previous|most_recent colonoscopy|endoscopy|egd|ercp|eus|gastroscopy|examination|procedure "
    "(<measure>) (ago) is|under|with|had|showed|in|at|done|performed",
)
#: "from previous polypectomy": only the words right after are of the past.
_FORMER = (
    "prior|previous|previously|former|earlier|known|existing|preexisting",
    "pre existing",
    "old stent|scar|clip|tattoo",
)
_FORMER_WORDS = 6
#: "so now I am going to introduce the scope": words before what says that the examination begins.
_LEAD_WORDS = 8
_AGED = ("<measure> old", "aged <number>")
_INTRODUCED_WITHIN = 40
_LONGEST_INTRODUCTION = 40
#: QuoteContext after what it dates.
_LONG_AGO = (
    "from|in|of|since last year|month|week|time", "<measure> ago", "years|months|weeks|days ago",
    "from|in|since 2000|2001|2002|2003|2004|2005|2006|2007|2008|2009|2010|2011|2012|2013|2014|2015|2016|2017|2018|2019",
    "from|in|since 2020|2021|2022|2023",
)  # fmt: skip
#: What is told only for a case: to the end of the clause.
_IN_CASE = (
    "if", "unless", "in case of", "in event of|that", "should you|he|she|they",
    "in case you|he|she|they|there|patient",
)  # fmt: skip
#: What is told before it holds only in a case as well: "with SpyGlass if needed".
_IF_NEEDED = (
    "if|when|as needed|necessary|indicated|required|appropriate|possible|feasible",
    "should it be needed|necessary",
)
#: What the patient is told to look out for: to the end of the sentence.
_ADVICE = (
    "call|contact|notify us|me|office|clinic|doctor|hospital|911 if|when|with|for|should",
    "call|return|report|come back|present if|when|should|immediately",
    "return|go|come|present|report to (nearest) emergency|hospital|clinic|ward",
    "watch|monitor|observe|look_out (closely) for", "return|seek|precautions if|for|with",
    "told|advised|instructed|asked to call|return|come|watch|report|seek|look",
)  # fmt: skip
_RISKS = (
    "risks", "risk of|including|include ... explained|discussed|understood",
    "possible|potential complications", "complications including|include|such as|like",
    "warned|counseled|cautioned that|of|about", "explained|understands that",
)  # fmt: skip
#: What goes on behind the risks in one sentence: "after explaining the risks of bleeding, the patient was given ...".
_GOES_ON = (
    "patient|he|she is given|sedated|placed|brought|taken|positioned|prepared|turned|intubated|premedicated|put",
    "sedation|anesthesia|informed_consent|consent is given|obtained|administered|induced",
    "endoscope|scope|colonoscope|gastroscope|duodenoscope|echoendoscope|instrument is",
    "i|we inserted|introduced|advanced|passed|gave|sedated",
)
_IF_NEEDED_OF = 4
_LONGEST_CONDITION = 16
_LONGEST_WARNING = 30
_THOUGHT = (
    "i|we (first|initially|had|at_first) thought|believed|assumed|suspected|mistook", "i|we is sure|certain",
    "thought|believed|assumed to", "initially|at_first it|this|there|what is", "initially|at_first thought|believed",
    "what|it|this|there (first|initially) is like", "what is like|to",
)  # fmt: skip
#: What takes such a thought back.
_TURNS = (
    "but", "no", "however", "turned out", "turns out", "actually", "in fact", "in reality", "proved to", "instead",
    "just|only|merely", "it is not", "that is wrong|incorrect|not", "rather",
)  # fmt: skip
#: What shows that there was nothing.
_NOTHING_THERE = (
    "washed off|away it is", "it|this|that|which (just|simply|easily) washed off|away", "no washed off|away",
    "it|this|that|which is (only|just|really|actually|merely|simply|in fact) suction|artifact|artefact|stool|feces|"
    "debris|mucus|bubble|bubbles|fold|residue|food|foam|seed",
    "just|only|merely|simply (suction) artifact|artefact|bubble|fold",
    "turned|turns out to (be) (just|only|simply) (normal|mucosal|suction|prominent) fold|artifact|artefact|stool|feces|"
    "debris|mucus|bubble|residue|food|nothing",
    "proved|proves to (be) (just|only) (normal|mucosal|suction) fold|artifact|artefact|stool|debris|mucus|"
    "bubble|nothing",
)  # fmt: skip
#: How far before such words the mistaken ones begin.
_MISTAKEN_WITHIN = 24
#: Words of a sentence after which it no longer takes back the one before.
_OPENING = 3
_WISHED = (
    "would have|had liked|wanted|loved|preferred|hoped to", "would like|liked to have", "is hoping to",
    "i|we (had) wanted|intended|hoped|planned|meant to", "goal|aim|intention|hope is to",
)  # fmt: skip
_TELLS_NO_FURTHER = frozenset({",", "and", "is", "now", "today", "i", "we", "but"})


class Temporality(Enum):
    BEFORE = "before"  # said before the examination begins: patient, indication, history
    PAST = "past"
    FORMER = "former"  # a thing of the past that is still there: "the previously placed stent"
    TODAY = "today"
    PLAN = "plan"
    CONDITIONAL = "conditional"  # a risk that was explained, what to do if something happens
    RETRACTED = "retracted"
    ELSEWHERE = "elsewhere"  # told of another examination that is dictated in one with this


def headings_of(reading: TokenizedTranscript, course: Course) -> list[SectionHeading]:
    """The headings of a transcript, as far as the course of a dictation knows them."""
    titles = course.headings
    return find_headings(reading, (*titles.before, *titles.today, *titles.plan), (*titles.today, *titles.plan))


def temporalities(
    reading: TokenizedTranscript, course: Course, headings: Sequence[SectionHeading] = ()
) -> list[Temporality]:
    """The temporality of each token of the transcript."""
    found = [Temporality.TODAY] * len(reading.tokens)
    for match in reading.find(_FORMER):
        _mark(found, match.first, _former_end(reading, match.after), Temporality.FORMER)
    begins = _beginning(reading, course.begins)
    for phrases, temporality in ((course.past, Temporality.PAST), (course.plan, Temporality.PLAN)):
        for match in reading.find(phrases):
            end = _scope_end(reading, match.after - 1)
            _mark(found, match.first, begins if match.first < begins < end else end, temporality)
    for match in reading.find(_LONG_AGO):
        _mark_dated(reading, found, match)
    told = list(found)
    _mark_before(reading, found, begins)
    _mark_headings(reading, found, told, course, headings)
    for first, after in _elsewhere(reading, course, headings):
        _mark(found, first, after, Temporality.ELSEWHERE)
    for first, after in _conditions(reading):
        _mark(found, first, after, Temporality.CONDITIONAL)
    for first, after in (*_mistakes(reading), *_wishes(reading)):
        _mark(found, first, after, Temporality.RETRACTED)
    for match in reading.find(_RETRACTIONS):
        _mark(found, _retracted_from(reading, match.first), match.after, Temporality.RETRACTED)
    return found


def _mark_before(reading: TokenizedTranscript, found: list[Temporality], begins: int) -> None:
    """What is said before the examination begins is of that time, but what is told of an earlier one."""
    _mark(found, 0, begins, Temporality.BEFORE)
    if not begins:
        _mark(found, *_introduction(reading), Temporality.BEFORE)
    for match in reading.find(_EARLIER):
        after = max(match.after, min(_scope_end(reading, match.after - 1), begins))
        _mark(found, match.first, after, Temporality.PAST)


def _mark_headings(
    reading: TokenizedTranscript,
    found: list[Temporality],
    told: Sequence[Temporality],
    course: Course,
    headings: Sequence[SectionHeading],
) -> None:
    """What stands under a heading is of its time; `told` are the words by themselves, wherever they stand."""
    titles = course.headings
    for heading in under(headings, reading, titles.today):
        found[heading.first : heading.end] = told[heading.first : heading.end]
    for heading in under(headings, reading, titles.before):
        _mark(found, heading.first, heading.end, Temporality.BEFORE)
    for heading in under(headings, reading, titles.plan):
        _mark(found, heading.first, heading.end, Temporality.PLAN)


def _elsewhere(
    reading: TokenizedTranscript, course: Course, headings: Sequence[SectionHeading]
) -> Iterator[tuple[int, int]]:
    """The parts of another examination: to where this one goes on, a heading, or the end."""
    back = {reading.sentence_span(match.first)[0] for match in reading.find(course.returns)}
    stops = sorted({*back, *(heading.first for heading in headings), len(reading.tokens)})
    for match in reading.find(course.elsewhere):
        first = reading.sentence_span(match.first)[0]
        if first not in back:
            yield first, next(stop for stop in stops if stop > match.first)


def _conditions(reading: TokenizedTranscript) -> Iterator[tuple[int, int]]:
    """What is told for the case that something happens, and the risks that were explained."""
    for match in reading.find(_IN_CASE):
        end = reading.clause_span(match.first)[1]
        yield match.first, min(end, match.after + _LONGEST_CONDITION)
    for match in reading.find(_IF_NEEDED):
        yield max(reading.clause_span(match.first)[0], match.first - _IF_NEEDED_OF), match.after
    goes_on = [match.first for match in reading.find(_GOES_ON)]
    for match in (*reading.find(_ADVICE), *reading.find(_RISKS)):
        end = reading.sentence_span(match.first)[1]
        end = min((first for first in goes_on if match.after <= first < end), default=end)
        yield match.first, min(end, match.after + _LONGEST_WARNING)


def _mistakes(reading: TokenizedTranscript) -> Iterator[tuple[int, int]]:
    """ "I thought we were in the cecum, but this is the hepatic flexure"; "a polyp? no, just an artifact"."""
    turns = sorted((*reading.find(_TURNS), *reading.find(_NOTHING_THERE)), key=lambda match: match.first)
    for thought in reading.find(_THOUGHT):
        first = max(thought.first - 1, reading.sentence_span(thought.first)[0])
        turn = next((m for m in turns if thought.after < m.first <= thought.after + _MISTAKEN_WITHIN), None)
        if turn and _sentences_between(reading, thought.first, turn.first) <= 1:
            yield first, turn.first
    for nothing in reading.find(_NOTHING_THERE):
        first = reading.sentence_span(nothing.first)[0]
        if nothing.first - first < _OPENING and first > 0:
            first = reading.sentence_span(first - 1)[0]
        yield max(first, nothing.first - _MISTAKEN_WITHIN), nothing.after


def _wishes(reading: TokenizedTranscript) -> Iterator[tuple[int, int]]:
    """ "I would have liked to take biopsies": to the end of the clause, and no further than a turn."""
    for match in reading.find(_WISHED):
        yield match.first, min(reading.clause_span(match.first)[1], match.after + _LONGEST_CONDITION)


def _sentences_between(reading: TokenizedTranscript, first: int, after: int) -> int:
    return sum(token.text == "." for token in reading.tokens[first:after])


def _former_end(reading: TokenizedTranscript, index: int) -> int:
    """ "the previously placed stent was removed": the stent is of the past, its removal is not."""
    end = min(index + _FORMER_WORDS, reading.clause_span(index - 1)[1])
    verb = next((i for i in range(index, end) if reading.tokens[i].text == "is"), end)
    return verb if verb > index else end


def _mark_dated(reading: TokenizedTranscript, found: list[Temporality], match: Match) -> None:
    """ "two stents placed three months ago were removed": what is dated is there still, and the rest is of today."""
    if match.after < len(reading.tokens) and reading.tokens[match.after].text == "is":
        _mark(found, match.after, reading.clause_span(match.first)[1], Temporality.TODAY)
        _mark(found, _told_from(reading, match.first), match.after, Temporality.FORMER)
    else:
        _mark(found, _told_from(reading, match.first), match.after, Temporality.PAST)


def _told_from(reading: TokenizedTranscript, index: int) -> int:
    """Back from "last year" over the words that it tells of: "a sphincterotomy from last year"."""
    first = reading.clause_span(index)[0]
    return next((i + 1 for i in range(index - 1, first, -1) if reading.tokens[i].text in _TELLS_NO_FURTHER), first)


def _mark(found: list[Temporality], first: int, after: int, temporality: Temporality) -> None:
    found[first:after] = [temporality] * (after - first)


def _scope_end(reading: TokenizedTranscript, index: int) -> int:
    """A remark on the past or a plan lasts to the end of its sentence, or until the speaker is back at work."""
    after = reading.sentence_span(index)[1]
    texts = [token.text for token in reading.tokens[index:after]]
    for k, text in enumerate(texts[:-1]):
        if text == "|" and texts[k + 1] in _RESUMES:
            return index + k
    return after


def _beginning(reading: TokenizedTranscript, begins: tuple[str, ...]) -> int:
    matches = reading.find(begins)
    if not matches or matches[0].first > LATEST_BEGIN * len(reading.tokens):
        return 0
    return max(reading.clause_span(matches[0].first)[0], matches[0].first - _LEAD_WORDS)


def _introduction(reading: TokenizedTranscript) -> tuple[int, int]:
    """Where nobody says that the examination begins, the sentence that tells the patient's age is no finding."""
    for match in reading.find(_AGED)[:1]:
        first, after = reading.sentence_span(match.first)
        if match.first < _INTRODUCED_WITHIN and after - first <= _LONGEST_INTRODUCTION < len(reading.tokens):
            return first, after
    return 0, 0


def _retracted_from(reading: TokenizedTranscript, index: int) -> int:
    first = reading.clause_span(index)[0]
    return first if index - first >= 3 or first == 0 else reading.clause_span(first - 1)[0]
