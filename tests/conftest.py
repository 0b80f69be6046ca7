"""What all tests share: no network but the loopback, and the real weights where a test asks for them.

What only some need is imported when they ask for it: the process that deals out the tests needs none of it.
"""

import ipaddress
import secrets
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from endoscribe.speech.engine import WhisperXEngine
    from tests.support.faults import Nursery

SAMPLES_DIR = ROOT / "endoscribe" / "samples"

#: Hypothesis would take a machine that is busy with other work for a fault.
settings.register_profile("without deadlines", deadline=None)
settings.load_profile("without deadlines")


class NetworkIsOffError(OSError):
    """A test tried to reach another machine."""


def _is_loopback(address: object) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket
    host = address[0]
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def network_off() -> Iterator[None]:
    """Refuse every connection and look-up that leaves this machine."""
    connect, connect_ex, look_up = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if not _is_loopback(address):
            raise NetworkIsOffError("the tests run without a network")
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        if not _is_loopback(address):
            raise NetworkIsOffError("the tests run without a network")
        return connect_ex(self, address)

    def guarded_look_up(host: Any, *arguments: Any, **options: Any) -> Any:
        if not _is_loopback((host if isinstance(host, str) else "",)):
            raise NetworkIsOffError("the tests run without a network")
        return look_up(host, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_look_up)
        yield


def _load(model: str) -> "WhisperXEngine":
    from endoscribe.settings import Settings
    from endoscribe.speech.loading import load_engine

    return load_engine(Settings.from_environment({"ENDOSCRIBE_WHISPER_MODEL": model, "ENDOSCRIBE_DEVICE": "cpu"}))


@pytest.fixture(scope="session")
def tiny_engine(network_off: None) -> "WhisperXEngine":
    """WhisperX with the real `tiny.en` weights, which `make test` has fetched."""
    return _load("tiny.en")


@pytest.fixture(scope="session")
def base_engine(network_off: None) -> "WhisperXEngine":
    """WhisperX with the real `base` weights, which `make test` has fetched."""
    return _load("base")


@pytest.fixture(scope="session")
def colonoscopy_speech() -> npt.NDArray[np.float32]:
    """The shipped colonoscopy sample, 16 kHz mono."""
    from endoscribe.audio import load_audio

    return load_audio(SAMPLES_DIR / "col-two-polyps.flac")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A real Postgres, where it is installed; `.ci/run` installs it."""
    from tests.support.postgres import programs, running_postgres

    if programs() is None:
        pytest.skip("Postgres is not installed: apt-get install postgresql")
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """None for the SQLite file of a data folder, then an empty Postgres: what is tested with it holds on both."""
    from tests.support.postgres import new_database

    if request.param == "sqlite":
        return None
    return new_database(request.getfixturevalue("postgres_server"), f"test_{secrets.token_hex(6)}")


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Nursery"]:
    """Servers that start at once, to be killed."""
    from tests.support.faults import Nursery

    nursery = Nursery(tmp_path_factory.mktemp("nursery"))
    yield nursery
    nursery.close()
