"""Claude as a reader, against a played server: what is asked, what is made of every kind of answer."""

import json
import logging
import threading
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import anthropic
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endoscribe.errors import ExtractionError
from endoscribe.extraction.claims import Claim
from endoscribe.extraction.llm.answer import ANSWER_SCHEMA, AnswerReader
from endoscribe.extraction.llm.claude import Claude
from endoscribe.extraction.llm.conversation import ModelExtractor
from endoscribe.extraction.llm.instructions import field_guide
from endoscribe.extraction.verification.grounding import verify
from endoscribe.procedures.schema import Term
from endoscribe.settings import Settings
from endoscribe.transcript import Transcript
from endoscribe.usage import Bill, Usage
from tests.support.played_claude import CELLS, KEY, MINI, TRIED, Event, PlayedServer, answer, events, sse, wire

CANARY = "canarywoman"
HEARD = Transcript(f"This is {CANARY}, a 65 year old female. A six millimeter polyp in the sigmoid, cold snare.")
CLAIMS = (
    Claim("patient_age", "65", "a 65 year old"),
    Claim("polyps.size_mm", "6", "six millimeter polyp", 0),
    Claim("polyps.segment", "sigmoid", "in the sigmoid", 0),
)


def refused(status: int, kind: str, headers: Mapping[str, str] | None = None) -> httpx2.Response:
    body = {"type": "error", "error": {"type": kind, "message": f"about {CANARY}"}}
    return httpx2.Response(status, headers={"request-id": "req_7", **(headers or {})}, json=body)


@pytest.fixture(autouse=True)
def _nothing_of_the_patient_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG, logger="endoscribe")
    yield
    said = "\n".join(
        f"{record.getMessage()} {record.exc_text}" for record in caplog.records if record.name.startswith("endo")
    )
    assert CANARY not in said
    assert "sigmoid" not in said
    assert KEY not in said


def problem(server: PlayedServer) -> str:
    """The sentence with which a reading fails; nothing of the patient or the key hangs on the exception."""
    with pytest.raises(ExtractionError) as caught:
        server.extractor().read(HEARD, MINI)
    told = (
        "".join(traceback.format_exception(caught.value))
        + repr(caught.value.__context__)
        + repr(caught.value.__cause__)
    )
    assert CANARY not in told
    assert KEY not in told
    return str(caught.value)


# -- what is asked ---------------------------------------------------------------------------------------------------


def test_the_request_is_cached_shaped_and_holds_the_dictation_outside_the_cache() -> None:
    server = PlayedServer(answer(CELLS))
    server.extractor().read(HEARD, MINI)
    (request,) = server.requests
    assert request["model"] == "claude-test"
    assert request["stream"] is True
    assert request["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": ANSWER_SCHEMA}}
    assert "temperature" not in request
    assert "tools" not in request
    (system,) = request["system"]
    assert system["cache_control"] == {"type": "ephemeral"}
    assert CANARY not in system["text"]
    assert "polyps.size_mm" in system["text"]
    assert MINI.examples[0].text in system["text"]
    (message,) = request["messages"]
    assert message["role"] == "user"
    assert HEARD.text in message["content"]


def test_the_system_prompt_is_the_same_for_every_dictation() -> None:
    server = PlayedServer(answer([]), answer([]))
    for text in ("one", "two"):
        server.extractor().read(Transcript(text), MINI)
    assert server.requests[0]["system"] == server.requests[1]["system"]


def test_the_answers_shape_keeps_to_what_the_api_allows() -> None:
    def walk(part: object) -> Iterator[dict[str, Any]]:
        if isinstance(part, dict):
            yield part
            for child in part.values():
                yield from walk(child)

    for part in walk(ANSWER_SCHEMA):
        if part.get("type") == "object":
            assert part["additionalProperties"] is False
            assert sorted(part["required"]) == sorted(part["properties"])
        assert not {"minimum", "maximum", "minLength", "anyOf"} & part.keys()


