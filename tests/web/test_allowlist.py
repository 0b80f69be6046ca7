"""Gradio's routes: those that nobody needs are closed, and what one does there is not another's to hear or stop."""

import asyncio
import io
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.responses import Response
from starlette.routing import Mount

from endoscribe.web.gradio import allowlist
from endoscribe.web.gradio.allowlist import MCP_PATHS, USED, GradioAllowlist, IdOwners
from tests.support.scripted import SCRIPT, Server
from tests.support.sign_in import known_to, signed_in

CLOSED = [
    "deep_link", "component_server", "process_recording", "vibe-edit", "vibe-code", "undo-vibe-edit",
    "vibe-starter-queries", "proxy=http://127.0.0.1/x", "file=/etc/passwd", "file/etc/passwd", "stream/x",
    "run/extract", "api/extract", "call/v2/extract/x", "reset", "queue/status", "dev/reload", "token", "user",
    "login_check", "startup-events", "openapi.json", "custom_component/1/server/component/index.js",
    "mcp/", "mcp/sse", "mcp/schema",
]  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore:.*HTTP_422_UNPROCESSABLE_ENTITY.*")  # Gradio's own, at every click


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with known_to(tmp_path_factory.mktemp("data"), "ada", "ben") as server:
        yield server


@pytest.fixture(scope="module")
def ada(server: Server) -> TestClient:
    return signed_in(server, "ada")


@pytest.fixture(scope="module")
def ben(server: Server) -> TestClient:
    return signed_in(server, "ben")


def gradios_routes(server: Server) -> Iterator[tuple[str, str]]:
    """Every method and path of the Gradio that is installed."""

    def every(routes: Iterable[Any]) -> Iterator[Any]:
        for route in routes:
            yield from every(route.original_router.routes) if hasattr(route, "original_router") else [route]

    (mounted,) = (route for route in server.app.routes if isinstance(route, Mount) and route.path == "")
    assert isinstance(mounted.app, GradioAllowlist)
    for route in every(mounted.app._app.routes):  # type: ignore[attr-defined]
        yield from ((method, route.path) for method in getattr(route, "methods", None) or ("GET", "POST"))


def passes(method: str, path: str, *, has_mcp: bool = False) -> bool:
    """Whether the allow-list lets a request through to what is behind it."""
    guarded = GradioAllowlist(Response("inside"), has_mcp=has_mcp)
    return TestClient(guarded).request(method, path).status_code == 200


def test_of_gradios_routes_only_those_that_are_used_are_open(server: Server) -> None:
    """A route that a new Gradio brings is closed until somebody puts it on the list."""
    routes = set(gradios_routes(server))
    assert len(routes) > 50
    opened = {(method, path) for method, path in routes if passes(method, _filled(path))}
    assert opened == {(method, path) for method, path in routes if method in USED.get(path, ())}
    assert {path for _, path in opened} == set(USED)  # none is on the list that Gradio does not have
    assert len(opened) < len(routes) / 3


def _filled(path: str) -> str:
    for name in ("path:path", "url_path:path", "path_or_url:path"):
        path = path.replace(f"{{{name}}}", "x/y")
    return path.replace("{", "").replace("}", "")


