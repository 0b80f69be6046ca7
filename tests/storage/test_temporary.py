"""What lives for a moment: closed to others, gone with its program, or at the next start."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from endoscribe.storage.sessions import SessionStore
from endoscribe.storage.temporary import temporary_files_in
from tests.support.paths import ROOT

#: A page that ends as uvicorn does when it is told to: after its own work the signal comes again.
DEMONSTRATION = """
import signal, sys, tempfile
from pathlib import Path
from endoscribe.settings import Settings
from endoscribe.web import server

def serve(settings, **_):
    (settings.data_dir / "report").write_text("")
    print(settings.data_dir, oct((settings.data_dir / "report").stat().st_mode), flush=True)
    signal.raise_signal(getattr(signal, sys.argv[1]))

server.serve = serve
server.open_page(Settings.from_environment({"ENDOSCRIBE_DATA_DIR": sys.argv[2], "ENDOSCRIBE_DEMO": "1"}, None))
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def demonstrate(how: str, data_dir: Path) -> tuple[int, Path, str]:
    command = [sys.executable, "-c", DEMONSTRATION, how, str(data_dir)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.stdout, ended.stderr
    folder, made = ended.stdout.split()
    return ended.returncode, Path(folder), made


def test_a_demonstration_that_is_told_to_end_leaves_nothing(tmp_path: Path) -> None:
    code, folder, made = demonstrate("SIGTERM", tmp_path)
    assert (code, made) == (0, "0o100600")
    assert tmp_path in folder.parents
    assert list((tmp_path / "temporary").iterdir()) == []


def test_what_a_killed_one_left_is_gone_at_the_next_start_and_what_runs_keeps_its_own(tmp_path: Path) -> None:
    _, folder, _ = demonstrate("SIGKILL", tmp_path)
    assert folder.exists()
    with temporary_files_in(tmp_path) as first, temporary_files_in(tmp_path) as second:
        assert not folder.exists()
        assert {mode(first), mode(second), mode(tmp_path / "temporary")} == {0o700}
        # Gradio reads it when it is imported.
        assert os.environ["GRADIO_TEMP_DIR"] == str(second / "gradio")
        with tempfile.NamedTemporaryFile() as file:
            assert Path(file.name).parent == second
    assert not first.exists()
    assert not second.exists()


def test_nobody_else_reads_the_data_and_an_earlier_store_is_closed(tmp_path: Path) -> None:
    uploads, results = tmp_path / "uploads", tmp_path / "results"
    for folder in (uploads, results):
        folder.mkdir(mode=0o755)
    SessionStore(uploads, results).close()
    (results / "endoscribe.sqlite3").chmod(0o644)
    store = SessionStore(uploads, results)
    store.create("col", 16_000)
    assert {mode(uploads), mode(results)} == {0o700}
    assert {mode(path) for path in results.iterdir()} == {0o600}
    store.close()
