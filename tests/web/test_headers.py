"""Browsers are bound to https where the page is reached by it, and by nobody's word but a named proxy's."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from endoscribe.auth.modes import networks
from endoscribe.web.headers import HTTPS_ONLY, SecurityHeaders


@pytest.mark.parametrize(
    ("url", "said", "asking", "bound"),
    [
        ("https://testserver", None, "192.0.2.9", True),
        ("http://testserver", "https", "10.0.0.1", True),
        ("http://testserver", "https", "192.0.2.9", False),
        ("http://testserver", "http", "10.0.0.1", False),
        ("http://testserver", None, "10.0.0.1", False),
    ],
)
def test_a_browser_is_bound_to_https_on_a_named_proxys_word_only(
    url: str, said: str | None, asking: str, bound: bool
) -> None:
    app = SecurityHeaders(Starlette(), proxies=networks("10.0.0.1", "proxies"))
    client = TestClient(app, base_url=url, client=(asking, 5000))
    answer = client.get("/", headers={"X-Forwarded-Proto": said} if said else {})
    assert answer.headers.get("strict-transport-security") == (HTTPS_ONLY if bound else None)
