"""Claude as a reader of transcripts: requests, time-outs, retries and the sentences for what goes wrong.

The only module that imports anthropic. Neither dictated words nor an answer reach a log or an exception: the SDK's
exceptions can hold both, so they are never chained to ours, and only their class, status and request id are logged.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import anthropic
import httpx2
from anthropic.types import MessageParam, ModelInfo, TextBlockParam, Usage

from endoscribe.errors import ExtractionError
from endoscribe.extraction.answer import ANSWER_SCHEMA, AnswerCell, AnswerReader, answer_json
from endoscribe.extraction.claims import Claim, OnClaims
from endoscribe.extraction.grounding import examine
from endoscribe.extraction.instructions import RULES, field_guide, worked_examples
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.settings import Settings
from endoscribe.transcript import Transcript

if TYPE_CHECKING:
    from anthropic.types import ParsedMessage

log = logging.getLogger(__name__)

#: From Submit to the last cell; after this the offline reader takes over.
DEADLINE_S = 60.0
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
PROBE_TIMEOUT_S = 10.0
#: About 250 cells of 60 tokens each; longer answers are continued.
MAX_ANSWER_TOKENS = 16_000
#: Requests for one dictation: the answer, its continuations, and one more for cells that failed.
MAX_REQUESTS = 4
MAX_ATTEMPTS = 3
FIRST_BACKOFF_S = 0.5
#: Faulty cells that are sent back; more than these mean that asking again will not help.
MAX_FAULTS = 40
#: A key for servers on site, which ask for none; the SDK wants one.
NO_KEY = "none"

CONTINUE = "The answer was cut off. Continue with the cells that are still missing; do not repeat any."
CORRECT = (
    "These cells cannot be used:\n{faults}\n"
    "Answer once more with these cells only, corrected. Leave out a cell that the dictation does not state."
)

NO_KEY_SENTENCE = (
    "There is no Anthropic key; set ANTHROPIC_API_KEY in .env, or ENDOSCRIBE_EXTRACTOR=offline to do without Claude."
)
UNREADABLE = "Claude's answer could not be read; try again."
#: By the type that the API gives an error.
SENTENCES = {
    "authentication_error": "The Anthropic key was refused; check ANTHROPIC_API_KEY.",
    "permission_error": "The Anthropic key may not use the model {model}; check its permissions.",
    "billing_error": "The Anthropic account has no credit left.",
    "not_found_error": "There is no Claude model {model}; check ENDOSCRIBE_CLAUDE_MODEL.",
    "request_too_large": "The dictation is too long for Claude; dictate the report in two parts.",
    "rate_limit_error": "The rate limit of the Anthropic account is reached; try again in a minute.",
    "overloaded_error": "Claude is overloaded at the moment; try again in a minute.",
    "timeout_error": "Claude did not answer in time; try again.",
    "api_error": "Claude's server failed; try again.",
}
KINDS = {
    401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error",
    408: "timeout_error", 413: "request_too_large", 429: "rate_limit_error", 504: "timeout_error",
    529: "overloaded_error",
}  # fmt: skip
#: Errors that may be gone a moment later.
PASSING_KINDS = frozenset({"rate_limit_error", "overloaded_error", "timeout_error", "api_error"})
#: What a request can raise: the SDK's own errors, its transport's, and, where a server sends what is no event stream
#: of this API, Python's own from the SDK's parsing.
REQUEST_ERRORS = (
    anthropic.AnthropicError, httpx2.HTTPError, httpx2.StreamError, ValueError, TypeError, LookupError, AttributeError,
    RuntimeError, AssertionError,
)  # fmt: skip


@dataclass
class Consumption:
    """Tokens of all requests for one dictation."""

    fresh: int = 0
    cached: int = 0
    written_to_cache: int = 0
    answered: int = 0
    requests: int = 0

    def add(self, usage: Usage) -> None:
        self.fresh += usage.input_tokens
        self.cached += usage.cache_read_input_tokens or 0
        self.written_to_cache += usage.cache_creation_input_tokens or 0
        self.answered += usage.output_tokens
        self.requests += 1


@dataclass(frozen=True)
class Answer:
    """What one request brought."""

    claims: tuple[Claim, ...]
    malformed: int
    is_cut_off: bool


class _RequestFailedError(Exception):
    """A request failed; `sentence` is for the user, `retry_after_s` None when trying again is of no use."""

    def __init__(self, sentence: str, retry_after_s: float | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.retry_after_s = retry_after_s


class ClaudeExtractor:
    """An `Extractor` that asks Claude; safe to use from several threads at once."""

    def __init__(
        self,
        client: anthropic.Anthropic | None,
        model: str,
        *,
        deadline_s: float = DEADLINE_S,
        is_on_site: bool = False,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """`client` None means that no key is set: every use says so. `wait` sleeps between attempts."""
        self._client = client
        self.model = model
        self.deadline_s = deadline_s
        self.is_on_site = is_on_site
        self._wait = wait

    @classmethod
    def from_settings(cls, settings: Settings) -> "ClaudeExtractor":
        """A reader with the configured key, server and model; makes no request."""
        key = settings.anthropic_api_key.get_secret_value() if settings.anthropic_api_key else None
        is_on_site = settings.anthropic_base_url is not None
        if key is None and not is_on_site:
            return cls(None, settings.claude_model)
        client = anthropic.Anthropic(
            api_key=key or NO_KEY,
            base_url=settings.anthropic_base_url,
            timeout=httpx2.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            max_retries=0,  # the SDK would wait as long as a server asks; ours keep to the deadline
            open_telemetry=False,
        )
        return cls(client, settings.claude_model, is_on_site=is_on_site)

    @property
    def name(self) -> str:
        return self.model

    def probe(self) -> str | None:
        """Whether Claude can be asked now: None, or a sentence saying why not. One small request, at most 10 s."""
        if self._client is None:
            return NO_KEY_SENTENCE
        try:
            model = self._client.models.retrieve(self.model, timeout=PROBE_TIMEOUT_S)
        except anthropic.NotFoundError as error:
            return None if self.is_on_site else _failure(error, self.model).sentence
        except REQUEST_ERRORS as error:
            return _failure(error, self.model).sentence
        return _model_problem(model, self.model, is_on_site=self.is_on_site)

    def extract(
        self, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None
    ) -> tuple[Claim, ...]:
        """All that Claude finds; raises ExtractionError with a sentence when it cannot be had within the deadline.

        `on_claims` is called from another thread, and no more once this has returned.
        """
        if self._client is None:
            raise ExtractionError(NO_KEY_SENTENCE)
        if not transcript.text.strip():
            return ()
        reading = _Reading(self, self._client, transcript, schema, on_claims)
        outcome: queue.SimpleQueue[tuple[Claim, ...] | ExtractionError] = queue.SimpleQueue()
        # A thread of its own: a server that keeps a connection alive with pings would outlive every socket time-out.
        threading.Thread(target=reading.run, args=(outcome,), name="claude", daemon=True).start()
        try:
            result = outcome.get(timeout=self.deadline_s)
        except queue.Empty:
            result = reading.complete_or(ExtractionError(f"Claude did not answer within {self.deadline_s:g} seconds."))
        finally:
            reading.abandon()
        if isinstance(result, ExtractionError):
            raise result
        return result


class _Reading:
    """One dictation, read in one or more requests that make a conversation."""

    def __init__(
        self,
        reader: ClaudeExtractor,
        client: anthropic.Anthropic,
        transcript: Transcript,
        schema: ProcedureSchema,
        on_claims: OnClaims | None,
    ) -> None:
        self.model = reader.model
        self.client = client
        self.transcript = transcript
        self.schema = schema
        self.on_claims = on_claims
        self.wait = reader._wait  # noqa: SLF001  (a part of the same reader)
        self.ends_at = time.monotonic() + reader.deadline_s
        self.consumption = Consumption()
        self.abandoned = threading.Event()
        self.complete: tuple[Claim, ...] | None = None  # of a whole answer, while faulty cells are asked for again

    def abandon(self) -> None:
        """Nobody waits any more: report nothing and ask nothing further."""
        self.abandoned.set()

    def run(self, outcome: "queue.SimpleQueue[tuple[Claim, ...] | ExtractionError]") -> None:
        """Put the claims, or the error that took their place, into `outcome`."""
        started = time.monotonic()
        result: tuple[Claim, ...] | ExtractionError = ExtractionError(UNREADABLE)
        try:
            result = self._converse()
        except _RequestFailedError as error:
            result = self.complete_or(ExtractionError(error.sentence))
            if not isinstance(result, ExtractionError):
                self._report(result)
        finally:
            self._log_consumption(time.monotonic() - started)
            outcome.put(result)

    def complete_or(self, error: ExtractionError) -> tuple[Claim, ...] | ExtractionError:
        """The claims of a complete answer whose correction failed; without one, the error."""
        if self.complete is None:
            return error
        log.warning("Claude's correction of faulty cells failed; %d claims are used as they were", len(self.complete))
        return self.complete

    def _converse(self) -> tuple[Claim, ...]:
        messages: list[MessageParam] = [{"role": "user", "content": _dictation(self.transcript)}]
        claims: tuple[Claim, ...] = ()
        is_corrected = False
        for _ in range(MAX_REQUESTS):
            answer = self._ask_patiently(messages, claims)
            claims = _replaced(claims, answer.claims)
            if answer.is_cut_off:
                messages += _turn(answer, CONTINUE)
                continue
            faults = [] if is_corrected else _faults(claims, answer.malformed, self.transcript, self.schema)
            if not faults:
                self._report(claims)
                return claims
            is_corrected, self.complete = True, claims
            messages += _turn(answer, CORRECT.format(faults="\n".join(faults)))
        raise _RequestFailedError("Claude's answer was too long to be completed; dictate the report in two parts.")

    def _ask_patiently(self, messages: Sequence[MessageParam], earlier: Sequence[Claim]) -> Answer:
        """One request, repeated while the server is busy and there is time left."""
        attempt = 1
        while True:
            try:
                return self._ask(messages, earlier)
            except _RequestFailedError as error:
                if error.retry_after_s is None or attempt == MAX_ATTEMPTS or self.abandoned.is_set():
                    raise
                pause_s = error.retry_after_s or FIRST_BACKOFF_S * 2 ** (attempt - 1)
                if time.monotonic() + pause_s >= self.ends_at:
                    raise
            self.wait(pause_s)
            attempt += 1

    def _ask(self, messages: Sequence[MessageParam], earlier: Sequence[Claim]) -> Answer:
        reader = AnswerReader()
        stop_reason = None
        for part in self._stream(messages):
            if not isinstance(part, str):
                stop_reason = part.stop_reason
                self.consumption.add(part.usage)
            elif reader.insert(part):
                self._report(_replaced(earlier, reader.claims))
        return _judge(reader, stop_reason)

    def _stream(self, messages: Sequence[MessageParam]) -> "Iterator[str | ParsedMessage[None]]":
        """The answer's text piece by piece, then the whole message; raises only _RequestFailedError."""
        failure: _RequestFailedError | None = None
        try:
            with self.client.messages.stream(
                model=self.model,
                max_tokens=MAX_ANSWER_TOKENS,
                system=_system(self.schema),
                messages=messages,
                output_config={"effort": "low", "format": {"type": "json_schema", "schema": ANSWER_SCHEMA}},
            ) as stream:
                for event in stream:
                    if event.type == "text" and not self.abandoned.is_set():
                        yield event.text
                yield stream.get_final_message()
        except REQUEST_ERRORS as error:
            failure = _failure(error, self.model)
        if failure:
            raise failure  # outside of the handler: the SDK's exception, which may hold an answer, is not chained

    def _report(self, claims: tuple[Claim, ...]) -> None:
        if self.on_claims and not self.abandoned.is_set():
            self.on_claims(claims)

    def _log_consumption(self, wall_s: float) -> None:
        used = self.consumption
        log.info(
            "Claude %s: %d request(s), %d tokens in, %d from the cache, %d written to it, %d out, %.1f s",
            self.model, used.requests, used.fresh, used.cached, used.written_to_cache, used.answered, wall_s,
        )  # fmt: skip


