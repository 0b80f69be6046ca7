"""What was said and stands in no cell: evidence the other way round.

A transcript is taken apart into sentences and these into clauses. A clause is filed when cells rest on what it says of
the examination; what is left is shown beside the report, in the speaker's words, so that nothing dictated disappears.
Small talk is left out. Where it is not clear whether words matter, they are shown.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from endoscribe.extraction.reading.clauses import BOUNDARY, insert_boundaries
from endoscribe.extraction.record import Cell, UnfiledSentence
from endoscribe.procedures.normalize import Token, read_words
from endoscribe.procedures.phrases import WordSet, phrase_words
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.speech.terms.lexicon import is_english
from endoscribe.transcript import Transcript

#: Ends a sentence: a stop before white space, unless it belongs to a number, an initial or an abbreviation; or a line.
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*+\s++|\n\s*+")
_ABBREVIATION = re.compile(r"(?:^|\s)(?:dr|mr|mrs|ms|no|vs|approx|fig|st|prof|e\.g|i\.e|[a-z])\.$", re.IGNORECASE)
_LIST_NUMBER = re.compile(r"\d{1,2}\.")
#: An abbreviation, its stop and the blank before it are no longer than this.
_ABBREVIATION_CHARS = 8
#: A line that only says what follows.
_HEADING = re.compile(r"[A-Z][A-Z /&()]*:?|[^:]{1,60}:")
#: A pause inside a sentence.
_CLAUSE_END = re.compile(r"[,;:]\s++|(?<!\s)\s++(?:[-\u2013\u2014]++\s++|(?=(?:and|but|then)\s))", re.IGNORECASE)
#: A sentence of more words than these has lost its stops, as recognised speech often has.
LONGEST_SENTENCE_WORDS = 30

#: Words that say nothing by themselves.
_FUNCTION_WORDS = frozenset({
    "a", "about", "above", "actually", "after", "again", "all", "also", "an", "and", "another", "any", "anything",
    "appear", "appeared", "appears", "are", "area", "around", "as", "at", "away", "back", "basically", "be", "been",
    "before", "being", "both", "but", "by", "came", "can", "come", "could", "currently", "did", "do", "does", "doing",
    "done", "down", "each", "either", "else", "essentially", "even", "ever", "every", "evidence", "few", "find",
    "for", "found", "from", "further", "get", "gets", "getting", "go", "goes", "going", "gone", "got", "had", "has",
    "have", "having", "he", "her", "here", "hers", "him", "his", "how", "i", "identified", "if", "in", "into", "is",
    "it", "its", "itself", "just", "kind", "know", "let", "like", "look", "looked", "looking", "looks", "made",
    "make", "may", "me", "might", "more", "most", "much", "my", "near", "no", "nor", "not", "noted", "now", "of",
    "off", "on", "once", "one", "ones", "only", "onto", "or", "other", "our", "out", "over", "own", "patient", "per",
    "performed", "point", "present", "procedure", "put", "quite", "really", "said", "same", "say", "see", "seemed",
    "seems", "seen", "several", "shall", "she", "should", "so", "some", "something", "still", "such", "take", "taken",
    "than", "that", "the", "their", "them", "then", "there", "these", "they", "thing", "things", "this", "those",
    "through", "thus", "to", "too", "toward", "towards", "under", "until", "up", "upon", "us", "use", "used", "using",
    "very", "was", "way", "we", "well", "went", "were", "what", "when", "where", "which", "while", "who", "whom",
    "whose", "why", "will", "with", "within", "without", "would", "x", "yet", "you", "your",
})  # fmt: skip
#: What is said to others in the room, or to oneself, and to nobody who will read the report.
_SMALL_TALK = frozenset({
    "answered", "center", "complete", "completed", "concluded", "concludes", "conducted", "dr", "following",
    "performing", "procedures", "questions", "station", "suite", "today",
    "advance", "advanced", "advancing", "afternoon", "ah", "ahead", "alright", "anyway", "begin", "beginning",
    "begun", "bit", "body", "carefully", "closed", "colonoscope", "coming", "completely", "cool", "dictate",
    "dictating", "dictation", "doctor", "done", "end", "ending", "endoscope", "er", "everybody", "everyone",
    "everything", "excellent", "fine", "folks", "forget", "forgot", "further", "gastroscope", "give", "gonna", "good",
    "gotta", "great", "guess", "guys", "hand", "hang", "happy", "hear", "hello", "hey", "hi", "hmm", "hold", "insert",
    "inserted", "inserting", "insertion", "introduced", "introducing", "keep", "let", "lets", "little", "lot",
    "lovely", "maybe", "me", "mean", "minute", "moment", "morning", "move", "moving", "next", "nice", "nicely", "oh",
    "ok", "okay", "open", "passed", "passing", "perfect", "please", "pretty", "probably", "procedure", "pull",
    "pulled", "pulling", "ready", "record", "recording", "remember", "report", "right", "scope", "scopes", "second",
    "see", "slowly", "sorry", "start", "started", "starting", "stop", "super", "sure", "talk", "talking", "team",
    "tell", "tells", "test", "testing", "thank", "thanks", "think", "turn", "turning", "uh", "um", "wait",
    "comma", "paragraph", "period",
    "wanna", "withdraw", "withdrawing", "withdrawn", "withdrew", "work", "working", "yeah", "yep", "yes",
})  # fmt: skip


#: What is done with a thing: said with the cell that rests in the same clause.
_ACTS = frozenset({
    "administered", "applied", "biopsied", "clipped", "deployed", "examined", "excised", "given", "graded", "inspected",
    "located", "measured", "measures", "measuring", "obtained", "placed", "removed", "resected", "sampled", "scored",
    "visualized",
})  # fmt: skip
#: The scope on its way: "advanced to", "entering", "withdrawing".
_MOTION = frozenset({
    "advance", "advanced", "advancing", "came", "come", "coming", "enter", "entered", "entering", "insert", "inserted",
    "inserting", "introduced", "introducing", "move", "moved", "moving", "passed", "passing", "pull", "pulled",
    "pulling", "withdraw", "withdrawing", "withdrawn", "withdrew",
})  # fmt: skip
_DENIALS = frozenset({"no", "not", "never", "without", "unable", "failed", "cannot", "could"})


@dataclass(frozen=True, slots=True)
class _Clause:
    """A clause with its words that could matter, each with whether a cell accounts for it."""

    start: int
    end: int
    matters: bool  # something in it is not accounted for
    is_filed: bool  # a cell rests in it


def unfiled_sentences(
    transcript: Transcript, cells: Sequence[tuple[str, Cell]], schema: ProcedureSchema
) -> tuple[UnfiledSentence, ...]:
    """The stretches on which none of these cells (target and cell) rests, in the order in which they were said."""
    filed = _FiledWords(transcript.text, cells, schema)
    found: list[UnfiledSentence] = []
    for start, end in sentence_spans(transcript.text):
        if _HEADING.fullmatch(transcript.text, start, end):
            continue
        named = filed.named_within(start, end)
        clauses = [filed.clause(*span, named) for span in _clause_spans(transcript.text, start, end)]
        found += [_unfiled(transcript, *span) for span in _stretches(clauses)]
    return tuple(found)


def telling_words(text: str) -> frozenset[str]:
    """The normalized words of a text that say something by themselves."""
    return frozenset(word.text for word in read_words(text)) - _FUNCTION_WORDS - _SMALL_TALK


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """The sentences of a text without the white space around them; one that has lost its stops is cut at clauses."""
    start = 0
    for match in (*_SENTENCE_END.finditer(text), None):
        end = match.start() if match else len(text)
        if match and "\n" not in match.group() and _ends_none(text, start, end):
            continue
        yield from _unstopped(text, *_trimmed(text, start, end))
        start = match.end() if match else end


def _ends_none(text: str, start: int, end: int) -> bool:
    """Whether the stop before `end` belongs to an abbreviation, an initial, or the number of a list's line."""
    if _ABBREVIATION.search(text[max(start, end - _ABBREVIATION_CHARS) : end]):
        return True
    return end - start <= len("10.") and bool(_LIST_NUMBER.fullmatch(text, start, end))