def test_the_guide_names_every_field_with_its_form() -> None:
    guide = field_guide(MINI)
    for target in MINI.target_index:
        assert f"- {target} (" in guide
    assert "- bbps_right (integer 0 to 3): Right colon." in guide
    assert "- withdrawal_time_min (number 0 to 180 in min): Withdrawal time." in guide
    assert "female (woman, lady)" in guide
    assert "## Findings & therapy" in guide
    assert "Table polyps: Polyps; one row for each polyp." in guide


def test_patterns_for_the_offline_reader_stay_out_of_the_guide() -> None:
    extent = MINI.fields["extent_reached"]
    patterns = {"cecum": Term(spoken=("caecum", "reach* ... caput", "base|pole of the cecum"))}
    schema = MINI.model_copy(update={"fields": {"extent_reached": extent.model_copy(update={"values": patterns})}})
    assert "Values: cecum (caecum)." in field_guide(schema)


def test_silence_asks_nothing() -> None:
    server = PlayedServer()
    assert server.extractor().read(Transcript("  \n"), MINI).claims == ()


# -- what comes back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 7, 100, 100_000])
@pytest.mark.parametrize("pieces", [1, 3, 500])
def test_the_same_claims_come_from_any_cutting_of_the_stream(chunk: int, pieces: int) -> None:
    seen: list[tuple[Claim, ...]] = []
    server = PlayedServer(sse(wire(events(json.dumps({"cells": CELLS}), pieces=pieces)), chunk))
    assert server.extractor().read(HEARD, MINI, seen.append).claims == CLAIMS
    assert seen[-1] == CLAIMS
    assert [len(claims) for claims in seen] == sorted(len(claims) for claims in seen)
    if pieces == 500:
        assert CLAIMS[:1] in seen


def test_the_number_of_tokens_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    PlayedServer(answer(CELLS)).extractor().read(HEARD, MINI)
    assert "1 request(s), 40 tokens in, 900 from the cache, 0 written to it, 77 out" in caplog.text


def test_cells_that_fail_are_asked_for_once_more_with_the_reason() -> None:
    bad: list[dict[str, Any]] = [
        {"field": "patient_agee", "row": 0, "value": "65", "quote": "a 65 year old"},
        {"field": "bbps_right", "row": 0, "value": "five", "quote": "a six"},
        {"field": "polyps.method", "row": 0, "value": "hot_snare", "quote": "hot snare"},
        {"field": "polyps.size_mm"},
    ]
    mended = [{"field": "polyps.method", "row": 0, "value": "cold_snare", "quote": "cold snare"}]
    server = PlayedServer(answer([*CELLS, *bad]), answer(mended))
    claims = server.extractor().read(HEARD, MINI).claims
    first, second = server.requests
    assert len(first["messages"]) == 1
    assert [message["role"] for message in second["messages"]] == ["user", "assistant", "user"]
    request = second["messages"][-1]["content"]
    assert "did you mean patient_age?" in request
    assert "outside 0 to 3" in request
    assert "not found in the transcript" in request
    assert "1 cell(s) without" in request
    assert "six millimeter" not in request
    assert Claim("polyps.method", "cold_snare", "cold snare", 0) in claims
    assert Claim("polyps.method", "hot_snare", "hot snare", 0) not in claims


def test_what_is_affirmed_twice_and_still_contradicted_stays_and_is_marked() -> None:
    wrong = {"field": "polyps.segment", "row": 0, "value": "cecum", "quote": "in the sigmoid"}
    server = PlayedServer(answer([*CELLS[:2], wrong]), answer([wrong]))
    claims = server.extractor().read(HEARD, MINI).claims
    assert len(server.requests) == 2  # asked about it once, and not again
    assert claims.count(Claim("polyps.segment", "cecum", "in the sigmoid", 0)) == 1
    cell = verify(claims, HEARD, MINI, "claude").tables["polyps"][0]["segment"]
    assert (cell.value, cell.status, cell.support) == ("cecum", "unsupported", "contradicted")


