"""Language models behind an OpenAI-compatible API: OpenAI, Azure, or vLLM, Ollama and llama.cpp on site.

The only module that imports openai, an optional package. As with Claude, neither dictated words nor an answer reach a
log or an exception.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from endoscribe.errors import ExtractionError
from endoscribe.extraction.llm.answer import ANSWER_SCHEMA
from endoscribe.extraction.llm.conversation import Ending, Message, RequestFailedError
from endoscribe.extraction.llm.transport import NO_KEY, PROBE_TIMEOUT_S, READ_TIMEOUT_S
from endoscribe.settings import Settings
from endoscribe.usage import Usage

if TYPE_CHECKING:
    import openai
    from openai.types import CompletionUsage
    from openai.types.shared_params import ResponseFormatJSONSchema

log = logging.getLogger(__name__)

NO_MODEL = "No model is named; set ENDOSCRIBE_OPENAI_MODEL."
NO_SERVER = "There is neither OPENAI_API_KEY nor OPENAI_BASE_URL; set one of them, or ENDOSCRIBE_EXTRACTOR=offline."
NO_PACKAGE = "Reading with an OpenAI-compatible model needs more software: pip install openai."
#: By HTTP status: the sentence, and whether it may be gone a moment later.
COMPATIBLE_SENTENCES = {
    401: ("The key of the language model's server was refused; check OPENAI_API_KEY.", False),
    403: ("The key may not use the model {model}; check its permissions.", False),
    404: ("The server has no model {model}; check ENDOSCRIBE_OPENAI_MODEL.", False),
    408: ("The language model did not answer in time; try again.", True),
    413: ("The dictation is too long for the language model; dictate the report in two parts.", False),
    429: ("The limit of the language model's server is reached; try again in a minute.", True),
}
#: What the SDK's parsing of a stream that is none can raise besides its own errors.
STREAM_ERRORS = (ValueError, TypeError, LookupError, AttributeError, RuntimeError)
RESPONSE_FORMAT: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {"name": "cells", "strict": True, "schema": ANSWER_SCHEMA},
}
COMPATIBLE_STOPS: dict[str | None, Literal["cut_off", "refused"]] = {"length": "cut_off", "content_filter": "refused"}


class CompatibleModel:
    """A `LanguageModel`."""

    vendor = "The language model"
    has_list_price = False
    must_be_tried = True

    def __init__(self, client: "openai.OpenAI", model: str) -> None:
        self._client = client
        self.model = model

    @classmethod
    def from_settings(cls, settings: Settings) -> "CompatibleModel":
        """A model with the configured key and server; makes no request. Raises ExtractionError."""
        key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
        if key is None and settings.openai_base_url is None:
            raise ExtractionError(NO_SERVER)
        if settings.openai_model is None:
            raise ExtractionError(NO_MODEL)
        try:
            import openai
        except ImportError as error:
            raise ExtractionError(NO_PACKAGE) from error
        client = openai.OpenAI(
            api_key=key or NO_KEY, base_url=settings.openai_base_url, timeout=READ_TIMEOUT_S, max_retries=0
        )
        return cls(client, settings.openai_model)

    def probe(self) -> str | None:
        """Whether the server answers at all; what it makes of the form is tried elsewhere."""
        import openai

        try:
            self._client.models.list(timeout=PROBE_TIMEOUT_S)
        except openai.NotFoundError:
            return None  # not every server lists its models
        except (openai.OpenAIError, *STREAM_ERRORS) as error:
            return self._failure(error).sentence
        return None

    def stream(self, system: str, messages: Sequence[Message]) -> Iterator[str | Usage | Ending]:
        """The answer's text piece by piece, then its ending; raises RequestFailedError.

        Tokens are told at the end only; of an answer that breaks off it is known that there was one.
        """
        import openai

        failure: RequestFailedError | None = None
        conversation: list[Any] = [{"role": "system", "content": system}, *(dict(message) for message in messages)]
        stop: str | None = None
        usage = Usage(requests=1)
        try:
            with self._client.chat.completions.create(
                model=self.model,
                messages=conversation,
                response_format=cast("ResponseFormatJSONSchema", RESPONSE_FORMAT),
                stream=True,
                stream_options={"include_usage": True},
            ) as chunks:
                yield usage
                for chunk in chunks:
                    usage = _usage(chunk.usage) if chunk.usage else usage
                    for choice in chunk.choices[:1]:
                        stop = "content_filter" if choice.delta.refusal else choice.finish_reason or stop
                        if choice.delta.content:
                            yield choice.delta.content
            yield Ending(COMPATIBLE_STOPS.get(stop, "complete"), usage)
        except (openai.OpenAIError, *STREAM_ERRORS) as error:
            failure = self._failure(error)
        if failure:
            raise failure  # outside of the handler: the SDK's exception, which may hold an answer, is not chained

    def _failure(self, error: Exception) -> RequestFailedError:
        """The sentence for an exception of the SDK; logs its class and request id, never its text."""
        import openai

        status = error.status_code if isinstance(error, openai.APIStatusError) else None
        request_id = error.request_id if isinstance(error, openai.APIStatusError) else None
        log.warning("Request failed: %s, status %s, request id %s", type(error).__name__, status, request_id)
        if status is not None:
            sentence, passes = COMPATIBLE_SENTENCES.get(
                status, (f"The language model refused the request (status {status}).", False)
            )
            if status >= 500:
                sentence, passes = "The language model's server failed; try again.", True
            return RequestFailedError(sentence.format(model=self.model), 0 if passes else None)
        if isinstance(error, openai.APITimeoutError):
            return RequestFailedError(COMPATIBLE_SENTENCES[408][0], 0)
        if isinstance(error, openai.APIConnectionError):
            return RequestFailedError("The language model cannot be reached; check OPENAI_BASE_URL.", 0)
        return RequestFailedError("The language model's answer could not be read; try again.")


def _usage(usage: "CompletionUsage") -> Usage:
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details else 0
    return Usage(usage.prompt_tokens - cached, cached, 0, usage.completion_tokens, 1)
