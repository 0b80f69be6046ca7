"""The environment, read once."""

import logging
from pathlib import Path

import pytest

from endoscribe.errors import SettingsError
from endoscribe.settings import Settings
from tests.support.paths import ROOT


def read(**environ: str) -> Settings:
    return Settings.from_environment(environ, env_file=None)


def test_everything_has_a_default() -> None:
    settings = read()
    assert (settings.host, settings.port, settings.device, settings.language) == ("127.0.0.1", 7860, "auto", "en")
    assert settings.uploads_dir == Path("web_app/uploads")
    assert settings.results_dir == Path("web_app/results")


def test_on_fly_data_lives_on_the_volume() -> None:
    settings = read(FLY_APP_NAME="clinic")
    assert settings.uploads_dir == Path("/data/uploads")
    assert settings.results_dir == Path("/data/results")
    assert settings.models_dir == Path("/data/models")


def test_an_own_data_folder_wins() -> None:
    assert read(FLY_APP_NAME="clinic", ENDOSCRIBE_DATA_DIR="/srv/scribe").models_dir == Path("/srv/scribe/models")


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({}, {"127.0.0.1", "localhost", "::1"}),
        ({"ENDOSCRIBE_HOST_NAMES": "Scribe.example.org, localhost"}, {"scribe.example.org", "localhost"}),
        ({"ENDOSCRIBE_HOST": "0.0.0.0"}, None),
        ({"ENDOSCRIBE_DEMO": "true"}, None),
        ({"ENDOSCRIBE_DEMO": "true", "ENDOSCRIBE_HOST_NAMES": "demo.example.org"}, {"demo.example.org"}),
    ],
)
def test_a_page_for_this_machine_answers_to_its_names_only(environ: dict[str, str], names: set[str] | None) -> None:
    assert read(**environ).host_names == names


@pytest.mark.parametrize(
    ("environ", "extractor"),
    [
        ({}, "offline"),
        ({"ANTHROPIC_API_KEY": ""}, "offline"),
        ({"ANTHROPIC_API_KEY": "sk-x"}, "claude"),
        ({"ANTHROPIC_API_KEY": "sk-x", "ENDOSCRIBE_EXTRACTOR": "offline"}, "offline"),
        ({"ENDOSCRIBE_EXTRACTOR": "claude"}, "claude"),
    ],
)
def test_claude_reads_where_there_is_a_key(environ: dict[str, str], extractor: str) -> None:
    assert read(**environ).extractor_name == extractor


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(SettingsError, match="Did you mean ENDOSCRIBE_WHISPER_MODEL"):
        read(ENDOSCRIBE_WISPER_MODEL="base")


@pytest.mark.parametrize("environ", [{"PORT": "high"}, {"PORT": "0"}, {"ENDOSCRIBE_DEVICE": "tpu"}])
def test_an_unusable_value_is_named_by_its_setting(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=next(iter(environ))):
        read(**environ)


def test_no_value_is_ever_shown() -> None:
    with pytest.raises(SettingsError) as refused:
        read(ANTHROPIC_API_KEY="sk-canary-key", PORT="canary-port")
    assert "canary" not in str(refused.value)
    assert "canary" not in repr(read(ANTHROPIC_API_KEY="sk-canary-key"))


def test_no_value_is_logged_even_where_the_library_is_asked_to(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PYDANTIC_SETTINGS_DEBUG", "1")
    caplog.set_level(logging.DEBUG)
    assert read(ANTHROPIC_API_KEY="sk-canary-key").anthropic_api_key
    assert "canary" not in caplog.text


def test_the_environment_is_not_read_where_another_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    assert read().port == 7860
    assert Settings.from_environment(env_file=None).port == 9000


def test_names_of_others_in_the_file_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("COMPOSE_PROJECT_NAME=scribe\nport=1\nPORT=8000\nENDOSCRIBE_AUTH\n")
    settings = Settings.from_environment({"endoscribe_auth": "none", "port": "2"}, tmp_path / ".env")
    assert (settings.port, settings.auth) == (8000, None)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=8000\nENDOSCRIBE_LANGUAGE=de\n")
    settings = Settings.from_environment({"PORT": "9000"}, tmp_path / ".env")
    assert (settings.port, settings.language) == (9000, "de")


def test_a_slip_in_the_file_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ENDOSCRIBE_HOTS=0.0.0.0\n")
    with pytest.raises(SettingsError, match="Did you mean ENDOSCRIBE_HOST"):
        Settings.from_environment({}, tmp_path / ".env")


def test_every_setting_stands_in_the_example_file() -> None:
    example = (ROOT / ".env.example").read_text()
    for field in Settings.model_fields.values():
        assert f"{field.alias}=" in example


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read().port = 1  # type: ignore[misc]
