"""Where a request comes from: our own page or another site's, directly or through a proxy, and for which host name."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from endoscribe.auth.modes import Networks, is_within

#: What proxies and tunnels add to what they pass on (RFC 7239, RFC 9110, and the names in use); no browser sends them.
FORWARDING = (
    "forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port",
    "x-forwarded-server", "x-forwarded-user", "x-real-ip", "x-client-ip", "cf-connecting-ip", "true-client-ip",
    "x-original-host",
)  # fmt: skip


def same_origin(connection: HTTPConnection, proxies: Networks) -> bool:
    """Whether a browser sent this from our own page; other programs send no Origin and are no danger here.

    Under which name our page was asked for tells its Host, or the X-Forwarded-Host of a proxy among these.
    """
    origin = connection.headers.get("origin")
    if origin is None:
        return True
    hosts = {connection.headers.get("host")}
    if is_within(peer(connection), proxies):
        hosts.add(connection.headers.get("x-forwarded-host"))
    try:
        asking = urlsplit(origin).netloc
    except ValueError:
        return False
    return bool(asking) and asking in hosts


def peer(connection: HTTPConnection) -> str:
    """The address that has connected: a browser's, or that of the last proxy before this server."""
    return connection.client.host if connection.client else ""


def is_forwarded(connection: HTTPConnection) -> bool:
    """Whether a proxy passed this on and shows it: by a header, or by HTTP/1.0, which nginx speaks behind itself.

    No browser of the last twenty years asks in HTTP/1.0. A proxy that shows nothing cannot be told from a browser.
    """
    return connection.scope.get("http_version") == "1.0" or any(name in connection.headers for name in FORWARDING)


def requested_host(headers: Headers) -> str | None:
    """The host name of the Host header, without port or brackets; None where there is none."""
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return None
