"""Who is authenticated, and that nobody sees another's dictations: every mode, each route with a session."""

import base64
import json
import re
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from itsdangerous import TimestampSigner
from starlette.requests import HTTPConnection
from starlette.testclient import WebSocketDenialResponse, WebSocketTestSession

import app
from endoscribe.auth import middleware, revocation
from endoscribe.auth import session_cookie as session_cookie_module
from endoscribe.auth.modes import NoAuth, auth_mode
from endoscribe.auth.password_throttle import FREE_FAILURES, PasswordThrottle
from endoscribe.auth.session_cookie import SessionCookies
from endoscribe.auth.users import UsersFile
from endoscribe.errors import SettingsError, StorageError
from endoscribe.settings import Settings
from endoscribe.web.job import report
from endoscribe.web.routes.login import end_visit
from tests.support.scripted import ScriptedScheduler, Server, transcript_of
from tests.support.sign_in import HELLO, PASSWORD, QUICK, browser, known_to, log_in, signed_in

UNKNOWN = "0" * 32


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


@pytest.fixture(scope="module")
def adas(server: Server) -> str:
    """A finished dictation of Ada's."""
    return finished(server, "ada")


def finished(server: Server, owner: str) -> str:
    sessions = server.services.sessions
    made = sessions.create("col", 16_000, owner=owner)
    audio = sessions.open_audio(made.id)
    audio.append(np.zeros(6 * 16_000, "<i2").tobytes())
    audio.sync()
    audio.close()
    sessions.set_complete(made.id)
    sessions.save_transcript(made.id, transcript_of(6 * 16_000))
    report(server.services, server.reviews, made.id, "col")
    return made.id


