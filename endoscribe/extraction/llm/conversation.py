"""A language model as a reader of transcripts: what it is asked, how often, and what is made of its answers.

Knows no vendor: a `LanguageModel` streams the answer to messages. Neither dictated words nor an answer reach a log or
an exception.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, Protocol

from endoscribe.errors import ExtractionError, RefusalError
from endoscribe.extraction.claims import Claim, OnClaims
from endoscribe.extraction.extractor import Answer
from endoscribe.extraction.llm.answer import AnswerCell, AnswerReader, answer_json
from endoscribe.extraction.llm.instructions import RULES, TRIAL_DICTATION, TRIAL_GUIDE, field_guide, worked_examples
from endoscribe.extraction.verification.grounding import Ruling, examine
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.transcript import Transcript
from endoscribe.usage import Bill, Usage

log = logging.getLogger(__name__)

#: From Submit to the last cell; after this the offline reader takes over.
DEADLINE_S = 60.0
#: For the one small dictation that shows whether a server keeps to the answer's form.
TRIAL_DEADLINE_S = 20.0
#: Requests for one dictation: the answer, its continuations, and one more for cells that failed.
MAX_REQUESTS = 4
MAX_ATTEMPTS = 3
FIRST_BACKOFF_S = 0.5
#: Faulty cells that are sent back; more than these mean that asking again will not help.
MAX_FAULTS = 40

CONTINUE = "The answer was cut off. Continue with the cells that are still missing; do not repeat any."
CORRECT = (
    "These cells cannot be used:\n{faults}\n"
    "Answer once more with these cells only: corrected, or as they were where they are right. Leave out a cell that "
    "the dictation does not state."
)

#: {"role": "user" or "assistant", "content": text}
Message = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended, and what it took."""

    stop: Literal["complete", "cut_off", "refused"]
    usage: Usage


