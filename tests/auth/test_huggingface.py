"""Signing in with Hugging Face, played on a transport of our own that signs real tokens."""

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi.testclient import TestClient

from endoscribe.auth.huggingface import Provider
from endoscribe.auth.modes import HuggingFace, auth_mode
from endoscribe.errors import SettingsError
from endoscribe.settings import Settings
from tests.support.scripted import Server

HOME = "https://huggingface.co"
CLIENT, SECRET = "space-client", "space-secret"
SPACE = {
    "ENDOSCRIBE_AUTH": "huggingface:Ada,some-clinic",
    "OAUTH_CLIENT_ID": CLIENT,
    "OAUTH_CLIENT_SECRET": SECRET,
    "SPACE_HOST": "ada-endoscribe.hf.space",
}
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class PlayedProvider:
    """Answers as Hugging Face does; `claims`, `key` and the like say what it gets wrong."""

    user: dict[str, Any] = field(default_factory=lambda: {"sub": "1", "preferred_username": "ada", "orgs": []})
    claims: dict[str, Any] = field(default_factory=dict)
    key: rsa.RSAPrivateKey = KEY
    algorithm: str = "RS256"
    issuer: str = HOME
    told_sub: str | None = None
    token_type: str = "Bearer"
    is_down: bool = False
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def sign_in(self, address: str) -> dict[str, str]:
        """What the provider's own pages do: remember what was asked, and send the browser back with a code."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert address.startswith(f"{HOME}/oauth/authorize?")
        assert (asked["client_id"], asked["response_type"]) == (CLIENT, "code")
        assert asked["redirect_uri"] == "https://ada-endoscribe.hf.space/login/callback"
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if self.is_down:
            raise httpx2.ConnectError("nobody there")
        path = request.url.path
        if path == "/.well-known/openid-configuration":
            names = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
            ends = {f"{name}_endpoint": f"{HOME}/oauth/{last}" for name, last in names.items()}
            return httpx2.Response(200, json={"issuer": self.issuer, "jwks_uri": f"{HOME}/oauth/jwks", **ends})
        if path == "/oauth/jwks":
            key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
            return httpx2.Response(200, json={"keys": [{**key, "kid": "k1", "use": "sig", "alg": "RS256"}]})
        if path == "/oauth/userinfo":
            assert request.headers["authorization"] == "Bearer access"
            return httpx2.Response(200, json={**self.user, "sub": self.told_sub or self.user["sub"]})
        return self._token(request)

    def _token(self, request: httpx2.Request) -> httpx2.Response:
        given = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        assert request.headers["authorization"] == f"Basic {basic}"
        asked = self.codes.pop(given["code"], None)  # each code counts once
        digest = hashlib.sha256(given["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != challenge or asked["code_challenge_method"] != "S256":
            return httpx2.Response(400, json={"error": "invalid_grant"})
        now = int(time.time())
        claims = {
            "iss": HOME, "aud": CLIENT, "sub": self.user["sub"], "iat": now, "exp": now + 600, "nonce": asked["nonce"],
            **self.claims,
        }  # fmt: skip
        key: Any = {"HS256": "x" * 32, "none": None}.get(self.algorithm, self.key)
        claims = {name: value for name, value in claims.items() if value is not None}
        token = jwt.encode(claims, key, None if self.algorithm == "none" else self.algorithm, headers={"kid": "k1"})
        return httpx2.Response(200, json={"access_token": "access", "token_type": self.token_type, "id_token": token})


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("space"), None, has_page=False, **SPACE) as server:
        yield server


@pytest.fixture
def played(space: Server) -> PlayedProvider:
    provider = PlayedProvider()
    mode = space.app.state.authenticator.mode
    space.app.state.authenticator.provider = Provider(mode, httpx2.MockTransport(provider))
    return provider


@pytest.fixture
def client(space: Server) -> TestClient:
    client = TestClient(space.app, "https://testserver", follow_redirects=False)
    client.portal = space.client.portal
    return client


def begun(client: TestClient, played: PlayedProvider, query: str = "") -> dict[str, str]:
    return played.sign_in(client.get(f"/login/huggingface{query}").headers["location"])


def test_a_stranger_is_sent_to_sign_in(client: TestClient) -> None:
    assert client.get("/sessions/x", headers={"Accept": "text/html"}).headers["location"] == "../login"
    assert client.get("/who").status_code == 401
    assert 'href="login/huggingface"' in client.get("/login").text


def test_an_account_on_the_list_signs_in_and_out(space: Server, client: TestClient, played: PlayedProvider) -> None:
    answer = client.get("/login/callback", params=begun(client, played))
    assert (answer.status_code, answer.headers["location"]) == (303, "../")
    assert "__Host-endoscribe=" in answer.headers["set-cookie"]
    assert client.get("/who").json() == {"user": "ada", "visit": False}
    kept = dict(client.cookies)
    assert client.post("/logout").headers["location"] == "login"
    client.cookies.update(kept)
    assert client.get("/who").status_code == 401
    noted = [(entry.actor, entry.action) for entry in space.services.sessions.audit.entries()]
    assert noted[-2:] == [("ada", "entered"), ("ada", "left")]


def test_from_a_tab_with_a_dictation_one_goes_back_there(client: TestClient, played: PlayedProvider) -> None:
    assert 'href="login/huggingface?again"' in client.get("/login?again").text
    answer = client.get("/login/callback", params=begun(client, played, "?again"))
    assert answer.headers["location"] == "../login?done"
    assert "Close this tab" in client.get("/login?done").text


def test_a_member_of_an_organisation_on_the_list_signs_in(client: TestClient, played: PlayedProvider) -> None:
    played.user = {"sub": "2", "preferred_username": "ben", "orgs": [{"preferred_username": "Some-Clinic"}]}
    assert client.get("/login/callback", params=begun(client, played)).status_code == 303
    assert client.get("/who").json()["user"] == "ben"


def refused(client: TestClient, params: dict[str, str]) -> bool:
    answer = client.get("/login/callback", params=params)
    return answer.status_code == 403 and client.get("/who").status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"claims": {"aud": "another-space"}},
        {"claims": {"iss": "https://elsewhere.example"}},
        {"claims": {"nonce": "of another flow"}},
        {"claims": {"nonce": None}},
        {"claims": {"exp": int(time.time()) - 3600}},
        {"claims": {"exp": None}},
        {"claims": {"iat": int(time.time()) + 3600}},
        {"key": OTHER_KEY},
        {"algorithm": "none"},
        {"algorithm": "HS256"},
        {"claims": {"azp": "another-space"}},
        {"claims": {"at_hash": "of another access token"}},
        {"token_type": "mac"},
        {"told_sub": "somebody else"},
        {"user": {"sub": "3", "preferred_username": "mallory", "orgs": [{"preferred_username": "other"}]}},
        {"user": {"sub": "3", "preferred_username": None, "orgs": []}},
        {"user": {"sub": "3", "preferred_username": "mallory", "name": "ada", "orgs": "some-clinic"}},
    ],
)
def test_what_is_wrong_lets_nobody_in(client: TestClient, played: PlayedProvider, wrong: dict[str, Any]) -> None:
    for name, value in wrong.items():
        setattr(played, name, value)
    assert refused(client, begun(client, played))


def test_a_code_counts_once_and_for_its_own_browser(space: Server, client: TestClient, played: PlayedProvider) -> None:
    params = begun(client, played)
    flow = dict(client.cookies)
    assert refused(client, {**params, "state": "made up"})
    client.cookies.update(flow)
    thief = TestClient(space.app, "https://testserver", follow_redirects=False)
    thief.portal = space.client.portal
    assert refused(thief, params)  # without the cookie of whoever began
    begun(thief, played)
    assert refused(thief, params)  # with a flow of their own
    assert client.get("/login/callback", params=params).status_code == 303
    client.cookies.clear()
    client.cookies.update(flow)
    assert refused(client, params)


def test_a_provider_that_is_away_or_another_one_is_told(client: TestClient, played: PlayedProvider) -> None:
    played.is_down = True
    assert "cannot be reached" in client.get("/login/huggingface").text
    played.is_down, played.issuer = False, "https://elsewhere.example"
    assert client.get("/login/huggingface").status_code == 503


def test_who_is_taken_off_the_list_is_out(space: Server, client: TestClient, played: PlayedProvider) -> None:
    assert client.get("/login/callback", params=begun(client, played)).status_code == 303
    authenticator = space.app.state.authenticator
    before = authenticator.mode
    authenticator.mode = HuggingFace(frozenset({"ben"}), CLIENT, before.client_secret, HOME, before.callback)
    try:
        assert client.get("/who").status_code == 401
    finally:
        authenticator.mode = before
    assert client.get("/who").status_code == 200


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"ENDOSCRIBE_AUTH": "huggingface"}, "name the accounts"),
        ({"ENDOSCRIBE_AUTH": "huggingface: ,"}, "name the accounts"),
        ({"OAUTH_CLIENT_ID": ""}, "hf_oauth"),
        ({"OAUTH_CLIENT_SECRET": ""}, "hf_oauth"),
        ({"SPACE_HOST": ""}, "hf_oauth"),
        ({"SPACE_HOST": "evil.example/x"}, "hf_oauth"),
        ({"OPENID_PROVIDER_URL": "http://huggingface.co"}, "https"),
        ({"ENDOSCRIBE_DEMO": "true"}, "set one of them"),
    ],
)
def test_without_a_list_or_a_space_it_does_not_start(changed: dict[str, str], sentence: str, tmp_path: Path) -> None:
    environ = {**SPACE, "ENDOSCRIBE_HOST": "0.0.0.0", **changed}
    with pytest.raises(SettingsError, match=sentence):
        auth_mode(Settings.from_environment(environ, None))