# -- the start ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "scribe.example.org"])
def test_nobody_starts_a_page_for_strangers(
    host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("ENDOSCRIBE_HOST", host)
    monkeypatch.setenv("ENDOSCRIBE_DATA_DIR", str(tmp_path / "data"))
    assert app.main([]) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "set ENDOSCRIBE_AUTH" in sentence
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_on_this_machine_nobody_has_to_say_who_they_are(host: str) -> None:
    assert auth_mode(Settings.from_environment({"ENDOSCRIBE_HOST": host}, None)) == NoAuth()


@pytest.mark.parametrize("auth", ["yes", "users:", "header:", "header:X-User", "header:X User@10.0.0.1", "users"])
def test_a_way_in_that_is_none_is_refused(auth: str) -> None:
    with pytest.raises(SettingsError, match="ENDOSCRIBE_AUTH is users:FILE"):
        auth_mode(Settings.from_environment({"ENDOSCRIBE_AUTH": auth}, None))


def test_a_demonstration_and_users_do_not_go_together() -> None:
    environ = {"ENDOSCRIBE_AUTH": "users:a", "ENDOSCRIBE_DEMO": "1"}
    with pytest.raises(SettingsError, match="one of them"):
        auth_mode(Settings.from_environment(environ, None))


# -- strangers ---------------------------------------------------------------------------------------------------------

CLOSED = (
    "/", "/config", "/who", "/theme.css", "/api/procedures", "/api/openapi.json", "/samples/col-two-polyps.flac",
    "/gradio_api/info", "/gradio_api/startup-events", "/gradio_api/heartbeat/x",
    "/gradio_api/queue/data?session_hash=x",
    "/gradio_api/file=/etc/passwd", "/gradio_api/deep_link?session_hash=x", "/monitoring/summary", "/gradio_api/app_id",
    f"/sessions/{UNKNOWN}", f"/audio/{UNKNOWN}", "/login/", "/ui", "/health/", "//health", "/nothing-here",
)  # fmt: skip


@pytest.mark.parametrize("path", CLOSED)
def test_a_stranger_is_told_to_sign_in_and_nothing_else(server: Server, path: str) -> None:
    answer = browser(server).get(path)
    assert answer.status_code == 401
    assert "Sign in" in answer.json()["problem"]
    assert "Basic" not in answer.headers["www-authenticate"]  # a browser would put its own question over the page


@pytest.mark.parametrize(
    "path", ["/gradio_api/upload", "/gradio_api/queue/join", "/api/extract", "/sessions/list", "/microphone/hello"]
)
def test_a_stranger_changes_nothing(server: Server, path: str) -> None:
    assert browser(server).post(path, json={}).status_code == 401


def test_a_strangers_microphone_is_refused(server: Server) -> None:
    with pytest.raises(WebSocketDenialResponse), browser(server).websocket_connect("/ws/microphone"):
        pass


@pytest.mark.parametrize("path", ["/health", "/ready", "/login", "/ui/login.css"])
def test_what_is_open_is_open(server: Server, path: str) -> None:
    assert browser(server).get(path).status_code == 200


def test_a_browser_is_sent_to_the_login_page(server: Server) -> None:
    answer = browser(server).get("/", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "./login")
    deep = browser(server).get(f"/download/{UNKNOWN}/pdf", headers={"Accept": "text/html"})
    assert deep.headers["location"] == "../../login"


# -- signing in --------------------------------------------------------------------------------------------------------


def test_signing_in_and_out(server: Server) -> None:
    client = browser(server)
    answer = log_in(client, "ada")
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"):
        assert part in cookie
    assert "Secure" not in cookie
    assert client.get("/who").json() == {"user": "ada", "visit": False}
    assert client.get("/").status_code == 200
    kept = dict(client.cookies)
    assert client.post("/logout").status_code == 303
    assert client.get("/who").status_code == 401
    client.cookies.update(kept)
    assert client.get("/who").status_code == 401  # it was handed back
    noted = [(entry.actor, entry.action) for entry in server.services.sessions.audit.entries()]
    assert noted[-2:] == [("ada", "entered"), ("ada", "left")]


def test_who_works_stays_signed_in_and_a_page_that_only_stands_there_does_not(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = browser(server)
    with monkeypatch.context() as earlier:
        earlier.setattr(TimestampSigner, "get_timestamp", lambda _: int(time.time()) - 7 * 3600)
        client.cookies.set("endoscribe", server.app.state.authenticator.sign_in("ada"))
    asked = client.get("/who")  # as every page does by itself
    assert (asked.json()["user"], asked.headers.get("set-cookie")) == ("ada", None)
    worked = client.post("/sessions/list", json={})
    assert worked.headers["set-cookie"].startswith("endoscribe=")


def test_behind_https_the_cookie_is_for_https_and_this_host_only(server: Server) -> None:
    client = TestClient(server.app, "https://testserver", follow_redirects=False)
    answer = log_in(client, "ada")
    assert answer.headers["set-cookie"].startswith("__Host-endoscribe=")
    assert "Secure" in answer.headers["set-cookie"]
    assert client.get("/who").json()["user"] == "ada"
    behind = log_in(
        TestClient(server.app, "https://testserver", follow_redirects=False), "ada", **{"X-Forwarded-Proto": "https"}
    )
    assert "Secure" in behind.headers["set-cookie"]


def test_a_form_of_another_site_does_not_sign_in(server: Server) -> None:
    client = browser(server)
    data = {"form": "made up", "name": "ada", "password": PASSWORD}
    assert client.post("/login", data=data).status_code == 403
    client.get("/login")
    assert client.post("/login", data=data).status_code == 403
    assert client.get("/who").status_code == 401


@pytest.mark.parametrize("bad", ["", "x", "a.b.c", "ImFkYSI.ZZZ.YYY"])
def test_a_cookie_that_was_made_up_is_no_cookie(server: Server, bad: str) -> None:
    client = browser(server)
    client.cookies.set("endoscribe", bad)
    assert client.get("/who").status_code == 401


def test_who_is_taken_out_of_the_file_or_gets_another_password_is_out(server: Server, tmp_path: Path) -> None:
    users = UsersFile(Path(server.services.settings.data_dir) / "users.txt", QUICK)
    users.add("cat", PASSWORD)
    client = browser(server)
    log_in(client, "cat")
    assert client.get("/who").status_code == 200
    users.add("cat", "quite another password")
    assert client.get("/who").status_code == 401
    log_in(client, "cat", "quite another password")
    assert client.get("/who").status_code == 200
    users.remove("cat")
    assert client.get("/who").status_code == 401


def test_tickets_run_out_and_their_key_is_nobody_elses_business(tmp_path: Path) -> None:
    session_cookies = SessionCookies(tmp_path, 60)
    text = session_cookies.issue("ada", "mark")
    assert stat.S_IMODE((tmp_path / "cookie.key").stat().st_mode) == 0o600
    again = SessionCookies(tmp_path, 60)
    session_cookie = again.read(text)
    assert session_cookie
    assert session_cookie.name == "ada"
    assert SessionCookies(tmp_path, -1).read(text) is None
    assert SessionCookies(tmp_path / "other", 60).read(text) is None
    again.revoke(session_cookie)
    assert session_cookies.read(text) is None  # as another page that shares the folder
    assert SessionCookies(tmp_path, 60).read(text) is None
    other = session_cookies.issue("ada", "mark")
    SessionCookies(tmp_path, 60).revoke(session_cookies.read(other) or session_cookie)
    assert again.read(other) is None
    assert again.read(text) is None


@pytest.mark.parametrize("content", [b"", b"\n", b"abc"])
def test_a_key_that_anybody_could_guess_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "cookie.key").write_bytes(content)
    with pytest.raises(StorageError, match="empty or cut off"):
        SessionCookies(tmp_path, 60)


def test_what_is_handed_back_at_one_page_while_another_starts_counts_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = SessionCookies(tmp_path, 60)
    text = running.issue("ada", "mark")
    session_cookie = running.read(text)
    assert session_cookie
    handing_back = Thread(target=running.revoke, args=(session_cookie,))
    look = session_cookie_module._state

    def look_late(path: Path) -> tuple[int, int, int] | None:
        handing_back.start()
        handing_back.join(0.3)  # it may have to wait for what starts
        return look(path)

    with monkeypatch.context() as starting:
        starting.setattr(session_cookie_module, "_state", look_late)
        started = SessionCookies(tmp_path, 60)
    handing_back.join()
    assert started.read(text) is None


def test_guessing_waits_longer_each_time() -> None:
    now = [0.0]
    password_throttle = PasswordThrottle(lambda: now[0])
    waits = []
    for _ in range(FREE_FAILURES + 12):
        password_throttle.failed(["ada"])
        waits.append(password_throttle.wait_s(["ada"]))
    assert waits[:FREE_FAILURES] == [0] * FREE_FAILURES
    assert waits[FREE_FAILURES : FREE_FAILURES + 4] == [2, 4, 8, 16]
    assert waits[-1] == 300
    assert password_throttle.wait_s(["ben"]) == 0
    now[0] += 301
    assert password_throttle.wait_s(["ada"]) == 0
    password_throttle.succeeded("ada")
    password_throttle.failed(["ada"])
    assert password_throttle.wait_s(["ada"]) == 0


def test_a_guesser_is_told_to_wait_even_with_the_right_password(server: Server) -> None:
    client = browser(server)
    server.app.state.authenticator.password_throttle = PasswordThrottle(lambda: 0.0)  # however long this takes
    for _ in range(FREE_FAILURES + 1):
        assert log_in(client, "mallory", "wrong").status_code == 401
    refused = log_in(client, "mallory")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert "Too many tries" in refused.text
    server.app.state.authenticator.password_throttle = PasswordThrottle()


def test_a_program_signs_in_with_a_password_or_a_token(server: Server) -> None:
    users = UsersFile(Path(server.services.settings.data_dir) / "users.txt", QUICK)
    token = users.issue_token("ben")
    basic = base64.b64encode(f"ada:{PASSWORD}".encode()).decode()
    for kind, given, user in (("Bearer", token, "ben"), ("Basic", basic, "ada"), ("Basic", basic, "ada")):
        answer = browser(server).get("/who", headers={"Authorization": f"{kind} {given}"})
        assert answer.json()["user"] == user
    wrong = base64.b64encode(b"ada:nothing of the kind").decode()
    for given in ("Bearer x", f"Basic {wrong}", "Basic ???", "Basic", "Digest a"):
        assert browser(server).get("/who", headers={"Authorization": given}).status_code == 401


# -- other sites -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://testserver.evil.example", "http://testserver:81"]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/login"), ("POST", "/logout"), ("POST", "/sessions/list"), ("DELETE", f"/sessions/{UNKNOWN}"),
        ("POST", "/gradio_api/queue/join"), ("POST", "/gradio_api/upload"), ("POST", "/gradio_api/cancel"),
        ("POST", "/gradio_api/call/extract"), ("POST", "/microphone/hello"), ("POST", "/api/extract"),
        ("GET", "/config"),
    ],
)  # fmt: skip
def test_another_sites_page_can_do_nothing(ada: TestClient, origin: str, method: str, path: str) -> None:
    answer = ada.request(method, path, headers={"Origin": origin})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", ["https://[", "https://", "", "//"])
