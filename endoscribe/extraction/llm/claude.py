"""Claude as a language model: Anthropic's API, a server that speaks it, Amazon Bedrock or Google Vertex.

The only module that imports anthropic. Neither dictated words nor an answer reach a log or an exception: the SDK's
exceptions can hold both, so they are never chained to ours, and only their class, status and request id are logged.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Literal, cast

import anthropic
import httpx2
from anthropic.types import MessageParam, ModelInfo, TextBlockParam

from endoscribe.errors import ExtractionError
from endoscribe.extraction.llm.answer import ANSWER_SCHEMA
from endoscribe.extraction.llm.conversation import Ending, Message, RequestFailedError
from endoscribe.extraction.llm.transport import NO_KEY, PROBE_TIMEOUT_S, READ_TIMEOUT_S
from endoscribe.settings import Settings
from endoscribe.usage import Usage

log = logging.getLogger(__name__)

#: `api`: Anthropic's own; `server`: one at ANTHROPIC_BASE_URL that speaks the same language.
Platform = Literal["api", "server", "bedrock", "vertex"]
Client = anthropic.Anthropic | anthropic.AnthropicBedrock | anthropic.AnthropicVertex

CONNECT_TIMEOUT_S = 5.0
#: About 250 cells of 60 tokens each; longer answers are continued.
MAX_ANSWER_TOKENS = 16_000

NO_KEY_SENTENCE = (
    "There is no Anthropic key; set ANTHROPIC_API_KEY in .env, or ENDOSCRIBE_EXTRACTOR=offline to do without Claude."
)
UNREADABLE = "Claude's answer could not be read; try again."
#: By the type that the API gives an error.
CLAUDE_SENTENCES = {
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
ERROR_KINDS = {
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
    RuntimeError, AssertionError, ImportError,
)  # fmt: skip
CLAUDE_STOPS: dict[str | None, Literal["cut_off", "refused"]] = {
    "refusal": "refused", "max_tokens": "cut_off", "model_context_window_exceeded": "cut_off",
}  # fmt: skip


class Claude:
    """A `LanguageModel`."""

    vendor = "Claude"

    def __init__(self, client: Client | None, model: str, platform: Platform = "api") -> None:
        """`client` None means that no key is set: every use says so."""
        self._client = client
        self.model = model
        self.platform = platform

    @classmethod
    def from_settings(cls, settings: Settings) -> "Claude":
        """Claude with the configured platform, key, server and model; makes no request.

        Raises ExtractionError when the SDK lacks what the platform needs, or the platform's region is not set.
        """
        platform: Platform = settings.claude_platform
        if platform == "api" and settings.anthropic_base_url:
            platform = "server"
        if platform in ("bedrock", "vertex"):
            return cls(_cloud_client(platform), settings.claude_model, platform)
        key = settings.anthropic_api_key.get_secret_value() if settings.anthropic_api_key else None
        if key is None and platform == "api":
            return cls(None, settings.claude_model)
        client = anthropic.Anthropic(
            api_key=key or NO_KEY,
            base_url=settings.anthropic_base_url,
            timeout=_timeout(),
            max_retries=0,  # the SDK would wait as long as a server asks; ours keep to the deadline
            open_telemetry=False,
        )
        return cls(client, settings.claude_model, platform)

    @property
    def has_list_price(self) -> bool:
        return self.platform == "api"

    @property
    def must_be_tried(self) -> bool:
        return self.platform != "api"

    def probe(self) -> str | None:
        """Whether the API knows the model and it serves; other platforms have no such catalogue and are tried."""
        if self._client is None:
            return NO_KEY_SENTENCE
        if not isinstance(self._client, anthropic.Anthropic):
            return None
        try:
            model = self._client.models.retrieve(self.model, timeout=PROBE_TIMEOUT_S)
        except anthropic.NotFoundError as error:
            return None if self.platform == "server" else _failure(error, self.model).sentence
        except REQUEST_ERRORS as error:
            return _failure(error, self.model).sentence
        return _model_problem(model, self.model, is_on_site=self.platform == "server")

    def stream(self, system: str, messages: Sequence[Message]) -> Iterator[str | Usage | Ending]:
        """The answer's text piece by piece, between what it has taken, then its ending; raises RequestFailedError."""
        if self._client is None:
            raise RequestFailedError(NO_KEY_SENTENCE)
        failure: RequestFailedError | None = None
        cached: list[TextBlockParam] = [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}]
        try:
            with self._client.messages.stream(
                model=self.model,
                max_tokens=MAX_ANSWER_TOKENS,
                system=cached,
                messages=[cast("MessageParam", dict(message)) for message in messages],
                output_config={"effort": "low", "format": {"type": "json_schema", "schema": ANSWER_SCHEMA}},
            ) as stream:
                for event in stream:
                    if event.type == "text":
                        yield event.text
                    elif event.type in ("message_start", "message_delta"):
                        yield _usage(stream.current_message_snapshot.usage)
                final = stream.get_final_message()
            yield Ending(CLAUDE_STOPS.get(final.stop_reason, "complete"), _usage(final.usage))
        except REQUEST_ERRORS as error:
            failure = _failure(error, self.model)
        if failure:
            raise failure  # outside of the handler: the SDK's exception, which may hold an answer, is not chained


