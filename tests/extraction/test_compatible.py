"""A model behind an OpenAI-compatible API, against a played server: the same cells, the same sentences."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx2
import openai
import pytest

from endoscribe.errors import ExtractionError
from endoscribe.extraction.claims import Claim
from endoscribe.extraction.llm.answer import ANSWER_SCHEMA
from endoscribe.extraction.llm.compatible import CompatibleModel
from endoscribe.extraction.llm.conversation import ModelExtractor
from endoscribe.procedures.library import load_schema
from endoscribe.services import build_extractor
from endoscribe.settings import Settings
from endoscribe.transcript import Transcript
from endoscribe.usage import Usage
from tests.support.paths import DATA

MINI = load_schema(DATA / "schemas" / "mini.yaml")
HEARD = Transcript("A canarywoman. A six millimeter polyp in the sigmoid.")
CELLS = [{"field": "polyps.size_mm", "row": 0, "value": "6", "quote": "six millimeter polyp"}]
CLAIMS = (Claim("polyps.size_mm", "6", "six millimeter polyp", 0),)
TRIED = [{"field": "polyps.size_mm", "row": 0, "value": "6", "quote": "six millimeters"}]


def chunk(delta: Mapping[str, Any], finish: str | None = None, **rest: Any) -> bytes:
    choice = {"index": 0, "delta": dict(delta), "finish_reason": finish}
    data = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **rest}
    return f"data: {json.dumps(data)}\n\n".encode()


def answer(cells: Sequence[Mapping[str, Any]], finish: str = "stop", text: str | None = None) -> httpx2.Response:
    said = json.dumps({"cells": cells}) if text is None else text
    usage = {
        "prompt_tokens": 50,
        "completion_tokens": 9,
        "total_tokens": 59,
        "prompt_tokens_details": {"cached_tokens": 40},
    }
    parts = [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": said[i : i + 7]}) for i in range(0, len(said), 7)),
    ]
    parts += [chunk({}, finish), chunk({}, None, choices=[], usage=usage), b"data: [DONE]\n\n"]
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=b"".join(parts))


def refused(status: int) -> httpx2.Response:
    return httpx2.Response(
        status, headers={"x-request-id": "r1"}, json={"error": {"message": "canarywoman", "code": "x"}}
    )


class PlayedServer:
    def __init__(self, *responses: "httpx2.Response | Exception | Callable[[], httpx2.Response]") -> None:
        self.responses = list(responses)
        self.requests: list[dict[str, Any]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(json.loads(request.content) if request.content else {"path": request.url.path})
        response = self.responses.pop(0)
        if isinstance(response, Exception):
            raise response
        return response if isinstance(response, httpx2.Response) else response()

    def extractor(self) -> ModelExtractor:
        http_client = openai.DefaultHttpxClient(transport=httpx2.MockTransport(self))
        client = openai.OpenAI(
            api_key="sk-canary", base_url="http://site.test/v1", http_client=http_client, max_retries=0
        )
        return ModelExtractor(CompatibleModel(client, "local"), deadline_s=20, wait=lambda _: None)


def test_the_cells_come_through_the_json_schema_format() -> None:
    server = PlayedServer(answer(CELLS))
    read = server.extractor().read(HEARD, MINI)
    assert read.claims == CLAIMS
    assert read.bill is not None
    assert (read.bill.usage, read.bill.cost_usd) == (Usage(10, 40, 0, 9, 1), None)
    (request,) = server.requests
    assert request["response_format"]["json_schema"]["schema"] == ANSWER_SCHEMA
    assert (request["model"], request["stream"]) == ("local", True)
    system, user = request["messages"]
    assert "polyps.size_mm" in system["content"]
    assert HEARD.text in user["content"]


def test_faulty_cells_are_asked_for_again_and_verified_like_any_others() -> None:
    invented = [{"field": "extent_reached", "row": 0, "value": "cecum", "quote": "we reached the cecum"}]
    server = PlayedServer(answer([*CELLS, *invented]), answer([]))
    assert server.extractor().read(HEARD, MINI).claims[0] == CLAIMS[0]
    assert "not found in the transcript" in server.requests[1]["messages"][-1]["content"]


def test_an_answer_that_was_cut_off_is_continued() -> None:
    whole = json.dumps({"cells": [*CELLS, *CELLS]})
    server = PlayedServer(answer([], "length", whole[:110]), answer(CELLS))
    assert server.extractor().read(HEARD, MINI).claims == CLAIMS


@pytest.mark.parametrize(
    ("responses", "sentence"),
    [
        ([refused(401)], "The key of the language model's server was refused; check OPENAI_API_KEY."),
        ([refused(404)], "The server has no model local; check ENDOSCRIBE_OPENAI_MODEL."),
        ([refused(503)] * 3, "The language model's server failed; try again."),
        ([refused(422)], "The language model refused the request (status 422)."),
        ([httpx2.ConnectError("canarywoman")] * 3, "The language model cannot be reached; check OPENAI_BASE_URL."),
        ([httpx2.ReadTimeout("canarywoman")] * 3, "The language model did not answer in time; try again."),
        ([answer([], "content_filter", "")], "The language model declined to read this dictation."),
        ([answer([], text="Sure! Here are the cells.")], "The language model's answer could not be read; try again."),
    ],
)
def test_what_goes_wrong_is_a_sentence_without_the_patient(
    responses: "list[httpx2.Response | Exception]", sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="endoscribe")
    with pytest.raises(ExtractionError) as caught:
        PlayedServer(*responses).extractor().read(HEARD, MINI)
    assert str(caught.value) == sentence
    assert caught.value.__context__ is None
    assert "canary" not in caplog.text


def test_the_probe_tries_whether_the_server_keeps_to_the_form() -> None:
    models = httpx2.Response(200, json={"object": "list", "data": []})
    assert PlayedServer(models, answer(TRIED)).extractor().probe() is None
    ignoring = PlayedServer(refused(404), answer([], text="The polyp measures 6 mm."))
    assert "does not keep to the form" in (ignoring.extractor().probe() or "")
    assert "was refused" in (PlayedServer(refused(401)).extractor().probe() or "")


@pytest.mark.parametrize(
    ("environment", "part"),
    [
        ({}, "neither OPENAI_API_KEY nor OPENAI_BASE_URL"),
        ({"OPENAI_API_KEY": "sk"}, "set ENDOSCRIBE_OPENAI_MODEL"),
    ],
)
def test_what_is_not_set_is_named(environment: dict[str, str], part: str) -> None:
    settings = Settings.from_environment({"ENDOSCRIBE_EXTRACTOR": "openai", **environment}, None)
    with pytest.raises(ExtractionError, match=part):
        build_extractor(settings)


def test_a_key_alone_sends_nothing_there() -> None:
    assert Settings.from_environment({"OPENAI_API_KEY": "sk"}, None).extractor_name == "offline"
    environment = {
        "ENDOSCRIBE_EXTRACTOR": "openai", "OPENAI_BASE_URL": "http://localhost:11434/v1", "ENDOSCRIBE_OPENAI_MODEL": "m"
    }  # fmt: skip
    assert build_extractor(Settings.from_environment(environment, None)).name == "m"