def test_an_origin_that_is_none_is_another_sites(ada: TestClient, origin: str) -> None:
    assert ada.get("/who", headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize(
    ("auth", "proxies"), [("users:no-users.txt", "10.0.0.7"), ("header:X-Forwarded-User@10.0.0.7", "127.0.0.1")]
)
def test_under_which_name_the_page_was_asked_for_is_believed_of_named_proxies_only(
    tmp_path: Path, auth: str, proxies: str
) -> None:
    headers = {"Origin": "https://scribe.example.org", "X-Forwarded-Host": "scribe.example.org"}
    with Server(tmp_path, ENDOSCRIBE_AUTH=auth, ENDOSCRIBE_PROXIES=proxies) as server:
        proxy, other = (
            TestClient(server.app, "http://testserver", client=(address, 1), follow_redirects=False)
            for address in ("10.0.0.7", "10.0.1.7")
        )
        assert proxy.get("/login", headers=headers).status_code in (200, 303)
        assert proxy.get("/login", headers={**headers, "Origin": "https://evil.example"}).status_code == 403
        assert other.get("/login", headers=headers).status_code == 403


def test_a_proxy_whose_host_name_is_not_believed_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    headers = {"Origin": "https://scribe.example.org", "X-Forwarded-Host": "scribe.example.org"}
    with Server(tmp_path, ENDOSCRIBE_DEMO="true") as server:
        proxy = TestClient(server.app, "http://testserver", client=("10.16.4.9", 1))
        assert proxy.get("/who", headers=headers).status_code == 403
    (line,) = [each.getMessage() for each in caplog.records if "ENDOSCRIBE_PROXIES" in each.getMessage()]
    assert line.startswith("Requests are passed on by 10.16.4.9, ")
    assert "X-Forwarded-Host" in line


# -- other users -------------------------------------------------------------------------------------------------------


def routes_with_a_session(server: Server) -> list[tuple[str, str]]:
    def every(routes: Iterable[Any]) -> Iterator[APIRoute]:
        for route in routes:
            if hasattr(route, "original_router"):
                yield from every(route.original_router.routes)
            elif isinstance(route, APIRoute):
                yield route

    found = [route for route in every(server.app.routes) if "{session_id}" in route.path]
    return sorted((method, route.path) for route in found for method in route.methods or ())


def asked(client: TestClient, method: str, path: str, session: str) -> tuple[int, str]:
    path = path.replace("{session_id}", session).replace("{form}", "json")
    bodies: dict[str, Any] = {
        "edits": {"kind": "set", "target": "bbps_total", "value": "7"},
        "signature": {"name": "Ben"},
        "reading": {"choice": "leave"},
        "undo": {},
    }
    last = path.rsplit("/", 1)[-1]
    body = json.dumps({"revision": "x", **bodies[last]}) if last in bodies else '{"type": "stop", "samples": 0}'
    query = "?target=bbps_total&left=1&right=1"
    content = b"" if last == "frames" else body.encode()
    headers = {"Content-Type": "application/json"}
    answer = client.request(method, path + query, content=content if method == "POST" else None, headers=headers)
    return answer.status_code, answer.text


def test_another_users_session_answers_on_every_route_as_one_that_never_was(
    server: Server, ada: TestClient, ben: TestClient, adas: str
) -> None:
    routes = routes_with_a_session(server)
    assert len(routes) >= 12
    for method, path in routes:
        strangers = asked(ben, method, path, adas)
        assert strangers[0] in (404, 409), path
        assert strangers == asked(ben, method, path, UNKNOWN), path
    assert ada.get(f"/sessions/{adas}").json()["session"] == adas
    assert ada.get(f"/download/{adas}/json").status_code == 200
    assert ada.get(f"/audio/{adas}").status_code == 200


def test_a_list_and_a_search_hold_ones_own_only(ada: TestClient, ben: TestClient, adas: str) -> None:
    for search in ("", "polyp", "col"):
        assert adas in ada.post("/sessions/list", json={"search": search}).text
        assert adas not in ben.post("/sessions/list", json={"search": search}).text


def test_a_recording_goes_on_for_its_speaker_only(ada: TestClient, ben: TestClient) -> None:
    (welcome,) = ada.post("/microphone/hello", json=HELLO).json()
    session = welcome["session"]
    (refused,) = ben.post("/microphone/hello", json={**HELLO, "session": session}).json()
    (unknown,) = ben.post("/microphone/hello", json={**HELLO, "session": UNKNOWN}).json()
    assert refused == unknown
    assert ben.post(f"/microphone/{session}/frames").status_code == 409
    assert ben.post(f"/microphone/{session}/messages", json={"type": "stop", "samples": 0}).status_code == 409
    with ben.websocket_connect("/ws/microphone") as socket:
        socket.send_json({**HELLO, "session": session})
        assert socket.receive_json() == refused
    with ada.websocket_connect("/ws/microphone") as socket:
        socket.send_json({**HELLO, "session": session})
        assert socket.receive_json()["session"] == session


def test_what_one_person_speaks_is_not_taken_from_another(server: Server, ada: TestClient) -> None:
    sessions = len(server.services.sessions.sessions())
    hello = {**HELLO, "user": "ben"}
    refused = ada.post("/microphone/hello", json=hello)
    assert (refused.status_code, refused.json()[0]["sign_in"], refused.json()[0]["again"]) == (403, True, True)
    with ada.websocket_connect("/ws/microphone") as socket:
        socket.send_json(hello)
        assert socket.receive_json() == refused.json()[0]
    assert len(server.services.sessions.sessions()) == sessions
    assert ada.post("/microphone/hello", json={**HELLO, "user": "ada"}).json()[0]["type"] == "welcome"


def test_a_key_of_another_users_browser_opens_nothing(ada: TestClient, ben: TestClient) -> None:
    hello = {**HELLO, "key": "the same"}
    sessions = {client.post("/microphone/hello", json=hello).json()[0]["session"] for client in (ada, ben, ada)}
    assert len(sessions) == 2


def until_the_end(socket: WebSocketTestSession) -> int:
    """What its end says; nothing more is sent."""
    while (message := socket.receive())["type"] != "websocket.close":
        assert message["type"] == "websocket.send"
    return int(message["code"])


def stop(socket: WebSocketTestSession) -> None:
    """As somebody does who is still heard; a socket that ends raises."""
    socket.send_json({"type": "stop", "samples": 0})
    while socket.receive_json()["type"] != "stopped":
        pass


@pytest.mark.parametrize("how", ["signed out", "taken out", "another password"])
def test_a_socket_ends_with_its_sign_in(server: Server, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(revocation, "RECHECK_EVERY_S", 0.01)
    users = UsersFile(Path(server.services.settings.data_dir) / "users.txt", QUICK)
    users.add("dan", PASSWORD)
    client, other = browser(server), browser(server)
    log_in(client, "dan")
    log_in(other, "ada")
    with client.websocket_connect("/ws/microphone") as socket, other.websocket_connect("/ws/microphone") as untouched:
        for each in (socket, untouched):
            each.send_json(HELLO)
            assert each.receive_json()["type"] == "welcome"
        if how == "signed out":
            client.post("/logout")
        elif how == "taken out":
            users.remove("dan")
        else:
            users.add("dan", "quite another password")
        assert until_the_end(socket) == middleware.SIGN_IN_ENDED
        stop(untouched)


def test_a_visitor_without_a_cookie_keeps_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "RECHECK_EVERY_S", 0.0)
    with (
        Server(tmp_path, ScriptedScheduler(), ENDOSCRIBE_DEMO="true") as server,
        server.client.websocket_connect("/ws/microphone") as socket,
    ):
        socket.send_json(HELLO)
        assert socket.receive_json()["type"] == "welcome"
        stop(socket)


def test_signing_in_again_from_a_tab_with_a_dictation_says_to_go_back(server: Server) -> None:
    client = browser(server)
    form = re.search(r'name="form" value="([^"]+)"', client.get("/login?again").text)
    assert form
    data = {"form": form[1], "name": "ada", "password": PASSWORD}
    answer = client.post("/login?again", data=data)
    assert (answer.status_code, answer.headers["location"]) == (303, "login?done")
    assert "Close this tab" in client.get("/login?done").text


def test_whoever_signs_in_signs_with_their_own_name(server: Server, ada: TestClient) -> None:
    session = finished(server, "ada")
    revision = server.reviews.review(session).revision
    panels = ada.post(f"/sessions/{session}/signature", json={"revision": revision, "name": "Somebody Else"}).json()[
        "panels"
    ]
    assert "Signed by <strong>ada</strong>" in panels["review"]


@pytest.mark.filterwarnings("ignore:.*HTTP_422_UNPROCESSABLE_ENTITY.*")  # Gradio's own, at every click
def test_gradios_events_open_nobody_elses_session(server: Server, ada: TestClient, ben: TestClient, adas: str) -> None:
    """Submit with another's id, as the page's queue takes it."""
    config = ada.get("/config").json()
    names = {part["id"]: part["props"].get("elem_id") for part in config["components"]}
    (submit,) = (
        each["id"]
        for each in config["dependencies"]
        if [names.get(part) for part in each["inputs"]] == ["session", "procedure"]
    )

    def told(client: TestClient, session: str) -> str:
        page = f"page-{session}-{id(client)}"
        body = {"data": [session, "col"], "fn_index": submit, "session_hash": page}
        assert client.post("/gradio_api/queue/join", json=body).status_code == 200
        return client.get(f"/gradio_api/queue/data?session_hash={page}").text

    refused = told(ben, adas)
    assert "There is no such session" in refused
    assert "polyp" not in refused
    assert "There is no such session" in told(ben, UNKNOWN)
    assert "polyp" in told(ada, adas)


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "users.txt", "cookie.key"]
)
def test_gradios_file_routes_give_away_nothing(server: Server, ben: TestClient, path: str) -> None:
    folder = server.services.settings.data_dir
    for asked_for in (path, f"{folder}/{path}", f"{folder}/entry/{path}", f"{folder}/users.txt"):
        for route in (
            f"/gradio_api/file={asked_for}",
            f"/gradio_api/file/{asked_for}",
            f"/gradio_api/proxy={asked_for}",
        ):
            assert ben.get(route).status_code in (400, 403, 404, 405), route