INVENTED = {"field": "extent_reached", "row": 0, "value": "cecum", "quote": "we reached the cecum"}
WITH_INVENTED = (*CLAIMS, Claim("extent_reached", "cecum", "we reached the cecum"))


@pytest.mark.parametrize(
    "failures",
    [
        [refused(429, "rate_limit_error", {"retry-after": "3600"})],
        [refused(500, "api_error") for _ in range(3)],
        [httpx2.ReadTimeout("slow") for _ in range(3)],
        [sse(b"\xff\xfe")],
        [answer([], "refusal")],
        [sse(wire(events(json.dumps({"cells": [INVENTED]})[:-2], "max_tokens"))), refused(401, "authentication_error")],
    ],
)
def test_a_correction_that_fails_leaves_the_complete_answer(
    failures: "list[httpx2.Response | Exception]", caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[tuple[Claim, ...]] = []
    server = PlayedServer(answer([*CELLS, INVENTED]), *failures)
    assert server.extractor().read(HEARD, MINI, seen.append).claims == WITH_INVENTED
    assert seen[-1] == WITH_INVENTED
    assert server.responses == []
    assert "4 claims are used as they were" in caplog.text


def test_a_correction_that_outlasts_the_deadline_leaves_the_complete_answer() -> None:
    over = threading.Event()

    def late() -> httpx2.Response:
        over.wait(20)
        return answer([])

    server = PlayedServer(answer([*CELLS, INVENTED]), late)
    assert server.extractor(deadline_s=2).read(HEARD, MINI).claims == WITH_INVENTED
    over.set()


def test_what_still_fails_is_kept_and_shown_as_unsupported() -> None:
    server = PlayedServer(answer([*CELLS, INVENTED]), answer([INVENTED]))
    claims = server.extractor().read(HEARD, MINI).claims
    assert len(server.requests) == 2
    cell = verify(claims, HEARD, MINI, "claude-test").fields["extent_reached"]
    assert (cell.status, cell.grounding, cell.evidence) == ("unsupported", "absent", None)


def test_an_answer_that_was_cut_off_is_continued() -> None:
    whole = json.dumps({"cells": CELLS})
    cut = sse(wire(events(whole[: whole.index("sigmoid")], stop_reason="max_tokens")))
    server = PlayedServer(cut, answer(CELLS[2:]))
    assert server.extractor().read(HEARD, MINI).claims == CLAIMS
    assistant, request = server.requests[1]["messages"][1:]
    assert json.loads(assistant["content"])["cells"] == CELLS[:2]
    assert "cut off" in request["content"]


def test_an_answer_that_never_ends_is_an_error() -> None:
    whole = json.dumps({"cells": CELLS})
    cut = wire(events(whole[: whole.index("sigmoid")], stop_reason="max_tokens"))
    assert "too long" in problem(PlayedServer(*(sse(cut) for _ in range(4))))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I am sorry, but no.",
        '{"cells": [{"field": "patient_age", "ro',
        '{"cells": ',
        "\x00",
        '{"rows": []}',
        "[]",
        "{" * 50,
    ],
)
def test_an_answer_that_is_not_of_the_shape_is_an_error(text: str) -> None:
    assert "could not be read" in problem(PlayedServer(sse(wire(events(text)))))


def test_a_refusal_is_shown() -> None:
    assert (
        problem(PlayedServer(sse(wire(events("", stop_reason="refusal"))))) == "Claude declined to read this dictation."
    )


def test_values_that_are_not_text_are_read_as_text() -> None:
    cells: list[dict[str, Any]] = [
        {"field": "patient_age", "row": 0, "value": 65, "quote": "a 65 year old"},
        {"field": "diverticulosis", "row": 0, "value": True, "quote": "diverticulosis"},
        {"field": "indication", "row": 3, "value": ["pain", "bleeding"], "quote": "pain and bleeding"},
    ]
    heard = Transcript("a 65 year old with diverticulosis, pain and bleeding")
    claims = PlayedServer(answer(cells)).extractor().read(heard, MINI).claims
    assert [claim.value for claim in claims] == ["65", "true", "pain, bleeding"]
    assert claims[2].row is None


