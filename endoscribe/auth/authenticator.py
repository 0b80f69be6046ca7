"""Who sends a request: read from a cookie, a password, a token or a proxy's header, as the way in asks for."""

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
from endoscribe.auth.origin import is_forwarded
from endoscribe.auth.rate_limiter import RateLimiter
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
class Caller:
    """Who sends a request; `user` is None where nobody has to say. `cookie` is to be set with the answer."""

    user: str | None
    cookie: str | None = None


@dataclass
class Visits:
    """Which visitors are here, and when the others left; a visit lasts while a page of it is open."""

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
        """Who left at least so long ago and did not come back."""
        now = time.monotonic()
        return [each for each, left_s in self.left_s.items() if each not in self.present and now - left_s >= after_s]

    def forget(self, visitor: str) -> None:
        self.left_s.pop(visitor, None)


class Authenticator:
    """Lets in whom the way in knows."""

    def __init__(self, mode: AuthMode, settings: Settings, metrics: Metrics) -> None:
        """Raises SettingsError or StorageError when the way cannot be used."""
        self.mode = mode
        self.proxies: Networks = networks(settings.proxies, "ENDOSCRIBE_PROXIES")
        self.users = UsersFile(mode.users) if isinstance(mode, Passwords) else None
        self.visits = Visits()
        self.rate_limiter = RateLimiter()
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

    async def admit(self, connection: HTTPConnection) -> Caller | None:
        """The caller, or None for whoever has to sign in first; raises EntryError when the users cannot be read."""
        if isinstance(self.mode, NoAuth):
            return None if is_forwarded(connection) else Caller(None)
        if isinstance(self.mode, ProxyHeader):
            return self._named_by_proxy(connection, self.mode)
        if isinstance(self.mode, Demo):
            return self._by_cookie(connection) or self._new_visitor()
        return self._by_cookie(connection) or await self._by_header(connection)

    async def holds(self, connection: HTTPConnection, caller: Caller) -> bool:
        """Whether the same person would be let in now; while that cannot be found out nobody is interrupted."""
        try:
            if caller.cookie:  # made with this very answer: the request does not show it
                return self._good_ticket(caller.cookie) is not None
            now = await self.admit(connection)
        except (EntryError, TooManyAttemptsError):
            return True
        return now is not None and now.user == caller.user

    def session_cookie(self, connection: HTTPConnection) -> SessionCookie | None:
        """The ticket that a browser shows, if it is still good."""
        return self._good_ticket(connection.cookies.get(cookie_name(connection)))

    def _good_ticket(self, text: str | None) -> SessionCookie | None:
        session_cookie = self.session_cookies.read(text) if self.session_cookies and text else None
        if session_cookie and self.users and self.users.mark(session_cookie.name) != session_cookie.mark:
            return None
        if session_cookie and isinstance(self.mode, HuggingFace) and session_cookie.mark not in self.mode.allowed:
            return None
        return session_cookie

    def sign_in_member(self, member: Member) -> str:
        """A cookie for somebody whom Hugging Face has named; it holds for as long as their entry is on the list."""
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
        async with self.rate_limiter.attempt([name_key, address_key]) as attempt:
            wait_s = attempt.wait_s or (BUSY_WAIT_S if self._hashing.is_full else 0.0)
            if wait_s > 0:
                self._sign_ins.labels("made_to_wait").inc()
                raise TooManyAttemptsError(wait_s)
            attempt.was_right = await self._hashing.run(partial(self.users.is_right, name, password))
        if attempt.was_right:
            self.rate_limiter.succeeded(name_key)
        self._sign_ins.labels("entered" if attempt.was_right else "wrong").inc()
        return attempt.was_right

    def address(self, connection: HTTPConnection) -> str:
        """Where a request comes from: the last address before the proxies that are believed."""
        address = connection.client.host if connection.client else ""
        for before in reversed(",".join(connection.headers.getlist("x-forwarded-for")).split(",")):
            if not before.strip():
                break
            if not is_within(address, self.proxies):
                self._tell_of_proxy(address)
                break
            address = before.strip()
        return address

    def _tell_of_proxy(self, address: str) -> None:
        """Once, and only of what can be no visitor; anybody can send that header."""
        if not self._has_told_of_proxy and is_internal(address):
            self._has_told_of_proxy = True
            log.warning(
                "Requests are passed on by %s, which ENDOSCRIBE_PROXIES does not name: all who come that way count as "
                "one where something is limited by address.",
                address,
            )

    def _by_cookie(self, connection: HTTPConnection) -> Caller | None:
        """A ticket of which half the time is gone is written anew: who works is not sent away.

        A page that only stands there uses nothing.
        """
        session_cookie = self.session_cookie(connection)
        if session_cookie is None or self.session_cookies is None:
            return None
        is_due = session_cookie.age_s > self.session_cookies.lifetime_s / 2 and connection.scope["path"] != WATCHED_PATH
        return Caller(session_cookie.name, self.session_cookies.write(session_cookie) if is_due else None)

    def _new_visitor(self) -> Caller:
        name = VISITOR + secrets.token_hex(16)
        return Caller(name, self.session_cookies.issue(name, "") if self.session_cookies else None)

    async def _by_header(self, connection: HTTPConnection) -> Caller | None:
        """A program's token, or a name and password."""
        kind, _, given = connection.headers.get("authorization", "").partition(" ")
        if self.users and kind.lower() == "bearer":
            if holder := self.users.holder(given.strip()):
                return Caller(holder)
            self._sign_ins.labels("wrong").inc()
        if self.users is None or kind.lower() != "basic":
            return None
        name, password = _basic(given)
        proof = hmac.digest(self._salt, f"{name}\0{password}".encode(), hashlib.sha256)
        until_s, mark = self._remembered.get(proof, (0.0, None))
        if until_s > time.monotonic() and mark == self.users.mark(name):
            return Caller(name)
        if not await self.is_right(name, password, self.address(connection)):
            return None
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[proof] = (time.monotonic() + REMEMBERED_S, self.users.mark(name))
        return Caller(name)

    @staticmethod
    def _named_by_proxy(connection: HTTPConnection, mode: ProxyHeader) -> Caller | None:
        names = connection.headers.getlist(mode.name)
        peer = connection.client.host if connection.client else ""
        if not is_within(peer, mode.proxies) or len(names) != 1:
            return None
        name = names[0].strip()
        is_plain = name.isprintable() and 0 < len(name) <= MAX_PROXY_NAME_CHARS and not name.startswith(VISITOR)
        return Caller(name) if is_plain else None


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