# -- a proxy that names its users --------------------------------------------------------------------------------------


def test_a_header_is_believed_from_its_proxy_only(tmp_path: Path) -> None:
    with Server(tmp_path, ENDOSCRIBE_AUTH="header:X-Forwarded-User@10.0.0.0/24") as server:
        proxy = TestClient(server.app, "http://testserver", client=("10.0.0.7", 1))
        assert proxy.get("/who", headers={"X-Forwarded-User": "ada"}).json()["user"] == "ada"
        assert proxy.get("/who").status_code == 403
        assert proxy.get("/who", headers={"X-Forwarded-User": "visitor:1"}).status_code == 403
        twice = [("X-Forwarded-User", "ben"), ("X-Forwarded-User", "ada")]
        assert proxy.get("/who", headers=twice).status_code == 403
        other = TestClient(server.app, "http://testserver", client=("10.0.1.7", 1))
        headers = {"X-Forwarded-User": "ada", "X-Forwarded-For": "10.0.0.7"}
        assert other.get("/who", headers=headers).status_code == 403
        assert other.get("/health").status_code == 200


def counted(server: Server, peer: str, *passed_on: str) -> str:
    """The address that limits count for a request that came by these."""
    headers = [(b"x-forwarded-for", each.encode()) for each in passed_on]
    scope = {"type": "http", "headers": headers, "client": (peer, 1)}
    return str(server.app.state.authenticator.address(HTTPConnection(scope)))