# -- what is sent ----------------------------------------------------------------------------------------------------


def _system(schema: ProcedureSchema) -> list[TextBlockParam]:
    """The same for every dictation of a procedure, so that it is read from the cache; no patient data in it."""
    text = f"{RULES}\n\n# Guide\n{field_guide(schema)}"
    examples = worked_examples(schema)
    if examples:
        text += f"\n\n# Examples\n{examples}"
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]


def _dictation(transcript: Transcript) -> str:
    return f"<dictation>\n{transcript.text}\n</dictation>"


def _turn(answer: Answer, request: str) -> list[MessageParam]:
    return [
        {"role": "assistant", "content": answer_json([AnswerCell.of_claim(claim) for claim in answer.claims])},
        {"role": "user", "content": request},
    ]


# -- what came back --------------------------------------------------------------------------------------------------


def _judge(reader: AnswerReader, stop_reason: str | None) -> Answer:
    if stop_reason == "refusal":
        raise _RequestFailedError("Claude declined to read this dictation.")
    is_cut_off = stop_reason in ("max_tokens", "model_context_window_exceeded")
    if not reader.is_complete and not (is_cut_off and reader.claims):
        raise _RequestFailedError(UNREADABLE)
    return Answer(tuple(reader.claims), reader.malformed, is_cut_off and not reader.is_complete)