class RequestFailedError(Exception):
    """A request failed; `sentence` is for the user, `retry_after_s` None when trying again is of no use.

    0 means that the server asks for no particular pause.
    """

    #: What whoever asked for the reading gets.
    outcome = ExtractionError

    def __init__(self, sentence: str, retry_after_s: float | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.retry_after_s = retry_after_s


class DeclinedError(RequestFailedError):
    """The model will not read this dictation."""

    outcome = RefusalError


class LanguageModel(Protocol):
    """Answers messages in the form of `ANSWER_SCHEMA`. Safe to use from several threads at once."""

    @property
    def vendor(self) -> str:
        """What it is called in sentences: "Claude"."""

    @property
    def model(self) -> str: ...

    @property
    def has_list_price(self) -> bool:
        """Whether the vendor's published prices hold for it."""

    @property
    def must_be_tried(self) -> bool:
        """Whether it is a server of which nobody knows if it keeps to the form."""

    def probe(self) -> str | None:
        """A sentence saying why it cannot be asked now; None when it can. One small request at most."""

    def stream(self, system: str, messages: Sequence[Message]) -> Iterator[str | Usage | Ending]:
        """The answer's text piece by piece, then its ending; raises only RequestFailedError.

        What it has taken so far comes as soon as that is known: an answer that breaks off is paid for, too.
        """


class ModelExtractor:
    """An `Extractor` that asks a language model; safe to use from several threads at once."""

    def __init__(
        self,
        model: LanguageModel,
        *,
        deadline_s: float = DEADLINE_S,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """`wait` sleeps between attempts."""
        self.model = model
        self.deadline_s = deadline_s
        self.wait = wait

    @property
    def name(self) -> str:
        return self.model.model

    def probe(self) -> str | None:
        """Whether the model can be asked now, and keeps to the form where that is not known: None, or why not."""
        problem = self.model.probe()
        if problem is None and self.model.must_be_tried:
            problem = self._try()
        return problem

    def _try(self) -> str | None:
        """One tiny invented dictation: is what comes back of the shape, with the words that were said?"""
        outcome: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=lambda: outcome.put(self._trial()), name="model-trial", daemon=True).start()
        try:
            return outcome.get(timeout=TRIAL_DEADLINE_S)
        except queue.Empty:
            return f"{self.model.vendor} did not answer a trial within {TRIAL_DEADLINE_S:g} seconds."

    def _trial(self) -> str | None:
        reader = AnswerReader()
        try:
            for part in self.model.stream(f"{RULES}\n\n# Guide\n{TRIAL_GUIDE}", [_user(_dictation(TRIAL_DICTATION))]):
                if isinstance(part, str):
                    reader.insert(part)
        except RequestFailedError as error:
            return error.sentence
        said = [claim for claim in reader.claims if claim.quote and claim.quote in TRIAL_DICTATION]
        if reader.is_complete and not reader.malformed and said:
            return None
        return f"{self.model.vendor} does not keep to the form of the answer; use a server that enforces JSON schemas."

    def read(self, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None) -> Answer:
        """All that the model finds; raises ExtractionError with a sentence when it cannot be had in time.

        `on_claims` is called from another thread, and no more once this has returned.
        """
        if not transcript.text.strip():
            return Answer(())
        reading = _Reading(self, transcript, schema, on_claims)
        outcome: queue.SimpleQueue[tuple[Claim, ...] | ExtractionError] = queue.SimpleQueue()
        # A thread of its own: a server that keeps a connection alive with pings would outlive every socket time-out.
        threading.Thread(target=reading.run, args=(outcome,), name="language-model", daemon=True).start()
        try:
            result = outcome.get(timeout=self.deadline_s)
        except queue.Empty:
            late = f"{self.model.vendor} did not answer within {self.deadline_s:g} seconds."
            result = reading.complete_or(ExtractionError(late))
        finally:
            reading.abandon()
        if isinstance(result, ExtractionError):
            result.bill = reading.bill
            raise result
        return Answer(result, reading.bill)


@dataclass(frozen=True)
class _Part:
    """What one request brought."""

    claims: tuple[Claim, ...]
    malformed: int
    is_cut_off: bool


class _Reading:
    """One dictation, read in one or more requests that make a conversation."""

    def __init__(
        self, reader: ModelExtractor, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None
    ) -> None:
        self.model = reader.model
        self.transcript = transcript
        self.schema = schema
        self.on_claims = on_claims
        self.wait = reader.wait
        self.ends_at = time.monotonic() + reader.deadline_s
        self.usage = Usage()  # of the requests that have ended, well or badly
        self.running = Usage()  # of the one that is being answered
        self.abandoned = threading.Event()
        self.complete: tuple[Claim, ...] | None = None  # of a whole answer, while faulty cells are asked for again

    @property
    def bill(self) -> Bill | None:
        """None while nothing was answered, which costs nothing."""
        usage = self.usage + self.running
        if not usage.requests:
            return None
        return Bill(usage, usage.cost_usd(self.model.model) if self.model.has_list_price else None)

    def abandon(self) -> None:
        """Nobody waits any more: report nothing and ask nothing further."""
        self.abandoned.set()

    def run(self, outcome: "queue.SimpleQueue[tuple[Claim, ...] | ExtractionError]") -> None:
        """Put the claims, or the error that took their place, into `outcome`."""
        started = time.monotonic()
        result: tuple[Claim, ...] | ExtractionError = ExtractionError(self._unreadable)
        try:
            result = self._converse()
        except RequestFailedError as error:
            result = self.complete_or(error.outcome(error.sentence))
            if not isinstance(result, ExtractionError):
                self._report(result)
        finally:
            self._log_usage(time.monotonic() - started)
            outcome.put(result)

    def complete_or(self, error: ExtractionError) -> tuple[Claim, ...] | ExtractionError:
        """The claims of a complete answer whose correction failed; without one, the error."""
        if self.complete is None:
            return error
        log.warning(
            "%s's correction of faulty cells failed; %d claims are used as they were",
            self.model.vendor, len(self.complete),
        )  # fmt: skip
        return self.complete

    def _converse(self) -> tuple[Claim, ...]:
        messages: list[Message] = [_user(_dictation(self.transcript.text))]
        claims: tuple[Claim, ...] = ()
        is_corrected = False
        for _ in range(MAX_REQUESTS):
            part = self._ask_patiently(messages, claims)
            claims = _replaced(claims, part.claims)
            if part.is_cut_off:
                messages += _turn(part, CONTINUE)
                continue
            faults = [] if is_corrected else find_faults(claims, part.malformed, self.transcript, self.schema)
            if not faults:
                self._report(claims)
                return claims
            is_corrected, self.complete = True, claims
            messages += _turn(part, CORRECT.format(faults="\n".join(faults)))
        raise RequestFailedError(
            f"{self.model.vendor}'s answer was too long to be completed; dictate the report in two parts."
        )

    def _ask_patiently(self, messages: Sequence[Message], earlier: Sequence[Claim]) -> _Part:
        """One request, repeated while the server is busy and there is time left."""
        attempt = 1
        while True:
            try:
                return self._ask(messages, earlier)
            except RequestFailedError as error:
                if error.retry_after_s is None or attempt == MAX_ATTEMPTS or self.abandoned.is_set():
                    raise
                pause_s = error.retry_after_s or FIRST_BACKOFF_S * 2 ** (attempt - 1)
                if time.monotonic() + pause_s >= self.ends_at:
                    raise
            self.wait(pause_s)
            attempt += 1

    def _ask(self, messages: Sequence[Message], earlier: Sequence[Claim]) -> _Part:
        reader = AnswerReader()
        stop = ""
        try:
            for piece in self.model.stream(_system(self.schema), messages):
                if isinstance(piece, Ending):
                    stop, self.running = piece.stop, piece.usage
                elif isinstance(piece, Usage):
                    self.running = piece
                elif reader.insert(piece):
                    self._report(_replaced(earlier, reader.claims))
                if self.abandoned.is_set():  # what is not written any more is not paid for
                    break
        finally:
            self.usage, self.running = self.usage + self.running, Usage()
        return self._judged(reader, stop)

    def _judged(self, reader: AnswerReader, stop: str) -> _Part:
        if stop == "refused":
            raise DeclinedError(f"{self.model.vendor} declined to read this dictation.")
        is_cut_off = stop == "cut_off"
        if not reader.is_complete and not (is_cut_off and reader.claims):
            raise RequestFailedError(self._unreadable)
        return _Part(tuple(reader.claims), reader.malformed, is_cut_off and not reader.is_complete)

    @property
    def _unreadable(self) -> str:
        return f"{self.model.vendor}'s answer could not be read; try again."

    def _report(self, claims: tuple[Claim, ...]) -> None:
        if self.on_claims and not self.abandoned.is_set():
            self.on_claims(claims)

    def _log_usage(self, wall_s: float) -> None:
        used, cost = self.usage, self.bill.cost_usd if self.bill else 0.0
        log.info(
            "%s %s: %d request(s), %d tokens in, %d from the cache, %d written to it, %d out, %s, %.1f s",
            self.model.vendor, self.model.model, used.requests, used.fresh, used.cached, used.written_to_cache,
            used.answered, "no list price" if cost is None else f"about ${cost:.4f}", wall_s,
        )  # fmt: skip


# -- what is sent ----------------------------------------------------------------------------------------------------


def _system(schema: ProcedureSchema) -> str:
    """The same for every dictation of a procedure, so that it is read from the cache; no patient data in it."""
    text = f"{RULES}\n\n# Guide\n{field_guide(schema)}"
    examples = worked_examples(schema)
    return f"{text}\n\n# Examples\n{examples}" if examples else text


def _dictation(text: str) -> str:
    """Between marks that the text itself cannot close."""
    mark = "dictation"
    while f"/{mark}" in text.casefold().replace(" ", ""):
        mark += "_"
    return f"<{mark}>\n{text}\n</{mark}>"


def _user(content: str) -> Message:
    return {"role": "user", "content": content}


def _turn(part: _Part, request: str) -> list[Message]:
    answered = answer_json([AnswerCell.of_claim(claim) for claim in part.claims])
    return [{"role": "assistant", "content": answered}, _user(request)]


# -- what came back --------------------------------------------------------------------------------------------------


def find_faults(claims: Sequence[Claim], malformed: int, transcript: Transcript, schema: ProcedureSchema) -> list[str]:
    """Why the model is asked again, a line each, in words for it; only where a field that matters cannot be used."""
    faults = [f"- {malformed} cell(s) without field, value or quote"] if malformed else []
    for claim in claims:
        if claim.target not in schema.target_index:
            near = get_close_matches(claim.target, schema.target_index, n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            faults.append(f"- {_cell_text(claim)}: there is no such field{hint}")
    rulings = examine([claim for claim in claims if claim.target in schema.target_index], transcript, schema)
    if not faults and not any(_is_fault(ruling) and ruling.field.level != "O" for ruling in rulings):
        return []
    faults += [f"- {_cell_text(ruling.claim)}: {ruling.cell.problem}" for ruling in rulings if _is_fault(ruling)]
    return faults[:MAX_FAULTS]


def _is_fault(ruling: Ruling) -> bool:
    """Whether a cell was not found, is not valid, or is contradicted by its very words.

    Of words that speak of something else the model is not asked: it would answer the same, and the cell is marked.
    """
    return ruling.cell.status != "ok" and (ruling.judgement is None or not ruling.judgement.is_of_another)


def _cell_text(claim: Claim) -> str:
    return AnswerCell.of_claim(claim).model_dump_json()


def _replaced(earlier: Sequence[Claim], later: Sequence[Claim]) -> tuple[Claim, ...]:
    """The claims of both answers; where both speak of a cell, those of the later one."""
    cells = {(claim.target, claim.row) for claim in later}
    return (*(claim for claim in earlier if (claim.target, claim.row) not in cells), *later)
