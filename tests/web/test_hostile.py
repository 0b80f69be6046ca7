"""Everything in `hostile.py` is refused with a sentence, or taken for the harmless thing that it is.

Never an error that nobody foresaw, never a hang, nothing of this machine in an answer, and nothing that is executed.
"""

import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.websockets import WebSocketDisconnect

from endoscribe.errors import SchemaError
from endoscribe.procedures.library import SchemaLibrary, load_schema
from endoscribe.transcript import Transcript
from endoscribe.web.downloads import FORMATS
from endoscribe.web.job import report
from endoscribe.web.microphone.protocol import Frame
from tests.support import hostile
from tests.support.hostile import SCRIPT_TAG
from tests.support.protocol import Socket, connect, even_frames
from tests.support.scripted import ScriptedScheduler, Server

#: What an answer to a stranger never holds: code, folders of this machine, other people's files.
TELLTALES = re.compile(rb"Traceback|File \"|/tmp/|site-packages|root:x:|\[boot loader\]")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("data"), ScriptedScheduler(), has_page=True) as server:
        yield server


def refusal(answer: Any) -> str:
    """The sentence with which something was refused."""
    assert 400 <= answer.status_code < 500, answer.text
    assert not TELLTALES.search(answer.content)
    body = answer.json()
    sentence = body.get("detail") or body.get("problem")
    assert sentence
    return str(sentence)


def send(server: Server, content: bytes, name: str = "a.wav") -> Any:
    return server.client.post("/api/transcribe", files={"file": (name, io.BytesIO(content), "audio/wav")})


def ids(named: Any) -> list[str]:
    return [re.sub(r"\W+", "_", name) for name in named]


# -- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", hostile.NO_RECORDINGS.values(), ids=ids(hostile.NO_RECORDINGS))
def test_what_is_no_recording_is_refused(server: Server, content: bytes) -> None:
    assert "recording" in refusal(send(server, content)).lower()


@pytest.mark.parametrize("content", hostile.DOUBTFUL.values(), ids=ids(hostile.DOUBTFUL))
def test_a_doubtful_recording_is_heard_or_refused(server: Server, content: bytes) -> None:
    answer = send(server, content)
    if answer.status_code != 200:
        assert "recording" in refusal(answer).lower()
    assert SCRIPT_TAG not in answer.text


@pytest.mark.parametrize("name", hostile.FILE_NAMES)
def test_a_file_may_be_called_anything(server: Server, name: str) -> None:
    assert "recording" in refusal(send(server, b"Dear colleague", name)).lower()
    assert send(server, hostile.SAMPLE, name).status_code == 200


# -- messages --------------------------------------------------------------------------------------------------------


def ended_with_a_sentence(socket: Socket) -> None:
    problem = socket.until("problem")
    assert problem["text"].endswith(".")
    assert not TELLTALES.search(problem["text"].encode())
    assert problem["again"] is False
    with pytest.raises(WebSocketDisconnect):
        socket.until("nothing")


@pytest.mark.parametrize("message", hostile.MESSAGES, ids=range(len(hostile.MESSAGES)))
def test_a_message_that_makes_no_sense_ends_the_connection(server: Server, message: str) -> None:
    with connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        socket.send(*even_frames()[:2])
        socket.until_safe(2 * 3200)
        connection.send_text(message)
        ended_with_a_sentence(socket)
    assert server.client.post(f"/microphone/{session}/messages", content=message.encode()).status_code == 400
    with connect(server) as connection:
        assert Socket(connection).hello(session)["samples"] == 2 * 3200


@pytest.mark.parametrize("changes", hostile.HELLOS, ids=range(len(hostile.HELLOS)))
def test_a_hello_that_makes_no_sense_opens_nothing(server: Server, changes: dict[str, object]) -> None:
    before = len(server.services.sessions.sessions())
    hello = {"type": "hello", "protocol": 1, "session": None, "procedure": "col", "sample_rate": 16_000, **changes}
    with connect(server) as connection:
        connection.send_text(json.dumps(hello))
        ended_with_a_sentence(Socket(connection))
    assert server.client.post("/microphone/hello", content=json.dumps(hello)).status_code in (400, 503)
    assert len(server.services.sessions.sessions()) == before