def test_a_visitor_is_counted_behind_the_proxies_that_are_named(tmp_path: Path) -> None:
    with Server(tmp_path, ENDOSCRIBE_DEMO="true", ENDOSCRIBE_PROXIES="10.0.0.0/8,127.0.0.1") as server:
        assert counted(server, "10.1.2.3", "203.0.113.9") == "203.0.113.9"
        assert counted(server, "10.1.2.3", "made.up, 203.0.113.9", "10.4.4.4") == "203.0.113.9"
        assert counted(server, "10.1.2.3") == "10.1.2.3"
        assert counted(server, "203.0.113.9", "10.1.2.3") == "203.0.113.9"


def test_a_proxy_that_is_not_named_is_told_of_once_and_no_visitor_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def told() -> list[str]:
        return [each.getMessage() for each in caplog.records if "ENDOSCRIBE_PROXIES" in each.getMessage()]

    with Server(tmp_path, ENDOSCRIBE_DEMO="true") as server:
        assert counted(server, "8.8.8.8", "203.0.113.9") == "8.8.8.8"
        assert counted(server, "10.16.4.9") == "10.16.4.9"
        assert told() == []
        for _ in range(2):
            assert counted(server, "10.16.4.9", "8.8.8.8") == "10.16.4.9"
        (line,) = told()
        assert line.startswith("Requests are passed on by 10.16.4.9, ")


