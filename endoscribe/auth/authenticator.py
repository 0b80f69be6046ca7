"""Who sends a request: read from a session cookie, a password, a token or a proxy's header, as the auth mode says."""

import base64
import binascii
import hashlib
import hmac
import logging
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from starlette.requests import HTTPConnection

from endoscribe.auth.hashing_pool import HashingPool
from endoscribe.auth.huggingface import Member, Provider
from endoscribe.auth.modes import (
    AuthMode,
    Demo,
    HuggingFace,
    Networks,
    NoAuth,
    Passwords,
    ProxyHeader,
    auth_mode,
    is_internal,
    is_within,
    networks,
)
from endoscribe.auth.origin import is_forwarded, peer, same_origin
from endoscribe.auth.password_throttle import PasswordThrottle
from endoscribe.auth.session_cookie import SessionCookie, SessionCookies
from endoscribe.auth.users import UsersFile
from endoscribe.errors import EntryError
from endoscribe.metrics import Metrics
from endoscribe.settings import Settings

log = logging.getLogger(__name__)

#: A browser takes the first name only over https, and only from this very host.
SAFE_COOKIE, PLAIN_COOKIE = "__Host-endoscribe", "endoscribe"
MAX_PROXY_NAME_CHARS = 128
#: A password that was right is not hashed again for so long.
REMEMBERED_S = 300.0
MOST_REMEMBERED = 1000
#: After so long there is room again for another hash.
BUSY_WAIT_S = 1.0
VISITOR = "visitor:"
#: Pages ask there by themselves who is signed in, for as long as they are open.
WATCHED_PATH = "/who"


@dataclass(frozen=True)
class Principal:
    """The authenticated user of a request; `user` is None where nobody signs in. `cookie` goes with the response."""

    user: str | None
    cookie: str | None = None


@dataclass
class DemoVisits:
    """Which demo visitors have a request open, and when the others' last one ended."""

    present: Counter[str] = field(default_factory=Counter)
    left_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def during(self, visitor: str) -> Iterator[None]:
        self.present[visitor] += 1
        try:
            yield
        finally:
            self.present[visitor] -= 1
            if not self.present[visitor]:
                del self.present[visitor]
                self.left_s[visitor] = time.monotonic()

    def over(self, after_s: float) -> list[str]:
        """Visitors whose last request ended at least so long ago."""
        now = time.monotonic()
        return [each for each, left_s in self.left_s.items() if each not in self.present and now - left_s >= after_s]

    def forget(self, visitor: str) -> None:
        self.left_s.pop(visitor, None)