# -- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [
        (400, "invalid_request_error", "Claude refused the request (status 400, request id req_7)."),
        (401, "authentication_error", "The Anthropic key was refused; check ANTHROPIC_API_KEY."),
        (402, "billing_error", "The Anthropic account has no credit left."),
        (403, "permission_error", "The Anthropic key may not use the model claude-test; check its permissions."),
        (404, "not_found_error", "There is no Claude model claude-test; check ENDOSCRIBE_CLAUDE_MODEL."),
        (413, "request_too_large", "The dictation is too long for Claude; dictate the report in two parts."),
    ],
)
def test_a_request_that_is_refused_is_not_repeated(status: int, kind: str, sentence: str) -> None:
    server = PlayedServer(refused(status, kind))
    assert problem(server) == sentence
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [
        (429, "rate_limit_error", "The rate limit of the Anthropic account is reached; try again in a minute."),
        (500, "api_error", "Claude's server failed; try again."),
        (529, "overloaded_error", "Claude is overloaded at the moment; try again in a minute."),
    ],
)
def test_a_busy_server_is_asked_three_times(status: int, kind: str, sentence: str) -> None:
    server = PlayedServer(*(refused(status, kind) for _ in range(3)))
    assert problem(server) == sentence
    assert len(server.requests) == 3
    assert server.pauses == [0.5, 1.0]


def test_an_error_without_a_body_is_known_by_its_status() -> None:
    assert "key was refused" in problem(PlayedServer(httpx2.Response(401, content=b"<html>")))


def test_a_busy_server_that_recovers_is_no_error() -> None:
    server = PlayedServer(refused(429, "rate_limit_error", {"retry-after": "2"}), answer(CELLS))
    assert server.extractor().read(HEARD, MINI).claims == CLAIMS
    assert server.pauses == [2.0]


def test_nobody_waits_longer_than_the_deadline_for_a_busy_server() -> None:
    server = PlayedServer(refused(429, "rate_limit_error", {"retry-after": "3600"}))
    assert "rate limit" in problem(server)
    assert server.pauses == []


def test_an_error_in_the_middle_of_the_stream_starts_the_answer_anew() -> None:
    beginning = events(json.dumps({"cells": CELLS}), pieces=3)[:7]
    error: Event = ("error", {"error": {"type": "overloaded_error", "message": CANARY}})
    seen: list[tuple[Claim, ...]] = []
    server = PlayedServer(sse(wire([*beginning, error])), answer(CELLS))
    assert server.extractor().read(HEARD, MINI, seen.append).claims == CLAIMS
    assert seen[-1] == CLAIMS
    assert len(server.requests) == 2


def test_a_stream_that_breaks_off_is_an_error() -> None:
    def broken() -> Iterator[bytes]:
        yield wire(events(json.dumps({"cells": CELLS}), pieces=3)[:7])
        raise httpx2.ReadError("gone")

    def response() -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=broken())

    assert "cannot be reached" in problem(PlayedServer(response, response, response))


@pytest.mark.parametrize(
    "body",
    [b"", b"event: message_start\ndata: {broken\n\n", wire([("content_block_delta", {"index": 4})]), b"\xff\xfe" * 30],
)
def test_a_body_that_is_no_event_stream_is_an_error(body: bytes) -> None:
    assert "could not be read" in problem(PlayedServer(sse(body)))


def test_no_network() -> None:
    server = PlayedServer(*(httpx2.ConnectError(f"no route for {CANARY}") for _ in range(3)))
    assert problem(server) == "Claude cannot be reached; check the network connection."


def test_a_socket_that_times_out() -> None:
    server = PlayedServer(*(httpx2.ReadTimeout("slow") for _ in range(3)))
    assert problem(server) == "Claude did not answer in time; try again."


