"""The steps for programs: REST, named end points, MCP, and every example of docs/API.md as it stands there."""

import asyncio
import contextlib
import io
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import gradio as gr
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import TextContent

from endoscribe.errors import BusyError
from endoscribe.web.gradio.blocks import NOT_UPLOADED
from endoscribe.web.routes import api
from tests.support.paths import ROOT, SUPPORT
from tests.support.program import running
from tests.support.scripted import SCRIPT, ScriptedScheduler, Server

SAMPLE = ROOT / "endoscribe" / "samples" / "col-two-polyps.flac"
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "API.md").read_text(), re.DOTALL)
SHELL_EXAMPLES = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "API.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("data")
    with Server(folder, ScriptedScheduler(), has_page=True, ENDOSCRIBE_MCP="true") as server:
        yield server


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app as a program of its own, for clients that need a port."""
    with running(tmp_path_factory.mktemp("data"), SUPPORT / "scripted_app.py", ENDOSCRIBE_MCP="true") as app:
        yield app.url.rstrip("/")


def post(server: Server, path: str, **data: str) -> Any:
    with SAMPLE.open("rb") as file:
        return server.client.post(f"/api/{path}", files={"file": ("a.flac", file)}, data=data)


def test_a_recording_becomes_text_and_a_record(server: Server) -> None:
    answer = post(server, "process", procedure="col").json()
    assert answer["transcript"]["text"] == SCRIPT
    cell = answer["record"]["fields"]["bbps_total"]
    assert (cell["value"], cell["status"], cell["evidence"]["quote"]) == (8, "ok", "total 8")
    assert answer["transcript"]["segments"][0]["words"][0] == {
        "text": "This",
        "start": 0,
        "end": 0.1,
        "probability": 0.9,
    }
    assert post(server, "transcribe").json() == answer["transcript"]
    body = {"text": SCRIPT, "procedure": "col"}
    assert server.client.post("/api/extract", json=body).json()["fields"].keys() == answer["record"]["fields"].keys()
    assert not server.services.sessions.sessions()  # nothing is kept


def test_what_cannot_be_done_is_told_with_a_status(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert post(server, "process", procedure="colon").status_code == 422
    letter = {"file": ("letter.wav", b"Dear colleague")}
    refused = server.client.post("/api/transcribe", files=letter)
    assert refused.status_code == 422
    assert "not a recording" in refused.json()["detail"]
    assert server.client.post("/api/extract", json={"text": "", "procedure": "col"}).status_code == 422
    body = {"text": "x", "procedure": "col"}
    assert server.client.post("/api/extract", json=body, headers={"Origin": "https://a.example"}).status_code == 403
    large = {"Content-Length": str(10**12), "Content-Type": "application/json"}
    assert server.client.post("/api/extract", content=b"{}", headers=large).status_code == 413

    def busy(*_: object) -> None:
        raise BusyError("As many people are speaking as this machine can hear.")

    monkeypatch.setattr(ScriptedScheduler, "transcribe", busy)
    assert post(server, "transcribe").status_code == 429


def test_a_step_for_programs_opens_nothing_but_uploads(tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(b"RIFF")
    for given in ({"path": str(secret)}, {"path": "/etc/hostname"}, {"path": "../secret.wav"}):
        with pytest.raises(gr.Error, match="not a file that was uploaded"):
            api._path(given)


def test_a_path_that_calls_itself_an_upload_is_not_believed(url: str) -> None:
    def answer(path: str, body: dict[str, object]) -> Any:
        asked = Request(f"{url}/gradio_api/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(asked) as answered:
            return json.load(answered)

    def events(path: str) -> str:
        with urlopen(f"{url}/gradio_api/{path}", timeout=30) as answered:
            return str(answered.read().decode())

    claimed = {"path": str(SAMPLE), "meta": {"_type": "gradio.FileData"}}
    event = answer("call/transcribe", {"data": [claimed, "col"]})["event_id"]
    refused = events(f"call/transcribe/{event}")
    assert "event: error" in refused
    assert NOT_UPLOADED in refused
    with urlopen(f"{url}/config") as answered:
        config = json.load(answered)
    names = {part["id"]: part["props"].get("elem_id") for part in config["components"]}
    inputs = {each["id"]: [names.get(part) for part in each["inputs"]] for each in config["dependencies"]}
    (study,) = (each for each, parts in inputs.items() if parts[:1] == ["research-files"])
    answer("queue/join", {"data": [[claimed], None, "col"], "fn_index": study, "session_hash": "stranger"})
    refused = events("queue/data?session_hash=stranger")
    assert '"success":false' in refused
    assert NOT_UPLOADED in refused
    assert SAMPLE.exists()


def test_a_body_that_is_not_of_its_form_is_told_in_a_sentence_and_part_by_part(server: Server) -> None:
    refused = server.client.post("/api/extract", json={"text": "", "words": "what the patient said"})
    assert refused.status_code == 422
    told = refused.json()
    assert "body.procedure: Field required." in told["detail"]
    assert {tuple(fault["loc"]) for fault in told["faults"]} == {
        ("body", "text"),
        ("body", "procedure"),
        ("body", "words"),
    }
    assert "what the patient said" not in refused.text
    described = server.client.get("/api/openapi.json").json()
    (shape,) = described["paths"]["/api/extract"]["post"]["responses"]["422"]["content"].values()
    assert shape["schema"]["$ref"].endswith("/ProblemAnswer")


def test_openapi_describes_the_steps_and_nothing_of_the_page(server: Server) -> None:
    described = server.client.get("/api/openapi.json").json()
    steps = {"/api/procedures", "/api/transcribe", "/api/extract", "/api/process"}
    assert set(described["paths"]) == {*steps, "/api/sessions/{session_id}/context", "/health", "/ready"}
    assert "RecordAnswer" in described["components"]["schemas"]


def test_the_steps_are_tools_by_setting(server: Server) -> None:
    tools = {tool["name"].split("_")[-1]: tool for tool in server.client.get("/gradio_api/mcp/schema").json()}
    assert tools.keys() == {"procedures", "transcribe", "extract", "process"}
    assert "What was dictated" in tools["extract"]["inputSchema"]["properties"]["text"]["description"]


def test_a_language_model_uses_the_tools(url: str) -> None:
    """As an MCP client does: list, then call."""

    async def use() -> tuple[set[str], dict[str, Any]]:
        async with (
            streamable_http_client(f"{url}/gradio_api/mcp/") as (reading, writing, _),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            names = {tool.name.split("_")[-1]: tool.name for tool in (await session.list_tools()).tools}
            answer = await session.call_tool(names["extract"], {"text": SCRIPT, "procedure": "col"})
            assert not answer.isError
            (part,) = answer.content
            assert isinstance(part, TextContent)
            return set(names), json.loads(part.text)

    names, record = asyncio.run(use())
    assert names == {"procedures", "transcribe", "extract", "process"}
    assert record["fields"]["bbps_total"]["value"] == 8


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_of_the_documentation_run(
    number: int, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("ENDOSCRIBE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ENDOSCRIBE_EXTRACTOR", "offline")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(EXAMPLES[number].replace("http://127.0.0.1:7860", url), {})
    assert printed.getvalue().strip()


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_the_shell_examples_of_the_documentation_run(url: str) -> None:
    (example,) = SHELL_EXAMPLES
    script = example.replace("http://127.0.0.1:7860", url)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    extracted, rest = json.JSONDecoder().raw_decode(done.stdout)
    processed = json.loads(done.stdout[rest:])
    assert extracted["fields"]["extent_reached"]["value"] == "cecum"
    assert processed["record"]["fields"]["bbps_total"]["value"] == 8


def test_the_example_without_a_server_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENDOSCRIBE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ENDOSCRIBE_EXTRACTOR", "offline")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(EXAMPLES[-1], {})
    assert "cecum" in printed.getvalue()
