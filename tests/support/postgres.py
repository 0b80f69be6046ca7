"""A Postgres of the tests' own, in a folder, on the loopback; and a new, empty database in it for whoever asks."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.support.ports import free_port

#: Where Debian keeps the programs, which are not on the path.
PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def programs() -> Path | None:
    """The folder of initdb and postgres, if Postgres is installed."""
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else next(iter(PLACES), None)


@contextmanager
def running_postgres() -> Iterator[str]:
    """The address of a server that is gone afterwards; as Postgres refuses to run as root, root borrows its user.

    Its folder is not pytest's, which another run may close to that user at any time.
    """
    with tempfile.TemporaryDirectory(prefix="endoscribe-postgres-") as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        with _served(Path(folder)) as address:
            yield address


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    data = folder / "data"
    binaries = programs()
    assert binaries
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    port = free_port()
    run = [*as_user, str(binaries / "initdb"), "-D", str(data), "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(run, check=True, capture_output=True, cwd="/")
    options = f"-F -p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=50"
    control = [*as_user, str(binaries / "pg_ctl"), "-D", str(data), "-w", "-t", "120"]
    start = [*control, "-o", options, "-l", str(folder / "log"), "start"]
    subprocess.run(start, check=True, capture_output=True, cwd="/")
    try:
        yield f"postgresql://tests@127.0.0.1:{port}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd="/")


def new_database(server: str, name: str) -> str:
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{server}/{name}"
