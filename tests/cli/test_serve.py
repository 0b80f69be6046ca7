"""The page as people start it, with real weights: alone, with replicas that are killed, and two on one Postgres."""

import json
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jiwer
import numpy as np
import numpy.typing as npt
import pytest

from endoscribe.storage.sessions import SessionStore
from tests.support.documents import shown
from tests.support.paths import ROOT
from tests.support.postgres import new_database
from tests.support.served import Page, dictate, page, replicas_by_their_own_command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SECONDS = 24
#: Two decodes of the same audio in other company may differ in a word; what a replica takes with it is a whole chunk.
MOST_DIFFERENT = 0.05


@pytest.fixture(scope="module")
def pcm(colonoscopy_speech: npt.NDArray[np.float32]) -> bytes:
    """The first sentences of the shipped colonoscopy, 16 kHz 16 bit."""
    return (colonoscopy_speech[: SECONDS * 16_000] * 32767).astype("<i2").tobytes()


def final_text(store: SessionStore, session: str) -> str:
    transcript = store.transcript(session)
    assert transcript
    return " ".join(transcript.text.casefold().split())


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page with the engine in its own process; it ends when it is told to."""
    with page(tmp_path_factory.mktemp("alone") / "data") as alone:
        yield alone
        assert alone.end() in (0, -signal.SIGTERM)


@pytest.fixture(scope="module")
def whole(alone: Page, pcm: bytes) -> str:
    """What it makes of the dictation."""
    store = SessionStore(alone.folder / "uploads", alone.folder / "results")
    text = final_text(store, dictate(alone, pcm))
    store.close()
    assert "colonoscopy" in text
    return text


def test_the_page_alone_is_healthy_and_answers_the_examples_of_its_documents(alone: Page, whole: str) -> None:
    health = alone.get("health")
    assert (health["status"], health["whisper_loaded"], health["llm_initialized"]) == ("healthy", True, True)
    examples = [line for name, line in shown() if name == "API.md" and line.startswith("curl")]
    assert len(examples) == 2
    for line in examples:
        command = line.replace("curl ", "curl --fail ").replace("127.0.0.1:7860", f"127.0.0.1:{alone.port}")
        answer = subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True, cwd=ROOT).stdout
        assert json.loads(answer)


def test_replicas_come_for_the_first_words_and_one_that_is_killed_costs_none(
    whole: str, pcm: bytes, tmp_path: Path
) -> None:
    folder = tmp_path / "data"

    def kill_one(_session: str) -> None:
        os.kill(page_with_replicas.replicas()[0], signal.SIGKILL)

    with page(folder, "--ray", "--replicas", "2") as page_with_replicas:
        assert page_with_replicas.replicas() == []
        session = dictate(page_with_replicas, pcm, kill_one)
        store = SessionStore(folder / "uploads", folder / "results")
        assert jiwer.wer(whole, final_text(store, session)) <= MOST_DIFFERENT
        store.close()
        assert page_with_replicas.get("health")["status"] == "healthy"


def test_a_page_joins_replicas_that_were_started_without_it(whole: str, pcm: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with (
        replicas_by_their_own_command(folder) as (address, environ),
        page(folder, "--ray", "--address", address, **environ) as joined,
    ):
        session = dictate(joined, pcm)
        assert joined.replicas() == []  # it has none of its own
        store = SessionStore(folder / "uploads", folder / "results")
        assert jiwer.wer(whole, final_text(store, session)) <= MOST_DIFFERENT
        store.close()


def test_a_dictation_goes_on_at_the_other_page_when_its_own_is_killed(
    whole: str, pcm: bytes, tmp_path: Path, postgres_server: str
) -> None:
    url = new_database(postgres_server, f"test_{secrets.token_hex(6)}")
    folder = tmp_path / "data"

    def move(session: str) -> Page:
        """The other page starts while somebody speaks here, and leaves that alone."""
        other.append(Page(folder, ENDOSCRIBE_DATABASE_URL=url))
        other[0].wait_until_healthy()
        assert other[0].get(f"sessions/{session}")["state"] == "recording"
        one.kill()
        return other[0]

    other: list[Page] = []
    with page(folder, ENDOSCRIBE_DATABASE_URL=url) as one:
        session = dictate(one, pcm, move)
    store = SessionStore(folder / "uploads", folder / "results", url)
    assert (folder / "uploads" / session / "audio.pcm").read_bytes() == pcm
    assert other[0].get(f"sessions/{session}")["complete"]
    assert jiwer.wer(whole, final_text(store, session)) <= MOST_DIFFERENT
    store.close()
    other[0].end()