# -- a proxy where nobody signs in -------------------------------------------------------------------------------------

PASSED_ON = [
    {"X-Forwarded-For": "203.0.113.9"}, {"Forwarded": "for=203.0.113.9"}, {"Via": "1.1 proxy"},
    {"X-Real-IP": "203.0.113.9"}, {"X-Forwarded-Host": "testserver"}, {"X-Forwarded-Proto": "https"},
    {"CF-Connecting-IP": "203.0.113.9"},
]  # fmt: skip


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Nobody has to sign in: the page is for its own machine."""
    with Server(tmp_path_factory.mktemp("alone"), ScriptedScheduler(), has_page=True) as server:
        yield server


@pytest.mark.parametrize("headers", PASSED_ON, ids=lambda headers: next(iter(headers)))
@pytest.mark.parametrize("path", ["/", "/who", "/api/procedures", "/config", f"/sessions/{UNKNOWN}"])
def test_what_a_proxy_passes_on_is_refused_where_nobody_signs_in(
    alone: Server, path: str, headers: dict[str, str]
) -> None:
    refused = alone.client.get(path, headers=headers)
    assert refused.status_code == 403
    assert "ENDOSCRIBE_AUTH" in refused.json()["detail"]
    assert alone.client.get(path).status_code != 403
    assert alone.client.get("/health", headers=headers).status_code == 200


def test_a_microphone_through_a_proxy_is_refused_where_nobody_signs_in(alone: Server) -> None:
    with (
        pytest.raises(WebSocketDenialResponse),
        alone.client.websocket_connect("/ws/microphone", headers={"X-Forwarded-For": "203.0.113.9"}),
    ):
        pass
    with alone.client.websocket_connect("/ws/microphone") as socket:
        socket.send_json(HELLO)
        assert socket.receive_json()["type"] == "welcome"


def test_a_proxy_that_speaks_as_nginx_does_is_seen(alone: Server) -> None:
    """HTTP/1.0 and no header of its own."""
    told: list[Any] = []

    async def ask() -> None:
        async def send(message: Any) -> None:
            told.append(message)

        scope = {
            "type": "http", "http_version": "1.0", "method": "GET", "path": "/who", "raw_path": b"/who",
            "scheme": "http", "query_string": b"", "root_path": "",
            "headers": [(b"host", b"testserver")], "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 7860),
        }  # fmt: skip
        await alone.app(scope, no_body, send)

    async def no_body() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    assert alone.client.portal
    alone.client.portal.call(ask)
    assert told[0]["status"] == 403


@pytest.mark.parametrize("headers", PASSED_ON, ids=lambda headers: next(iter(headers)))
def test_behind_a_proxy_those_who_sign_in_are_served(server: Server, headers: dict[str, str]) -> None:
    users = UsersFile(Path(server.services.settings.data_dir) / "users.txt", QUICK)
    token = {"Authorization": f"Bearer {users.issue_token('ada')}"}
    assert browser(server).get("/who", headers=headers | token).json()["user"] == "ada"


# -- a demonstration ---------------------------------------------------------------------------------------------------


def test_visitors_see_their_own_until_they_leave(tmp_path: Path) -> None:
    with Server(tmp_path, ScriptedScheduler(), ENDOSCRIBE_DEMO="true") as server:
        first, second = (TestClient(server.app, "http://testserver", follow_redirects=False) for _ in range(2))
        first.portal = second.portal = server.client.portal
        assert first.get("/who", headers={"X-Forwarded-For": "203.0.113.9"}).json() == {"user": None, "visit": True}
        assert second.get("/who").status_code == 200
        with first.websocket_connect("/ws/microphone") as socket:
            socket.send_json(HELLO)
            session = socket.receive_json()["session"]
        owner = server.services.sessions.get(session).owner
        assert owner
        assert owner.startswith("visitor:")
        assert first.get(f"/sessions/{session}").status_code == 200
        assert second.get(f"/sessions/{session}").status_code == 404
        server.services.sessions.set_state(session, "interrupted")
        assert owner in server.app.state.authenticator.visits.over(0)
        assert first.post("/logout").status_code == 303
        assert not server.services.sessions.sessions()
        assert end_visit(server.services, owner) == 0