def test_the_tools_are_open_by_setting_only() -> None:
    for path in MCP_PATHS:
        assert passes("POST", path, has_mcp=True)
        assert not passes("POST", path)
    for path in ("/gradio_api/mcp/sse", "/gradio_api/mcp/messages", "/gradio_api/deep_link"):
        assert not passes("GET", path, has_mcp=True)


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_what_is_not_used_is_not_there(ada: TestClient, method: str, path: str) -> None:
    answer = ada.request(method, f"/gradio_api/{path}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize("path", ["/monitoring", "/monitoring/summary", "/svelte/x", "/robots.txt", "/manifest.json"])
def test_nor_is_what_lies_beside_it(ada: TestClient, path: str) -> None:
    assert ada.get(path).status_code == 404


def named_step(client: TestClient, name: str, data: list[Any], **more: str) -> str:
    answer = client.post(f"/gradio_api/call/{name}", json={"data": data, **more})
    assert answer.status_code == 200
    return str(answer.json()["event_id"])


def test_what_a_program_asked_for_only_it_hears(ada: TestClient, ben: TestClient) -> None:
    event = named_step(ada, "extract", [SCRIPT, "col"])
    for asked in (
        ben.get(f"/gradio_api/call/extract/{event}"),
        ben.get(f"/gradio_api/queue/data?session_hash={event}"),
        ben.post("/gradio_api/cancel", json={"session_hash": "bens", "fn_index": 0, "event_id": event}),
    ):
        assert (asked.status_code, asked.json()) == (404, {"detail": "Not Found"})
    assert "bbps_total" in ada.get(f"/gradio_api/call/extract/{event}").text


def test_a_page_is_heard_and_stopped_by_its_own_person_only(ada: TestClient, ben: TestClient) -> None:
    event = named_step(ada, "extract", [SCRIPT, "col"], session_hash="adas-page")
    cancel = {"session_hash": "adas-page", "fn_index": 0, "event_id": "x"}
    for asked in (
        ben.get("/gradio_api/queue/data?session_hash=adas-page"),
        ben.get("/gradio_api/queue/data?session_hash=bens&session_hash=adas-page"),
        ben.get("/gradio_api/call/extract/adas-page"),
        ben.get("/gradio_api/heartbeat/adas-page"),
        ben.post("/gradio_api/cancel", json=cancel),
        ben.post("/gradio_api/queue/join", json={"data": [], "fn_index": 0, "session_hash": "adas-page"}),
        ben.post("/gradio_api/call/extract", json={"data": ["x", "col"], "session_hash": "adas-page"}),
    ):
        assert asked.status_code == 404
    heard = ada.get("/gradio_api/queue/data?session_hash=adas-page").text
    assert event in heard
    assert "bbps_total" in heard


def uploaded(client: TestClient, content: bytes, **query: str) -> str:
    files = {"files": ("dictation.wav", io.BytesIO(content), "audio/wav")}
    (path,) = client.post("/gradio_api/upload", files=files, params=query).json()
    return str(path)


def test_an_upload_is_its_own_persons(ada: TestClient, ben: TestClient) -> None:
    path = uploaded(ada, b"a recording of Ada's", upload_id="adas-upload")
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    asked = {"data": [{"deeper": [file]}, "col"]}
    assert ben.post("/gradio_api/call/transcribe", json=asked).status_code == 404
    assert ben.get("/gradio_api/upload_progress?upload_id=adas-upload").status_code == 404
    assert ben.get(f"/gradio_api/file={path}").status_code == 404
    assert ada.post("/gradio_api/call/transcribe", json=asked).status_code == 200


def test_two_may_upload_the_same(ada: TestClient, ben: TestClient) -> None:
    path = uploaded(ada, b"what both have")
    assert uploaded(ben, b"what both have") == path
    for client in (ada, ben):
        named_step(client, "transcribe", [{"path": path, "meta": {"_type": "gradio.FileData"}}, "col"])


def test_more_than_any_step_takes_is_refused(ada: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowlist, "MOST_BODY_BYTES", 1000)
    assert ada.post("/gradio_api/call/extract", json={"data": ["x" * 1000, "col"]}).status_code == 413


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b'"x"', b"[[]]", b'{"session_hash": ["x"]}', b"\xff"])
def test_what_is_no_request_is_refused(ada: TestClient, body: bytes) -> None:
    answer = ada.post("/gradio_api/queue/join", content=body, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status_code < 500


def test_ids_are_forgotten_in_turn_and_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowlist, "MOST_IDS_EACH", 2)
    monkeypatch.setattr(allowlist, "MOST_OWNERS", 2)
    belongings = IdOwners()
    assert belongings.claim("ada", ["1", "2"])
    assert not belongings.claim("ben", ["3", "1"])
    assert belongings.claim("ada", ["3"])  # and the oldest goes
    assert belongings.claim("ben", ["1"])
    assert not belongings.claim("ben", ["2"])
    assert belongings.claim("cat", ["4"])  # and whoever was not here for longest
    assert belongings.claim("ben", ["2", "3"])


def test_sockets_end_at_the_gate() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nobody listens")

    asyncio.run(GradioAllowlist(Response("inside"), has_mcp=True)({"type": "websocket", "path": "/"}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
