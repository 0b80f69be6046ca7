"""Signing in with Hugging Face, as a Space offers it: OpenID Connect's authorisation code flow.

The code is bound to the browser that began (state), to the token that it is changed for (nonce) and to this server
(PKCE); the token counts only with the provider's signature, for this Space, and while it is fresh. Only the name is
kept of it.
"""

import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

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


@dataclass(frozen=True)
class Member:
    """Who has signed in, and by which entry of the list they may."""

    name: str
    entry: str


class Provider:
    """Hugging Face, or what stands in for it; raises EntryError whenever it is not sure."""

    def __init__(self, mode: HuggingFace, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._mode = mode
        self._transport = transport
        self._used: dict[str, float] = {}

    async def address(self, flow: Flow) -> str:
        """Where a browser goes to sign in."""
        async with self._client() as client:
            endpoint = (await self._endpoints(client))["authorization_endpoint"]
            address, _ = client.create_authorization_url(
                endpoint, state=flow.state, nonce=flow.nonce, code_verifier=flow.verifier
            )
        return str(address)

    async def member(self, flow: Flow, state: str, code: str) -> Member:
        """Who comes back with this code; each flow counts once."""
        if not hmac.compare_digest(flow.state.encode(), state.encode()) or not self._is_first_use(state):
            raise EntryError(FAILED)
        async with self._client() as client:
            endpoints = await self._endpoints(client)
            token = await self._token(client, endpoints["token_endpoint"], flow, code)
            claims = self._claims(token, await _json(client, endpoints["jwks_uri"]), flow.nonce)
            told = await _json(client, endpoints["userinfo_endpoint"], with_token=True)
        if told.get("sub") != claims["sub"]:
            raise EntryError(FAILED)
        return self._allowed(told)

    def _client(self) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            self._mode.client_id,
            self._mode.client_secret.get_secret_value(),
            token_endpoint_auth_method="client_secret_basic",  # noqa: S106  (a method's name)
            scope=SCOPES,
            redirect_uri=self._mode.callback,
            code_challenge_method="S256",
            leeway=0,  # the token is used at once
            transport=self._transport,
            timeout=ANSWER_S,
        )

    def _is_first_use(self, state: str) -> bool:
        now = time.monotonic()
        self._used = {each: until_s for each, until_s in self._used.items() if until_s > now}
        is_first = state not in self._used
        self._used[state] = now + FLOW_S
        return is_first

    async def _endpoints(self, client: AsyncOAuth2Client) -> Mapping[str, str]:
        found = await _json(client, f"{self._mode.provider}/.well-known/openid-configuration")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
        if str(found.get("issuer")).rstrip("/") != self._mode.provider or not all(
            str(found.get(name)).startswith(f"{self._mode.provider}/") for name in names
        ):
            raise EntryError(FAILED)
        return {name: str(found[name]) for name in names}

    async def _token(self, client: AsyncOAuth2Client, endpoint: str, flow: Flow, code: str) -> Mapping[str, Any]:
        try:
            token: Mapping[str, Any] = await client.fetch_token(
                endpoint, grant_type="authorization_code", code=code, code_verifier=flow.verifier
            )
        except httpx2.HTTPError as error:
            raise EntryError(UNREACHABLE) from error
        except (OAuthError, ValueError, TypeError) as error:  # a refusal, or no token that can be read
            raise EntryError(FAILED) from error
        return token

    def _claims(self, token: Mapping[str, Any], keys: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        issuers: list[str | int | bool] = [self._mode.provider, f"{self._mode.provider}/"]
        client_id = self._mode.client_id
        params = {"nonce": nonce, "client_id": client_id, "access_token": token.get("access_token")}
        try:
            key_set = KeySet.import_key_set({"keys": keys["keys"]})
            read = jwt.decode(str(token.get("id_token")), key_set, ALGORITHMS)
            claims = CodeIDToken(
                read.claims, read.header, {"iss": {"values": issuers}, "aud": {"value": client_id}}, params
            )
            claims.validate(leeway=LEEWAY_S)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise EntryError(FAILED) from error
        return dict(claims)

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


async def _json(client: AsyncOAuth2Client, address: str, *, with_token: bool = False) -> dict[str, Any]:
    """Raises EntryError for a refusal and for what is no JSON object."""
    try:
        answer: httpx2.Response = await client.request("GET", address, withhold_token=not with_token)
    except httpx2.HTTPError as error:
        raise EntryError(UNREACHABLE) from error
    except OAuthError as error:  # there is no access token, or none that can be shown
        raise EntryError(FAILED) from error
    if answer.status_code != httpx2.codes.OK:
        raise EntryError(FAILED)
    try:
        content = answer.json()
    except ValueError as error:
        raise EntryError(FAILED) from error
    if not isinstance(content, dict):
        raise EntryError(FAILED)
    return content