def _timeout() -> httpx2.Timeout:
    return httpx2.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)


def _cloud_client(platform: Platform) -> Client:
    """The client of a cloud platform, which finds its own credentials as that cloud's tools do."""
    try:
        if platform == "bedrock":
            return anthropic.AnthropicBedrock(timeout=_timeout(), max_retries=0, open_telemetry=False)
        return anthropic.AnthropicVertex(timeout=_timeout(), max_retries=0, open_telemetry=False)
    except ImportError as error:
        raise ExtractionError(
            f"Claude on {platform} needs more software: pip install 'anthropic[{platform}]'."
        ) from error
    except ValueError:
        names = "AWS_REGION" if platform == "bedrock" else "CLOUD_ML_REGION and ANTHROPIC_VERTEX_PROJECT_ID"
        raise ExtractionError(f"Claude on {platform} needs {names} in the environment.") from None


def _usage(usage: anthropic.types.Usage) -> Usage:
    return Usage(
        usage.input_tokens,
        usage.cache_read_input_tokens or 0,
        usage.cache_creation_input_tokens or 0,
        usage.output_tokens,
        1,
    )


# -- what went wrong -------------------------------------------------------------------------------------------------


def _failure(error: Exception, model: str) -> RequestFailedError:
    """The sentence for an exception of the SDK or its transport; logs its class and request id, never its text."""
    status = error.status_code if isinstance(error, anthropic.APIStatusError) else None
    request_id = error.request_id if isinstance(error, anthropic.APIStatusError) else None
    log.warning("Claude request failed: %s, status %s, request id %s", type(error).__name__, status, request_id)
    if isinstance(error, anthropic.APIStatusError):
        kind = error.type or ERROR_KINDS.get(error.status_code, "api_error" if error.status_code >= 500 else "")
        sentence = CLAUDE_SENTENCES.get(kind, f"Claude refused the request (status {status}, request id {request_id}).")
        return RequestFailedError(sentence.format(model=model), _pause(error) if kind in PASSING_KINDS else None)
    if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException):
        return RequestFailedError("Claude did not answer in time; try again.", 0)
    if isinstance(error, anthropic.APIConnectionError | httpx2.HTTPError):
        return RequestFailedError("Claude cannot be reached; check the network connection.", 0)
    if isinstance(error, ImportError):
        return RequestFailedError("Claude on this platform needs more software; see docs/DEPLOYMENT.md.")
    return RequestFailedError(UNREADABLE)


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