def _faults(claims: Sequence[Claim], malformed: int, transcript: Transcript, schema: ProcedureSchema) -> list[str]:
    """Why cells cannot be used, a line each, in words for the model."""
    faults = [f"- {malformed} cell(s) without field, value or quote"] if malformed else []
    for claim in claims:
        if claim.target not in schema.target_index:
            near = get_close_matches(claim.target, schema.target_index, n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            faults.append(f"- {_cell_text(claim)}: there is no such field{hint}")
    rulings = examine([claim for claim in claims if claim.target in schema.target_index], transcript, schema)
    faults += [f"- {_cell_text(r.claim)}: {r.cell.problem}" for r in rulings if r.cell.status != "ok"]
    return faults[:MAX_FAULTS]


def _cell_text(claim: Claim) -> str:
    return AnswerCell.of_claim(claim).model_dump_json()


def _replaced(earlier: Sequence[Claim], later: Sequence[Claim]) -> tuple[Claim, ...]:
    """The claims of both answers; where both speak of a cell, those of the later one."""
    cells = {(claim.target, claim.row) for claim in later}
    return (*(claim for claim in earlier if (claim.target, claim.row) not in cells), *later)


# -- what went wrong -------------------------------------------------------------------------------------------------


def _failure(error: Exception, model: str) -> _RequestFailedError:
    """The sentence for an exception of the SDK or its transport; logs its class and request id, never its text."""
    status = error.status_code if isinstance(error, anthropic.APIStatusError) else None
    request_id = error.request_id if isinstance(error, anthropic.APIStatusError) else None
    log.warning("Claude request failed: %s, status %s, request id %s", type(error).__name__, status, request_id)
    if isinstance(error, anthropic.APIStatusError):
        kind = error.type or KINDS.get(error.status_code, "api_error" if error.status_code >= 500 else "")
        sentence = SENTENCES.get(kind, f"Claude refused the request (status {status}, request id {request_id}).")
        return _RequestFailedError(sentence.format(model=model), _pause(error) if kind in PASSING_KINDS else None)
    if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException):
        return _RequestFailedError("Claude did not answer in time; try again.", 0)
    if isinstance(error, anthropic.APIConnectionError | httpx2.HTTPError):
        return _RequestFailedError("Claude cannot be reached; check the network connection.", 0)
    return _RequestFailedError(UNREADABLE)


def _model_problem(model: object, name: str, *, is_on_site: bool) -> str | None:
    """Why a model of the catalogue does not serve; a server on site may tell nothing about its models."""
    if not isinstance(model, ModelInfo):
        return None if is_on_site else UNREADABLE
    lifecycle = getattr(model, "lifecycle", "active")  # the SDK leaves out what the server left out
    structured = getattr(getattr(model, "capabilities", None), "structured_outputs", None)
    if lifecycle == "retired":
        return f"The Claude model {name} is retired; set ENDOSCRIBE_CLAUDE_MODEL to a current one."
    if structured is not None and not structured.supported:
        return f"The Claude model {name} has no structured output; set ENDOSCRIBE_CLAUDE_MODEL to another."
    if lifecycle == "deprecated":
        log.warning("The Claude model %s is deprecated and will be retired", name)
    return None


def _pause(error: anthropic.APIStatusError) -> float:
    """Seconds that the server asks to wait; 0 when it names none."""
    headers = error.response.headers
    try:
        return float(headers["retry-after-ms"]) / 1000 if "retry-after-ms" in headers else float(headers["retry-after"])
    except (KeyError, ValueError):
        return 0
