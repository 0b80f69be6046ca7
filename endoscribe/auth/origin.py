"""Where a request comes from: our own page or another site's, directly or through a proxy, and to which name."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

#: What proxies and tunnels add to what they pass on (RFC 7239, RFC 9110, and the names in use); no browser sends them.
FORWARDING = (
    "forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port",
    "x-forwarded-server", "x-forwarded-user", "x-real-ip", "x-client-ip", "cf-connecting-ip", "true-client-ip",
    "x-original-host",
)  # fmt: skip


def same_origin(headers: Headers) -> bool:
    """Whether a browser sent this from our own page; other programs send no Origin and are no danger here."""
    origin = headers.get("origin")
    if origin is None:
        return True
    hosts = {headers.get("host"), headers.get("x-forwarded-host")}
    return urlsplit(origin).netloc in hosts


def is_forwarded(connection: HTTPConnection) -> bool:
    """Whether a proxy passed this on and shows it: by a header, or by HTTP/1.0, which nginx speaks behind itself.

    No browser of the last twenty years asks in HTTP/1.0. A proxy that shows nothing cannot be told from a browser.
    """
    return connection.scope.get("http_version") == "1.0" or any(name in connection.headers for name in FORWARDING)


def asked_as(headers: Headers) -> str | None:
    """The name under which the page was asked for, without port or brackets; None where there is none."""
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return None
