"""The public demo link: demo mode, a folder that is gone afterwards, and a sentence where there is no tunnel."""

from pathlib import Path

import pytest
from gradio import networking
from gradio.exceptions import ChecksumMismatchError
from httpx import ConnectError

import app
from endoscribe.auth.modes import Demo, NoAuth
from endoscribe.settings import Settings
from endoscribe.web.gradio.share import demo_settings
from endoscribe.web.page.panels import masthead_html


def test_a_demonstration_has_a_folder_of_its_own_that_goes(tmp_path: Path) -> None:
    settings = Settings.from_environment({"ENDOSCRIBE_DATA_DIR": str(tmp_path), "ENDOSCRIBE_HOST": "0.0.0.0"}, None)
    with demo_settings(settings) as demo:
        assert demo.demo
        assert demo.host == "127.0.0.1"
        assert demo.data_dir != tmp_path
        assert demo.models_dir.resolve() == (tmp_path / "models").resolve()
    assert not demo.data_dir.exists()
    assert (tmp_path / "models").is_dir()


def test_the_page_says_what_a_demonstration_means() -> None:
    head = masthead_html(Demo(minutes=30, dictations=20, longest_minutes=10.0))
    assert "Do not dictate about real patients" in head
    assert "deleted 30 minutes after you left" in head
    assert "20 dictations an hour, of at most 10 minutes each" in head
    assert "demonstration" not in masthead_html(NoAuth())


@pytest.mark.parametrize(
    "failure",
    [
        RuntimeError("no server"),
        OSError("no route to host"),
        ValueError("no start"),
        ConnectError(""),
        ChecksumMismatchError(),
    ],
)
def test_without_a_tunnel_there_is_one_sentence(
    failure: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tried: list[tuple[object, ...]] = []

    def no_tunnel(*arguments: object) -> str:
        tried.append(arguments)
        raise failure

    monkeypatch.setattr(networking, "setup_tunnel", no_tunnel)
    monkeypatch.setenv("ENDOSCRIBE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PORT", "7999")
    assert app.main(["--share"]) == 1
    assert tried[0][:2] == ("127.0.0.1", 7999)
    assert "The public link could not be made" in capsys.readouterr().err