def test_a_server_that_never_answers_is_left_at_the_deadline() -> None:
    over = threading.Event()
    seen: list[tuple[Claim, ...]] = []

    def response() -> httpx2.Response:
        over.wait(20)
        return answer(CELLS)

    server = PlayedServer(response)
    with pytest.raises(ExtractionError, match=r"within 0\.05 seconds"):
        server.extractor(deadline_s=0.05).read(HEARD, MINI, seen.append)
    over.set()
    for thread in threading.enumerate():
        if thread.name == "language-model":
            thread.join(20)
    assert seen == []


def test_without_a_key_every_use_says_so() -> None:
    extractor = ModelExtractor(Claude.from_settings(Settings.from_environment({}, None)))
    assert "ANTHROPIC_API_KEY" in (extractor.probe() or "")
    with pytest.raises(ExtractionError, match="There is no Anthropic key"):
        extractor.read(HEARD, MINI)


def test_settings_choose_key_model_and_server() -> None:
    environment = {
        "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "http://on.site", "ENDOSCRIBE_CLAUDE_MODEL": "claude-haiku-5-5"
    }  # fmt: skip
    claude = Claude.from_settings(Settings.from_environment(environment, None))
    assert (claude.model, claude.platform, claude.must_be_tried) == ("claude-haiku-5-5", "server", True)
    assert KEY not in repr(claude)


# -- the probe -------------------------------------------------------------------------------------------------------


def model_info(lifecycle: str = "active", structured: bool = True) -> httpx2.Response:
    yes, support = {"supported": True}, {"supported": structured}
    info = {
        "id": "claude-test", "type": "model", "display_name": "Claude", "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": lifecycle, "capabilities": {"structured_outputs": support, "batch": yes},
    }  # fmt: skip
    return httpx2.Response(200, json=info)


def test_the_probe_asks_for_the_model() -> None:
    server = PlayedServer(model_info())
    assert server.extractor().probe() is None
    assert server.requests == [{"path": "/v1/models/claude-test"}]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("response", "part"),
    [
        (refused(401, "authentication_error"), "key was refused"),
        (refused(404, "not_found_error"), "no Claude model claude-test"),
        (httpx2.ConnectError("down"), "cannot be reached"),
        (model_info(lifecycle="retired"), "is retired"),
        (model_info(structured=False), "no structured output"),
        (httpx2.Response(200, content=b"<html>hello"), "could not be read"),
    ],
)
def test_the_probe_says_why_claude_cannot_be_asked(response: "httpx2.Response | Exception", part: str) -> None:
    assert part in (PlayedServer(response).extractor().probe() or "")


def test_a_server_on_site_may_tell_nothing_about_its_model() -> None:
    bare = httpx2.Response(200, json={"id": "claude-test", "object": "model"})
    assert PlayedServer(bare, answer([TRIED])).extractor(platform="server").probe() is None


def test_a_deprecated_model_still_serves_and_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    assert PlayedServer(model_info(lifecycle="deprecated")).extractor().probe() is None
    assert "is deprecated" in caplog.text


def test_a_server_on_site_need_not_list_its_models() -> None:
    server = PlayedServer(refused(404, "not_found_error"), answer([TRIED]))
    assert server.extractor(platform="server").probe() is None


@pytest.mark.parametrize(
    "response",
    [
        answer([]),
        answer([{**TRIED, "quote": "a polyp that nobody spoke of"}]),
        answer([{"name": "polyps.size_mm"}]),
        sse(wire(events("The polyp measures 6 mm."))),
        sse(wire(events("```json\n{}\n```"))),
    ],
)
def test_a_server_that_ignores_the_form_is_found_out_at_the_start(response: httpx2.Response) -> None:
    server = PlayedServer(refused(404, "not_found_error"), response)
    assert "does not keep to the form" in (server.extractor(platform="server").probe() or "")
    trial = server.requests[1]
    assert trial["output_config"]["format"]["schema"] == ANSWER_SCHEMA
    assert "six millimeters" in trial["messages"][0]["content"]


def test_a_server_that_fails_its_trial_says_why() -> None:
    server = PlayedServer(refused(404, "not_found_error"), httpx2.ConnectError("down"))
    assert "cannot be reached" in (server.extractor(platform="server").probe() or "")


