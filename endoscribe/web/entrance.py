"""Who sends a request: read from a cookie, a password, a token or a proxy's header, as the way in asks for."""

import base64
import binascii
import hashlib
import hmac
import logging
import secrets
import time
from asyncio import to_thread
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from endoscribe.entry.huggingface import Member, Provider
from endoscribe.entry.throttle import Throttle
from endoscribe.entry.tickets import Ticket, Tickets
from endoscribe.entry.users import UsersFile
from endoscribe.entry.ways import (
    HuggingFace,
    Networks,
    Nobody,
    Passwords,
    ProxyHeader,
    Visitors,
    Way,
    is_internal,
    is_within,
    networks,
    way_in,
)
from endoscribe.errors import EntryError
from endoscribe.metrics import Metrics
from endoscribe.settings import Settings
from endoscribe.web.headers import is_forwarded

log = logging.getLogger(__name__)

#: A browser takes the first name only over https, and only from this very host.
SAFE_COOKIE, PLAIN_COOKIE = "__Host-endoscribe", "endoscribe"
LONGEST_NAME = 128
#: A password that was right is not hashed again for so long.
REMEMBERED_S = 300.0
MOST_REMEMBERED = 1000
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


class Entrance:
    """Lets in whom the way in knows."""

    def __init__(self, way: Way, settings: Settings, metrics: Metrics) -> None:
        """Raises SettingsError or StorageError when the way cannot be used."""
        self.way = way
        self.proxies: Networks = networks(settings.proxies, "ENDOSCRIBE_PROXIES")
        self.users = UsersFile(way.users) if isinstance(way, Passwords) else None
        self.visits = Visits()
        self.throttle = Throttle()
        self._sign_ins = metrics.sign_ins
        self.tickets: Tickets | None = None
        self.provider = Provider(way) if isinstance(way, HuggingFace) else None
        if isinstance(way, Passwords | Visitors | HuggingFace):
            self.tickets = Tickets(settings.entry_dir, settings.signed_in_hours * 3600)
        self._has_told_of_proxy = False
        self._remembered: dict[bytes, tuple[float, str | None]] = {}
        self._salt = secrets.token_bytes(32)

    @classmethod
    def of(cls, settings: Settings, metrics: Metrics) -> "Entrance":
        return cls(way_in(settings), settings, metrics)

    async def admit(self, connection: HTTPConnection) -> Caller | None:
        """The caller, or None for whoever has to sign in first; raises EntryError when the users cannot be read."""
        if isinstance(self.way, Nobody):
            return None if is_forwarded(connection) else Caller(None)
        if isinstance(self.way, ProxyHeader):
            return self._named_by_proxy(connection, self.way)
        if isinstance(self.way, Visitors):
            return self._by_cookie(connection) or self._new_visitor()
        return self._by_cookie(connection) or await self._by_header(connection)

    async def holds(self, connection: HTTPConnection, caller: Caller) -> bool:
        """Whether the same person would be let in now; while that cannot be found out nobody is interrupted."""
        try:
            if caller.cookie:  # made with this very answer: the request does not show it
                return self._good_ticket(caller.cookie) is not None
            now = await self.admit(connection)
        except (EntryError, TooOftenError):
            return True
        return now is not None and now.user == caller.user

    def ticket(self, connection: HTTPConnection) -> Ticket | None:
        """The ticket that a browser shows, if it is still good."""
        return self._good_ticket(connection.cookies.get(cookie_name(connection)))

    def _good_ticket(self, text: str | None) -> Ticket | None:
        ticket = self.tickets.read(text) if self.tickets and text else None
        if ticket and self.users and self.users.mark(ticket.name) != ticket.mark:
            return None
        if ticket and isinstance(self.way, HuggingFace) and ticket.mark not in self.way.allowed:
            return None
        return ticket

    def sign_in_member(self, member: Member) -> str:
        """A cookie for somebody whom Hugging Face has named; it holds for as long as their entry is on the list."""
        if self.tickets is None:
            raise RuntimeError("nobody signs in here")
        self._sign_ins.labels("entered").inc()
        return self.tickets.issue(member.name, member.entry)

    def sign_in(self, name: str) -> str:
        """A cookie for somebody whose password was right."""
        if self.users is None or self.tickets is None or (mark := self.users.mark(name)) is None:
            raise RuntimeError("only a known user can sign in")
        return self.tickets.issue(name, mark)

    async def is_right(self, name: str, password: str, address: str) -> bool:
        """Whether a name and its password are right; raises TooOftenError while the next try has to wait."""
        if self.users is None:
            return False
        keys = [f"name {name[:LONGEST_NAME].casefold()}", f"address {address}"]
        if (wait_s := self.throttle.wait_s(keys)) > 0:
            self._sign_ins.labels("made_to_wait").inc()
            raise TooOftenError(wait_s)
        if await to_thread(self.users.is_right, name, password):
            self.throttle.succeeded(keys[0])
            self._sign_ins.labels("entered").inc()
            return True
        self._sign_ins.labels("wrong").inc()
        self.throttle.failed(keys)
        return False

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
        ticket = self.ticket(connection)
        if ticket is None or self.tickets is None:
            return None
        is_due = ticket.age_s > self.tickets.lifetime_s / 2 and connection.scope["path"] != WATCHED_PATH
        return Caller(ticket.name, self.tickets.write(ticket) if is_due else None)

    def _new_visitor(self) -> Caller:
        name = VISITOR + secrets.token_hex(16)
        return Caller(name, self.tickets.issue(name, "") if self.tickets else None)

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
    def _named_by_proxy(connection: HTTPConnection, way: ProxyHeader) -> Caller | None:
        names = connection.headers.getlist(way.name)
        peer = connection.client.host if connection.client else ""
        if not is_within(peer, way.proxies) or len(names) != 1:
            return None
        name = names[0].strip()
        is_plain = name.isprintable() and 0 < len(name) <= LONGEST_NAME and not name.startswith(VISITOR)
        return Caller(name) if is_plain else None


class TooOftenError(Exception):
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
