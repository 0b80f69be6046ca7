"""Signing in with Hugging Face, as a Space offers it: OpenID Connect's authorisation code flow.

The code is bound to the browser that began (state), to the token that it is changed for (nonce) and to this server
(PKCE); the token counts only with the provider's signature, for this Space, and while it is fresh. Only the name is
kept of it.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt

from endoscribe.auth.modes import HuggingFace
from endoscribe.errors import EntryError

SCOPES = "openid profile"
ALGORITHMS = ["RS256", "ES256", "EdDSA"]
#: How far the provider's clock may be off.
LEEWAY_S = 30
#: So long somebody may take to sign in there.
FLOW_S = 600
ANSWER_S = 10.0
FAILED = "Hugging Face did not confirm who you are. Try again."
UNREACHABLE = "Hugging Face cannot be reached to find out who you are. Try again in a while."
NOT_ALLOWED = "This account may not use this page; its operator decides who may."


@dataclass(frozen=True)
class Flow:
    """One attempt to sign in: what its browser brings back, and what is checked then."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def begin(cls) -> "Flow":
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True)
class Member:
    """Who has signed in, and by which entry of the list they may."""

    name: str
    entry: str


class Provider:
    """Hugging Face, or what stands in for it; raises EntryError whenever it is not sure."""

    def __init__(self, mode: HuggingFace, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._mode = mode
        self._transport = transport
        self._used: dict[str, float] = {}

    async def address(self, flow: Flow) -> str:
        """Where a browser goes to sign in."""
        query = {
            "response_type": "code",
            "client_id": self._mode.client_id,
            "redirect_uri": self._mode.callback,
            "scope": SCOPES,
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": flow.challenge,
            "code_challenge_method": "S256",
        }
        async with self._client() as client:
            endpoint = (await self._endpoints(client))["authorization_endpoint"]
        return f"{endpoint}?{urlencode(query)}"

    async def member(self, flow: Flow, state: str, code: str) -> Member:
        """Who comes back with this code; each flow counts once."""
        if not hmac.compare_digest(flow.state.encode(), state.encode()) or not self._is_first_use(state):
            raise EntryError(FAILED)
        async with self._client() as client:
            endpoints = await self._endpoints(client)
            tokens = await self._tokens(client, endpoints["token_endpoint"], flow, code)
            claims = self._claims(tokens, await _json(client, endpoints["jwks_uri"]), flow.nonce)
            headers = {"Authorization": f"Bearer {tokens.get('access_token')}"}
            told = await _json(client, endpoints["userinfo_endpoint"], headers)
        if told.get("sub") != claims["sub"]:
            raise EntryError(FAILED)
        return self._allowed(told)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self._transport, timeout=ANSWER_S)

    def _is_first_use(self, state: str) -> bool:
        now = time.monotonic()
        self._used = {each: until_s for each, until_s in self._used.items() if until_s > now}
        is_first = state not in self._used
        self._used[state] = now + FLOW_S
        return is_first

    async def _endpoints(self, client: httpx.AsyncClient) -> Mapping[str, str]:
        found = await _json(client, f"{self._mode.provider}/.well-known/openid-configuration")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
        if str(found.get("issuer")).rstrip("/") != self._mode.provider or not all(
            str(found.get(name)).startswith(f"{self._mode.provider}/") for name in names
        ):
            raise EntryError(FAILED)
        return {name: str(found[name]) for name in names}

    async def _tokens(self, client: httpx.AsyncClient, endpoint: str, flow: Flow, code: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._mode.callback,
            "client_id": self._mode.client_id,
            "code_verifier": flow.verifier,
        }
        secret = (self._mode.client_id, self._mode.client_secret.get_secret_value())
        try:
            return _content(await client.post(endpoint, data=form, auth=secret))
        except httpx.HTTPError as error:
            raise EntryError(UNREACHABLE) from error

    def _claims(self, tokens: Mapping[str, Any], keys: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        token = str(tokens.get("id_token"))
        try:
            wanted = jwt.get_unverified_header(token).get("kid")
            key = next(key for key in jwt.PyJWKSet.from_dict(dict(keys)).keys if key.key_id == wanted)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._mode.client_id,
                issuer=[self._mode.provider, f"{self._mode.provider}/"],
                leeway=LEEWAY_S,
                options={"require": ["exp", "iat", "aud", "iss", "sub"]},
            )
        except (jwt.PyJWTError, StopIteration) as error:
            raise EntryError(FAILED) from error
        if not hmac.compare_digest(str(claims.get("nonce")).encode(), nonce.encode()):
            raise EntryError(FAILED)
        return claims

    def _allowed(self, told: Mapping[str, Any]) -> Member:
        """By the names of the account and of its organisations, which share one space of names."""
        name = told.get("preferred_username")
        organisations = told.get("orgs") or []
        if not isinstance(name, str) or not name or not isinstance(organisations, list):
            raise EntryError(FAILED)
        own = [name, *(str(each.get("preferred_username")) for each in organisations if isinstance(each, dict))]
        for each in own:
            if each.casefold() in self._mode.allowed:
                return Member(name, each.casefold())
        raise EntryError(NOT_ALLOWED)


async def _json(client: httpx.AsyncClient, address: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    try:
        return _content(await client.get(address, headers=headers))
    except httpx.HTTPError as error:
        raise EntryError(UNREACHABLE) from error


def _content(answer: httpx.Response) -> dict[str, Any]:
    """Raises EntryError for a refusal and for what is no JSON object."""
    if answer.status_code != httpx.codes.OK:
        raise EntryError(FAILED)
    try:
        content = answer.json()
    except ValueError as error:
        raise EntryError(FAILED) from error
    if not isinstance(content, dict):
        raise EntryError(FAILED)
    return content