@pytest.mark.parametrize("data", hostile.FRAMES, ids=range(len(hostile.FRAMES)))
def test_bytes_that_are_no_frames_store_nothing(server: Server, data: bytes) -> None:
    with connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        if data:
            connection.send_bytes(data)
            ended_with_a_sentence(socket)
    answer = server.client.post(f"/microphone/{session}/frames", content=data)
    assert answer.status_code == (400 if data else 200)
    assert server.services.sessions.sample_count(session) == 0


def test_frames_from_nowhere_take_no_memory_and_no_place(server: Server) -> None:
    """Each announces itself somewhere else before a gap; together they would be gigabytes."""
    with connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        for far in (2**64 - 1, 2**63, 31 * 16_000):
            connection.send_bytes(Frame(0, far, bytes(2)).encode())
        for first in range(1, 3000):
            connection.send_bytes(Frame(first, first, bytes(2 * 20_000)).encode())
        frames = even_frames()
        socket.send(*frames)
        socket.until_safe(len(frames) * 3200)
        state = server.client.app.state  # type: ignore[attr-defined]
        recording = state.recordings.find(session, None, state.access)
        assert recording.waiting_bytes == 0


# -- texts -----------------------------------------------------------------------------------------------------------


class Markup(HTMLParser):
    """What a browser would make of a piece of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.harm: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        loads = [value for name, value in attrs if name in ("src", "href") and value and ":" in value]
        handlers = [name for name, _ in attrs if name.startswith("on")]
        if tag in ("script", "iframe", "img", "h1") or loads or handlers:
            self.harm.append(tag)


@pytest.mark.parametrize("text", hostile.TEXTS.values(), ids=ids(hostile.TEXTS))
def test_a_text_stays_a_text(server: Server, text: str) -> None:
    """Through the API, the page's panels and every download."""
    answer = server.client.post("/api/extract", content=json.dumps({"text": text, "procedure": "col"}))
    assert answer.status_code in (200, 422)
    sessions = server.services.sessions
    session = sessions.create("col", 16_000, "upload").id
    sessions.save_transcript(session, Transcript(text))
    report(server.services, server.reviews, session, "col")
    shown = server.client.get(f"/sessions/{session}/report")
    assert shown.status_code == 200
    for html in shown.json()["panels"].values():
        assert Markup(html or "").harm == []
    for form in FORMATS:
        answer = server.client.get(f"/download/{session}/{form}")
        assert answer.status_code == 200
        assert answer.content
    sessions.discard(session)


@pytest.mark.parametrize(
    "body",
    [
        hostile.DEEP,
        '{"text": ' + hostile.DEEP,
        '{"text": "x", "procedure": "col", "depth": ' + '{"a": ' * 50_000,
        '{"text": NaN, "procedure": "col"}',
        '{"text": "", "procedure": "col"}',
        '{"text": "x", "procedure": "../col"}',
        json.dumps({"text": "x", "procedure": SCRIPT_TAG}),
        json.dumps({"text": "x" * 200_001, "procedure": "col"}),
        json.dumps({"text": "x", "procedure": "col", "extra": 1}),
        json.dumps({"text": ["x"], "procedure": "col"}),
        "text=x&procedure=col",
        "\ud7ff",
        "",
    ],
    ids=range(13),
)
def test_a_request_that_makes_no_sense_is_refused(server: Server, body: str) -> None:
    answer = server.client.post("/api/extract", content=body, headers={"content-type": "application/json"})
    assert SCRIPT_TAG not in answer.headers.values()
    refusal(answer)
    for path in ("sessions/list", f"sessions/{'0' * 32}/edits", f"sessions/{'0' * 32}/signature"):
        refusal(server.client.post(f"/{path}", content=body, headers={"content-type": "application/json"}))