class Authenticator:
    """Authenticates requests by the configured auth mode."""

    def __init__(self, mode: AuthMode, settings: Settings, metrics: Metrics) -> None:
        """Raises SettingsError or StorageError when the auth mode cannot be used."""
        self.mode = mode
        self.proxies: Networks = networks(settings.proxies, "ENDOSCRIBE_PROXIES")
        self.users = UsersFile(mode.users) if isinstance(mode, Passwords) else None
        self.visits = DemoVisits()
        self.password_throttle = PasswordThrottle()
        self._hashing = HashingPool()
        self._sign_ins = metrics.sign_ins
        self.session_cookies: SessionCookies | None = None
        self.provider = Provider(mode) if isinstance(mode, HuggingFace) else None
        if isinstance(mode, Passwords | Demo | HuggingFace):
            self.session_cookies = SessionCookies(settings.entry_dir, settings.signed_in_hours * 3600)
        self._has_told_of_proxy = False
        self._remembered: dict[bytes, tuple[float, str | None]] = {}
        self._salt = secrets.token_bytes(32)

    @classmethod
    def of(cls, settings: Settings, metrics: Metrics) -> "Authenticator":
        return cls(auth_mode(settings), settings, metrics)

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        """The principal, or None where a sign-in is needed; raises EntryError when the users cannot be read.

        Also raises TooManyAttemptsError for a password in the request.
        """
        if isinstance(self.mode, NoAuth):
            return None if is_forwarded(connection) else Principal(None)
        if isinstance(self.mode, ProxyHeader):
            return self._named_by_proxy(connection, self.mode)
        if isinstance(self.mode, Demo):
            return self._by_cookie(connection) or self._new_visitor()
        return self._by_cookie(connection) or await self._by_header(connection)

    async def is_still_valid(self, connection: HTTPConnection, principal: Principal) -> bool:
        """Whether the same user would be authenticated now; while that cannot be found out nobody is interrupted."""
        try:
            if principal.cookie:  # made with this very response: the request does not show it
                return self._valid_cookie(principal.cookie) is not None
            now = await self.authenticate(connection)
        except (EntryError, TooManyAttemptsError):
            return True
        return now is not None and now.user == principal.user

    def session_cookie(self, connection: HTTPConnection) -> SessionCookie | None:
        """The session cookie of a request, if it is still valid."""
        return self._valid_cookie(connection.cookies.get(cookie_name(connection)))

    def _valid_cookie(self, text: str | None) -> SessionCookie | None:
        session_cookie = self.session_cookies.read(text) if self.session_cookies and text else None
        if session_cookie and self.users and self.users.mark(session_cookie.name) != session_cookie.mark:
            return None
        if session_cookie and isinstance(self.mode, HuggingFace) and session_cookie.mark not in self.mode.allowed:
            return None
        return session_cookie

    def sign_in_member(self, member: Member) -> str:
        """A cookie for whom Hugging Face has named; valid while their entry is on the allow-list."""
        if self.session_cookies is None:
            raise RuntimeError("nobody signs in here")
        self._sign_ins.labels("entered").inc()
        return self.session_cookies.issue(member.name, member.entry)

    def sign_in(self, name: str) -> str:
        """A cookie for somebody whose password was right."""
        if self.users is None or self.session_cookies is None or (mark := self.users.mark(name)) is None:
            raise RuntimeError("only a known user can sign in")
        return self.session_cookies.issue(name, mark)

    async def is_right(self, name: str, password: str, address: str) -> bool:
        """Whether a name and its password are right; raises TooManyAttemptsError while the next try has to wait."""
        if self.users is None:
            return False
        name_key, address_key = f"name {name[:MAX_PROXY_NAME_CHARS].casefold()}", f"address {address}"
        async with self.password_throttle.attempt([name_key, address_key]) as attempt:
            wait_s = attempt.wait_s or (BUSY_WAIT_S if self._hashing.is_full else 0.0)
            if wait_s > 0:
                self._sign_ins.labels("made_to_wait").inc()
                raise TooManyAttemptsError(wait_s)
            attempt.was_right = await self._hashing.run(partial(self.users.is_right, name, password))
        if attempt.was_right:
            self.password_throttle.succeeded(name_key)
        self._sign_ins.labels("entered" if attempt.was_right else "wrong").inc()
        return attempt.was_right

    def address(self, connection: HTTPConnection) -> str:
        """Where a request comes from: the last one before the trusted proxies."""
        address = peer(connection)
        for before in reversed(",".join(connection.headers.getlist("x-forwarded-for")).split(",")):
            if not before.strip():
                break
            if not is_within(address, self.proxies):
                self._tell_of_proxy(address)
                break
            address = before.strip()
        return address

    def is_same_origin(self, connection: HTTPConnection) -> bool:
        """Whether this comes from our own page or from a program, and not from another site's page."""
        proxies = self.proxies + (self.mode.proxies if isinstance(self.mode, ProxyHeader) else ())
        is_own = same_origin(connection, proxies)
        if not is_own and "x-forwarded-host" in connection.headers and not is_within(peer(connection), proxies):
            self._tell_of_proxy(peer(connection))
        return is_own

    def _tell_of_proxy(self, address: str) -> None:
        """Once, and only of what can be no visitor; anybody can send that header."""
        if not self._has_told_of_proxy and is_internal(address):
            self._has_told_of_proxy = True
            log.warning(
                "Requests are passed on by %s, which ENDOSCRIBE_PROXIES does not name: all who come that way count as "
                "one where something is limited by address, and its X-Forwarded-Host is not believed.",
                address,
            )

    def _by_cookie(self, connection: HTTPConnection) -> Principal | None:
        """A session cookie past half its lifetime is renewed by use, but not by a page that merely stays open."""
        session_cookie = self.session_cookie(connection)
        if session_cookie is None or self.session_cookies is None:
            return None
        is_due = session_cookie.age_s > self.session_cookies.lifetime_s / 2 and connection.scope["path"] != WATCHED_PATH
        return Principal(session_cookie.name, self.session_cookies.write(session_cookie) if is_due else None)

    def _new_visitor(self) -> Principal:
        name = VISITOR + secrets.token_hex(16)
        return Principal(name, self.session_cookies.issue(name, "") if self.session_cookies else None)

    async def _by_header(self, connection: HTTPConnection) -> Principal | None:
        """A program's token, or a name and password."""
        kind, _, given = connection.headers.get("authorization", "").partition(" ")
        if self.users and kind.lower() == "bearer":
            if holder := self.users.holder(given.strip()):
                return Principal(holder)
            self._sign_ins.labels("wrong").inc()
        if self.users is None or kind.lower() != "basic":
            return None
        name, password = _basic(given)
        proof = hmac.digest(self._salt, f"{name}\0{password}".encode(), hashlib.sha256)
        until_s, mark = self._remembered.get(proof, (0.0, None))
        if until_s > time.monotonic() and mark == self.users.mark(name):
            return Principal(name)
        if not await self.is_right(name, password, self.address(connection)):
            return None
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[proof] = (time.monotonic() + REMEMBERED_S, self.users.mark(name))
        return Principal(name)

    @staticmethod
    def _named_by_proxy(connection: HTTPConnection, mode: ProxyHeader) -> Principal | None:
        names = connection.headers.getlist(mode.name)
        if not is_within(peer(connection), mode.proxies) or len(names) != 1:
            return None
        name = names[0].strip()
        is_plain = name.isprintable() and 0 < len(name) <= MAX_PROXY_NAME_CHARS and not name.startswith(VISITOR)
        return Principal(name) if is_plain else None


class TooManyAttemptsError(Exception):
    """The next try has to wait."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("too many tries")
        self.wait_s = wait_s


def is_https(connection: HTTPConnection) -> bool:
    """Whether the browser's end is https. Believed from anybody: it can only make a cookie stricter."""
    forwarded = connection.headers.get("x-forwarded-proto", "").split(",")[0].strip().lower()
    return connection.url.scheme in ("https", "wss") or forwarded in ("https", "wss")


def cookie_name(connection: HTTPConnection) -> str:
    return SAFE_COOKIE if is_https(connection) else PLAIN_COOKIE


def cookie_header(connection: HTTPConnection, value: str, lifetime_s: int) -> str:
    """The cookie as a header; an empty one that lives for 0 s takes it away."""
    secure = "; Secure" if is_https(connection) else ""
    return f"{cookie_name(connection)}={value}; Path=/; Max-Age={lifetime_s}; HttpOnly; SameSite=Lax{secure}"


def _basic(given: str) -> tuple[str, str]:
    try:
        name, _, password = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password
