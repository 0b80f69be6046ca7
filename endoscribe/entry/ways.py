"""How people say who they are: what ENDOSCRIBE_AUTH and ENDOSCRIBE_DEMO ask for, or that nobody has to."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

from endoscribe.errors import SettingsError
from endoscribe.settings import Settings

Networks = tuple[IPv4Network | IPv6Network, ...]

OPEN_TO_ANYBODY = (
    "ENDOSCRIBE_HOST lets other machines in, and then EndoScribe must know who may come: set ENDOSCRIBE_AUTH "
    "(users:FILE or header:NAME@PROXY), or ENDOSCRIBE_DEMO=true for a demonstration that keeps nothing."
)
NOT_A_WAY = "ENDOSCRIBE_AUTH is users:FILE or header:NAME@ADDRESS, the address being the proxy's."
HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")


@dataclass(frozen=True)
class Nobody:
    """Whoever sits at this machine is meant; only on loopback."""


@dataclass(frozen=True)
class Visitors:
    """A demonstration: each browser is a visitor whose dictations go so many minutes after the visit."""

    minutes: int


@dataclass(frozen=True)
class Passwords:
    """Names and passwords of a file."""

    users: Path


@dataclass(frozen=True)
class ProxyHeader:
    """A proxy before this page knows its users and names them in a header; nobody else is believed."""

    name: str
    proxies: Networks


Way = Nobody | Visitors | Passwords | ProxyHeader


def way_in(settings: Settings) -> Way:
    """Raises SettingsError when the page would be open to strangers, or nobody could say how it is not."""
    if settings.demo:
        if settings.auth:
            raise SettingsError("ENDOSCRIBE_DEMO is for anybody and ENDOSCRIBE_AUTH is not: set one of them.")
        return Visitors(settings.demo_minutes)
    if settings.auth is None:
        if not settings.is_loopback:
            raise SettingsError(OPEN_TO_ANYBODY)
        return Nobody()
    kind, _, rest = settings.auth.partition(":")
    if kind == "users" and rest:
        return Passwords(Path(rest))
    if kind == "header" and rest:
        return _header(rest)
    raise SettingsError(NOT_A_WAY)


def networks(text: str, setting: str) -> Networks:
    """Addresses or networks with commas between them; raises SettingsError."""
    try:
        return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())
    except ValueError:
        raise SettingsError(f"{setting} names an address that is none; 10.0.0.1 and 10.1.0.0/16 are some.") from None


def is_within(address: str, allowed: Networks) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    plain = getattr(found, "ipv4_mapped", None) or found
    return any(plain in network for network in allowed)


def _header(text: str) -> ProxyHeader:
    name, _, proxies = text.partition("@")
    allowed = networks(proxies, "ENDOSCRIBE_AUTH")
    if not HEADER_NAME.fullmatch(name) or not allowed:
        raise SettingsError(NOT_A_WAY)
    return ProxyHeader(name.lower(), allowed)
