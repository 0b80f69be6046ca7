"""The auth modes: what ENDOSCRIBE_AUTH and ENDOSCRIBE_DEMO ask for, or that nobody has to sign in."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

from pydantic import SecretStr

from endoscribe.errors import SettingsError
from endoscribe.settings import Settings

Networks = tuple[IPv4Network | IPv6Network, ...]

OPEN_TO_ANYBODY = (
    "ENDOSCRIBE_HOST lets other machines in, and then EndoScribe must know who may come: set ENDOSCRIBE_AUTH "
    "(users:FILE, header:NAME@PROXY or huggingface:NAMES), or ENDOSCRIBE_DEMO=true for a demonstration that keeps "
    "nothing."
)
NOT_A_MODE = (
    "ENDOSCRIBE_AUTH is users:FILE, header:NAME@ADDRESS, the address being the proxy's, or huggingface:NAME,NAME for "
    "accounts and organisations."
)
NOBODY_ALLOWED = (
    "Everybody can have an account at Hugging Face: name the accounts and organisations that may come in, as in "
    "ENDOSCRIBE_AUTH=huggingface:ada,some-clinic, or set ENDOSCRIBE_DEMO=true for a demonstration that keeps nothing."
)
NOT_A_SPACE = (
    "ENDOSCRIBE_AUTH=huggingface needs what a Space with `hf_oauth: true` in its README sets: OAUTH_CLIENT_ID, "
    "OAUTH_CLIENT_SECRET and SPACE_HOST."
)
HOST_AND_PORT = re.compile(r"[a-z0-9.-]+(?::\d+)?", re.IGNORECASE)
LOOPBACK: Networks = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")


@dataclass(frozen=True)
class NoAuth:
    """No authentication; only on loopback, for whoever uses this machine."""


@dataclass(frozen=True)
class Demo:
    """A demonstration: each browser is a visitor whose dictations go so many minutes after the visit.

    A visitor may make so many `dictations` an hour, none longer than `longest_minutes`.
    """

    minutes: int
    dictations: int
    longest_minutes: float


@dataclass(frozen=True)
class Passwords:
    """Names and passwords of a file."""

    users: Path


@dataclass(frozen=True)
class ProxyHeader:
    """A proxy authenticates users and names them in a header, which is believed from these addresses only."""

    name: str
    proxies: Networks


@dataclass(frozen=True)
class HuggingFace:
    """Accounts at Hugging Face, by an allow-list of their or their organisations' names in lower case."""

    allowed: frozenset[str]
    client_id: str
    client_secret: SecretStr
    #: The OpenID provider, without a slash at the end.
    provider: str
    #: The redirect URI.
    callback: str


AuthMode = NoAuth | Demo | Passwords | ProxyHeader | HuggingFace


def auth_mode(settings: Settings) -> AuthMode:
    """Raises SettingsError for a setting that names no mode, and for no authentication off loopback."""
    if settings.demo:
        if settings.auth:
            raise SettingsError("ENDOSCRIBE_DEMO is for anybody and ENDOSCRIBE_AUTH is not: set one of them.")
        return Demo(settings.demo_minutes, settings.demo_dictations, settings.longest_audio_minutes)
    if settings.auth is None:
        if not settings.is_loopback:
            raise SettingsError(OPEN_TO_ANYBODY)
        return NoAuth()
    kind, _, rest = settings.auth.partition(":")
    if kind == "users" and rest:
        return Passwords(Path(rest))
    if kind == "header" and rest:
        return _header(rest)
    if kind == "huggingface":
        return _hugging_face(rest, settings)
    raise SettingsError(NOT_A_MODE)


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


def is_internal(address: str) -> bool:
    """Whether nobody on the Internet can have this address."""
    try:
        return not ip_address(address).is_global
    except ValueError:
        return False


def _header(text: str) -> ProxyHeader:
    name, _, proxies = text.partition("@")
    allowed = networks(proxies, "ENDOSCRIBE_AUTH")
    if not HEADER_NAME.fullmatch(name) or not allowed:
        raise SettingsError(NOT_A_MODE)
    return ProxyHeader(name.lower(), allowed)


def _hugging_face(names: str, settings: Settings) -> HuggingFace:
    allowed = frozenset(name.strip().casefold() for name in names.split(",") if name.strip())
    if not allowed:
        raise SettingsError(NOBODY_ALLOWED)
    client_id, secret, host = settings.oauth_client_id, settings.oauth_client_secret, settings.space_host
    if not client_id or not secret or not host or not HOST_AND_PORT.fullmatch(host):
        raise SettingsError(NOT_A_SPACE)
    provider = settings.openid_provider_url.rstrip("/")
    if not provider.startswith("https://"):
        raise SettingsError("OPENID_PROVIDER_URL begins with https://.")
    return HuggingFace(allowed, client_id, secret, provider, f"https://{host}/login/callback")