def _unstopped(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    if start == end:
        return
    if len(text[start:end].split()) <= LONGEST_SENTENCE_WORDS:
        yield start, end
        return
    cuts = [start + token.start for token in insert_boundaries(read_words(text[start:end])) if token.text == BOUNDARY]
    for first, after in zip((start, *cuts), (*cuts, end), strict=True):
        if first < after:
            yield _trimmed(text, first, after)


def _clause_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    first = start
    for match in _CLAUSE_END.finditer(text, start, end):
        if first < match.start():
            yield _trimmed(text, first, match.start())
        first = match.end()
    if first < end:
        yield _trimmed(text, first, end)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    stretch = text[start:end]
    first = start + len(stretch) - len(stretch.lstrip())
    return first, max(first, start + len(stretch.rstrip()))


def _stretches(clauses: Sequence[_Clause]) -> Iterator[tuple[int, int]]:
    """From the first clause of a sentence that matters to the last, with what stands between them and is not filed."""
    run: list[_Clause] = []
    for clause in (*clauses, None):
        if clause and (clause.matters or not clause.is_filed):
            run.append(clause)
            continue
        if any(each.matters for each in run):
            yield run[0].start, run[-1].end
        run = []


def _unfiled(transcript: Transcript, start: int, end: int) -> UnfiledSentence:
    start_s, end_s = transcript.span_seconds(start, end) or (None, None)
    return UnfiledSentence(transcript.text[start:end], start, end, start_s, end_s)


class _FiledWords:
    """Which words of a transcript are accounted for by cells."""

    def __init__(self, text: str, cells: Sequence[tuple[str, Cell]], schema: ProcedureSchema) -> None:
        self._text = text
        self._names = schema.target_words
        self._clinical = schema.clinical_words
        self._places = _places(cells, schema)
        self._rests = sorted(
            ((span, target) for target, cell in cells for span in _spans(text, cell)), key=lambda rest: rest[0]
        )
        self._longest = max((span[1] - span[0] for span, _ in self._rests), default=0)

    def named_within(self, start: int, end: int) -> Sequence[WordSet]:
        """The names of the targets that rest in a sentence: beside their values they say nothing new."""
        return [self._names[target] for target in {target for _, target in self._resting(start, end)}]

    def clause(self, start: int, end: int, named: Sequence[WordSet]) -> _Clause:
        """What a clause says and cells do not."""
        resting = self._resting(start, end)
        words = [word for word in read_words(self._text[start:end]) if word.text not in (".", ",")]
        content = [word for word in words if word.text not in _FUNCTION_WORDS]
        telling = [word for word in content if not _is_within(word, start, resting) and not _is_named(word, named)]
        telling = [word for word in telling if word.text not in _SMALL_TALK]
        if self._is_on_the_way(content):
            telling = [word for word in telling if word.text not in self._places]
        if resting:
            telling = [word for word in telling if self._is_clinical(word)]
        return _Clause(start, end, bool(telling), bool(resting))

    def _resting(self, start: int, end: int) -> Sequence[tuple[tuple[int, int], str]]:
        first = bisect_left(self._rests, start - self._longest, key=lambda rest: rest[0][0])
        after = bisect_left(self._rests, end, key=lambda rest: rest[0][0])
        return [rest for rest in self._rests[first:after] if rest[0][1] > start]

    def _is_on_the_way(self, words: Sequence[Token]) -> bool:
        """Whether a clause tells that the scope moves; what it reached in the end stands in a cell of its own."""
        told = [word.text for word in words]
        return not _DENIALS & set(told) and any(word in _MOTION for word in told)

    def _is_clinical(self, word: Token) -> bool:
        """Whether a word beside a cell's own may say something else: a number, a term, or what no dictionary knows."""
        if word.text in _ACTS:
            return False
        return word.is_number or word.text in self._clinical or not is_english(word.text)


def _is_named(word: Token, named: Sequence[WordSet]) -> bool:
    return any(word.text in names for names in named)


def _is_within(word: Token, offset: int, resting: Sequence[tuple[tuple[int, int], str]]) -> bool:
    return any(span[0] < offset + word.end and span[1] > offset + word.start for span, _ in resting)


def _spans(text: str, cell: Cell) -> Iterator[tuple[int, int]]:
    """Where a cell rests: its evidence, and the further quotes of a cell that holds several values."""
    if cell.evidence is None:
        return
    yield cell.evidence.start, cell.evidence.end
    for quote in cell.as_dictated.split(" … ")[1:]:
        if (start := text.find(quote)) >= 0:
            yield start, start + len(quote)


def _places(cells: Sequence[tuple[str, Cell]], schema: ProcedureSchema) -> WordSet:
    """What can be passed on the way to a place that stands in a cell: the values of a field that takes the farthest."""
    filed = {target for target, _ in cells}
    extents = (field for target, field in schema.fields.items()
               if target in filed and field.cues and field.cues.pick == "farthest")  # fmt: skip
    return phrase_words(
        name for field in extents for value, term in field.values.items()
        for name in (value.replace("_", " "), term.label or "", *term.spoken)
    )  # fmt: skip
