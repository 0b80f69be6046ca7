"""People with passwords: the app that knows them, and how they sign in."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from endoscribe.auth.users import UsersFile
from tests.support.paths import SUPPORT
from tests.support.program import running
from tests.support.scripted import ScriptedScheduler, Server

PASSWORD = "a long enough password"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HELLO = {"type": "hello", "protocol": 1, "procedure": "col", "sample_rate": 16_000}


def browser(server: Server) -> TestClient:
    """Another browser at the same server, which is running already."""
    client = TestClient(server.app, "http://testserver", follow_redirects=False)
    client.portal = server.client.portal
    return client


def log_in(client: TestClient | httpx.Client, name: str, password: str = PASSWORD, **headers: str) -> Any:
    form = re.search(r'name="form" value="([^"]+)"', client.get("/login", headers=headers).text)
    assert form
    data = {"form": form[1], "name": name, "password": password}
    return client.post("/login", data=data, headers=headers)


@contextmanager
def known_to(folder: Path, *names: str) -> Iterator[Server]:
    """The app with its page in this process, and who may enter it."""
    users = UsersFile(folder / "users.txt", QUICK)
    for name in names:
        users.add(name, PASSWORD)
    auth = f"users:{folder / 'users.txt'}"
    with Server(folder, ScriptedScheduler(), has_page=True, ENDOSCRIBE_AUTH=auth) as server:
        yield server


def signed_in(server: Server, name: str) -> TestClient:
    client = browser(server)
    assert log_in(client, name).status_code == 303
    return client


@contextmanager
def served(folder: Path, **settings: str) -> Iterator[tuple[str, dict[str, dict[str, str]]]]:
    """The app as a program, its address, and what each user's program sends to be let in."""
    users = UsersFile(folder / "users.txt", QUICK)
    tokens = {}
    for name in ("ada", "ben"):
        users.add(name, PASSWORD)
        tokens[name] = {"Authorization": f"Bearer {users.issue_token(name)}"}
    auth = {} if "ENDOSCRIBE_DEMO" in settings else {"ENDOSCRIBE_AUTH": f"users:{folder / 'users.txt'}"}
    with running(folder / "data", SUPPORT / "scripted_app.py", **auth, **settings) as app:
        yield app.url.rstrip("/"), tokens