def test_nothing_that_was_sent_comes_back_in_a_refusal(server: Server) -> None:
    answer = server.client.post("/api/extract", json={"text": "Mrs. Canary" * 20_000, "procedure": "col"})
    assert "Canary" not in answer.text
    assert "200000" in refusal(answer)


@pytest.mark.parametrize("value", ["\ud83d polyp", "a\u0000b", "\ufffe", "x" * 100_000])
def test_any_text_can_be_typed_into_a_report(server: Server, value: str) -> None:
    sessions = server.services.sessions
    session = sessions.create("col", 16_000, "upload").id
    sessions.save_transcript(session, Transcript("A polyp in the sigmoid, 6 mm."))
    report(server.services, server.reviews, session, "col")
    revision = server.reviews.review(session).revision
    edit = {"revision": revision, "kind": "set", "target": "ti_finding", "value": value}
    for path, body in (("edits", edit), ("signature", {"revision": revision, "name": value})):
        headers = {"content-type": "application/json"}
        answer = server.client.post(f"/sessions/{session}/{path}", content=json.dumps(body), headers=headers)
        assert answer.status_code in (200, 409, 422)
        assert "detail" not in answer.json()  # it was understood
        assert server.client.get(f"/sessions/{session}/report").status_code == 200


# -- paths -----------------------------------------------------------------------------------------------------------


def addresses(server: Server) -> list[tuple[str, str]]:
    """Every route that takes something from its address, with a method that it answers."""
    included = [getattr(route, "original_router", None) for route in server.client.app.routes]  # type: ignore[attr-defined]
    routes = [route for router in included if router for route in router.routes if isinstance(route, APIRoute)]
    return [(method, route.path) for route in routes if "{" in route.path for method in sorted(route.methods or ())]


@pytest.mark.parametrize("trick", hostile.PATH_TRICKS, ids=range(len(hostile.PATH_TRICKS)))
def test_no_address_leads_anywhere_else(server: Server, trick: str) -> None:
    found = addresses(server)
    assert len(found) > 10
    for method, path in [*found, ("GET", "/ui/{file}"), ("GET", "/samples/{file}"), ("GET", "/gradio_api/file={file}")]:
        address = re.sub(r"\{[^}]*\}", lambda _: trick, path)
        answer = server.client.request(method, address, content=b"{}")
        assert answer.status_code < 500, (method, path)
        assert not TELLTALES.search(answer.content), (method, path)
        assert "x-bad" not in answer.headers
        if answer.status_code == 200:
            assert "text/html" in answer.headers["content-type"], (method, path)  # the page itself: ".." led to it


# -- schemas ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", hostile.SCHEMAS.values(), ids=ids(hostile.SCHEMAS))
def test_a_schema_that_is_more_than_data_is_refused(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SchemaError, match=r"own\.yaml|include"):
        load_schema(path)
    assert [each.name for each in tmp_path.iterdir()] == ["own.yaml"]  # nothing was run


def test_markup_in_a_schema_is_text_on_the_page(tmp_path: Path) -> None:
    label = json.dumps(f"{SCRIPT_TAG}<img src=x onerror=alert(1)>{{{{7*7}}}}")
    text = hostile.ORDINARY_SCHEMA.replace("label: Lavage", f"label: {label}").replace("Bronchoscopy", label)
    (tmp_path / "own.yaml").write_text(text.replace("{findings: Findings}", f"{{findings: {label}}}"), "utf-8")
    assert SchemaLibrary(tmp_path).get("own").title.startswith("<script>")
    with Server(tmp_path / "data", ScriptedScheduler(), ENDOSCRIBE_SCHEMA_DIR=str(tmp_path)) as server:
        sessions = server.services.sessions
        session = sessions.create("own", 16_000, "upload").id
        sessions.save_transcript(session, Transcript("A lavage was done."))
        report(server.services, server.reviews, session, "own")
        panels = server.client.get(f"/sessions/{session}/report").json()["panels"]
        assert "&lt;script&gt;" in panels["record"]
        for html in panels.values():
            assert Markup(html or "").harm == []
        assert "49" not in server.client.get(f"/download/{session}/md").text