@pytest.mark.parametrize(("platform", "names"), [("bedrock", "AWS_REGION"), ("vertex", "CLOUD_ML_REGION")])
def test_a_cloud_platform_that_is_not_set_up_says_what_is_missing(
    platform: str, names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "CLOUD_ML_REGION"):
        monkeypatch.delenv(name, raising=False)
    settings = Settings.from_environment({"ENDOSCRIBE_CLAUDE_PLATFORM": platform}, None)
    assert settings.extractor_name == "claude"
    try:
        problem = ModelExtractor(Claude.from_settings(settings)).probe() or ""
    except ExtractionError as error:
        problem = str(error)
    assert names in problem or "more software" in problem


def test_on_a_cloud_platform_the_same_request_goes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def play(request: httpx2.Request) -> httpx2.Response:
        asked.append({"path": request.url.path, **json.loads(request.content)})
        return sse(b"") if "bedrock" in str(request.url) else answer(CELLS)

    client = anthropic.AnthropicVertex(
        region="europe-west1", project_id="p", access_token="t", max_retries=0, open_telemetry=False,
        http_client=anthropic.DefaultHttpxClient(transport=httpx2.MockTransport(play)),
    )  # fmt: skip
    assert ModelExtractor(Claude(client, "claude-test", "vertex")).read(HEARD, MINI).claims == CLAIMS
    assert asked[0]["path"].endswith("claude-test:streamRawPredict")
    assert asked[0]["output_config"]["format"]["schema"] == ANSWER_SCHEMA


# -- the bill --------------------------------------------------------------------------------------------------------


def test_the_bill_counts_every_request_and_tells_list_prices_for_the_api_only() -> None:
    server = PlayedServer(answer([*CELLS, INVENTED]), answer([INVENTED]))
    read = server.extractor().read(HEARD, MINI)
    assert read.bill is not None
    assert (read.bill.usage, read.bill.cost_usd) == (Usage(80, 1800, 0, 154, 2), None)
    assert read.bill.sentence() == "2 requests, 1,880 tokens in (1,800 from the cache), 154 out"
    sonnet = Usage(3000, 0, 0, 1000, 1)
    assert sonnet.cost_usd("claude-sonnet-5-5") == pytest.approx(0.016)
    assert sonnet.cost_usd("claude-haiku-5-5") == pytest.approx(0.0008)
    assert "about $0.0160" in Bill(sonnet, sonnet.cost_usd("claude-sonnet-5-5")).sentence()


CUT = json.dumps({"cells": CELLS})[:-20]
#: Each request: 40 tokens in and 900 from the cache; out 77 for one that ended, else 1.
ENDED, BROKEN = Usage(40, 900, 0, 77, 1), Usage(40, 900, 0, 1, 1)


@pytest.mark.parametrize(
    ("responses", "usage"),
    [
        ([sse(wire(events("I am sorry, but no.")))], ENDED),
        ([sse(wire(events("", stop_reason="refusal")))], ENDED),
        ([sse(wire(events(CUT, "max_tokens"))) for _ in range(4)], ENDED + ENDED + ENDED + ENDED),
        ([sse(wire(events(CUT))[:-100])], BROKEN),
        ([sse(wire(events(CUT, "max_tokens"))), refused(401, "authentication_error")], ENDED),
        ([httpx2.ConnectError("down"), sse(wire(events("no")))], ENDED),
    ],
    ids=["unreadable", "refused", "endless", "broken off", "refused later", "second attempt"],
)
def test_a_reading_that_fails_has_its_bill(responses: "list[httpx2.Response | Exception]", usage: Usage) -> None:
    with pytest.raises(ExtractionError) as caught:
        PlayedServer(*responses).extractor().read(HEARD, MINI)
    assert caught.value.bill == Bill(usage)


def test_what_was_never_answered_costs_nothing() -> None:
    for failure in (refused(401, "authentication_error"), httpx2.ConnectError("down")):
        with pytest.raises(ExtractionError) as caught:
            PlayedServer(failure, failure, failure).extractor().read(HEARD, MINI)
        assert caught.value.bill is None


def test_an_answer_that_comes_too_late_has_its_bill_and_is_broken_off() -> None:
    stream = events(json.dumps({"cells": CELLS}), pieces=3)
    over, taken = threading.Event(), []

    def slow() -> Iterator[bytes]:
        yield wire(stream[:6])
        over.wait(20)
        for event in stream[6:]:
            taken.append(event)
            yield wire([event])

    def response() -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=slow())

    server = PlayedServer(response)
    with pytest.raises(ExtractionError, match="within 3 seconds") as caught:
        server.extractor(deadline_s=3).read(HEARD, MINI)
    assert caught.value.bill == Bill(BROKEN)
    over.set()
    for thread in threading.enumerate():
        if thread.name == "language-model":
            thread.join(20)
    assert len(taken) == 1
    assert len(server.requests) == 1


# -- reading piece by piece ------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 12), min_size=1), st.lists(st.text(max_size=8), max_size=4), st.booleans())
def test_an_answer_may_be_cut_anywhere(sizes: list[int], quotes: list[str], ascii_only: bool) -> None:
    cells = [{"field": "history", "row": 0, "value": quote, "quote": quote} for quote in quotes]
    text = json.dumps({"cells": cells}, ensure_ascii=ascii_only, indent=1)
    reader, at, turn = AnswerReader(), 0, 0
    while at < len(text):
        reader.insert(text[at : at + sizes[turn % len(sizes)]])
        at += sizes[turn % len(sizes)]
        turn += 1
    assert reader.is_complete
    assert [claim.quote for claim in reader.claims] == quotes
    assert reader.malformed == 0


#: Texts full of what JSON is made of, so that braces and quotes stand where they mean nothing.
JSON_LIKE = st.text(alphabet='{}[]",:\\ a1\né', max_size=12)
WHOLE_CELLS = st.fixed_dictionaries(
    {"field": JSON_LIKE, "value": JSON_LIKE | st.integers() | st.lists(JSON_LIKE, max_size=3), "quote": JSON_LIKE},
    optional={"row": st.integers(0, 120), "note": st.dictionaries(JSON_LIKE, st.lists(st.integers()), max_size=2)},
)
CELLS_OR_NOT = st.one_of(WHOLE_CELLS, st.dictionaries(JSON_LIKE, JSON_LIKE, max_size=2), st.integers(), JSON_LIKE)


@given(
    st.lists(CELLS_OR_NOT, max_size=6),
    st.lists(st.integers(1, 30), min_size=1),
    st.sampled_from(["", "```json\n"]),
    st.sampled_from(["", "\n```", ", and that is {all} [of] it"]),
)
def test_however_an_answer_is_cut_the_same_cells_come_out_once_and_in_order(
    cells: list[Any], sizes: list[int], before: str, after: str
) -> None:
    text = f"{before}{json.dumps({'cells': cells})}{after}"
    whole = AnswerReader()
    whole.insert(text)
    reader, at = AnswerReader(), 0
    for turn in range(len(text)):
        had = list(reader.claims)
        completed = reader.insert(text[at : at + sizes[turn % len(sizes)]])
        at += sizes[turn % len(sizes)]
        assert reader.claims == [*had, *whole.claims[len(had) : len(had) + completed]]
    assert (reader.claims, reader.malformed, reader.is_complete) == (whole.claims, whole.malformed, True)
    assert len(whole.claims) + whole.malformed == len(cells)


def test_a_cell_whose_last_value_may_still_grow_is_not_shown() -> None:
    reader = AnswerReader()
    assert reader.insert('{"cells": [{"field": "polyps.size_mm", "value": "6", "quote": "six}", "row": 1') == 0
    assert reader.insert("2") == 0
    assert reader.insert("}") == 1
    assert reader.claims == [Claim("polyps.size_mm", "6", "six}", 12)]
