"""The files that put EndoScribe on another machine agree with its code."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from endoscribe.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
NAMES = {field.alias for field in Settings.model_fields.values()}

#: What Fly.io's configuration reference knows, of the parts that are used here; a typing error is not reported there.
FLY_KEYS = {
    "": {"app", "primary_region", "kill_signal", "kill_timeout", "swap_size_mb", "build", "deploy", "env",
         "http_service", "mounts", "vm", "restart"},
    "build": {"dockerfile", "args"},
    "deploy": {"strategy", "wait_timeout", "release_command"},
    "http_service": {"internal_port", "force_https", "auto_stop_machines", "auto_start_machines",
                     "min_machines_running", "concurrency", "checks"},
    "http_service.concurrency": {"type", "soft_limit", "hard_limit"},
    "http_service.checks": {"grace_period", "interval", "timeout", "method", "path"},
    "mounts": {"source", "destination", "initial_size", "auto_extend_size_threshold", "auto_extend_size_increment",
               "auto_extend_size_limit", "snapshot_retention"},
    "vm": {"size", "memory", "cpus", "cpu_kind"},
    "restart": {"policy", "retries"},
}  # fmt: skip


def unknown_keys(table: dict[str, Any], name: str = "") -> list[str]:
    found = [f"{name}.{key}" for key in table if key not in FLY_KEYS[name]]
    for key, value in table.items():
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict) and key != "env":
                found += unknown_keys(part, f"{name}.{key}".lstrip("."))
    return found


def test_the_example_names_every_setting_and_no_other() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    named = {match[1] for line in lines if (match := re.match(r"(?:# )?([A-Z_]+)=", line))}
    assert named == NAMES


def test_the_example_itself_changes_nothing(tmp_path: Path) -> None:
    copied = tmp_path / ".env"
    copied.write_text((ROOT / ".env.example").read_text())
    assert Settings.from_environment({}, copied) == Settings.from_environment({}, None)


def test_the_defaults_that_the_example_shows_are_the_defaults(tmp_path: Path) -> None:
    machine_dependent = {"FLY_APP_NAME", "ENDOSCRIBE_THREADS", "ENDOSCRIBE_RETENTION_DAYS"}
    active = re.sub(r"(?m)^# ([A-Z_]+=)", r"\1", (ROOT / ".env.example").read_text())
    shown = tmp_path / ".env"
    shown.write_text(active)
    values = {name: value for name, value in dotenv_values(shown).items() if name not in machine_dependent and value}
    assert len(values) >= 8
    assert Settings.from_environment({name: value for name, value in values.items() if value}, None) == (
        Settings.from_environment({}, None)
    )


def test_fly_knows_every_key_of_its_configuration() -> None:
    fly = tomllib.loads((ROOT / "fly.toml").read_text())
    assert unknown_keys(fly) == []
    assert fly["kill_timeout"] <= 300
    assert "gpu" not in str(fly["vm"])


def test_a_key_that_fly_does_not_know_is_found() -> None:
    assert unknown_keys({"vm": [{"gpu_kind": "a10"}], "nonsense": 1}) == [".nonsense", "vm.gpu_kind"]


def test_container_and_fly_agree_on_port_and_data_folder() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    fly = tomllib.loads((ROOT / "fly.toml").read_text())
    environment = dict(re.findall(r"^(?:ENV| {3}) (\w+)=(\S+)", dockerfile, re.MULTILINE))
    assert int(environment["PORT"]) == fly["http_service"]["internal_port"]
    assert environment["ENDOSCRIBE_DATA_DIR"] == fly["mounts"][0]["destination"]
    assert {name for name in environment if name.startswith("ENDOSCRIBE_")} <= NAMES
    assert "LD_LIBRARY_PATH" not in environment


def test_what_the_image_copies_is_not_ignored() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
        for source in line.split()[:-1]
    }
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == let_in
    assert all((ROOT / source).exists() for source in copied)


@pytest.mark.parametrize("script", ["deploy/entrypoint.sh", ".ci/run"])
def test_scripts_are_executable_and_parse(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    shell = path.read_text().splitlines()[0].rsplit("/", 1)[-1].removeprefix("env ")
    subprocess.run([shell, "-n", str(path)], check=True)


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-test.txt"])
def test_locks_are_hashed_and_name_no_machine_or_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    pins = re.findall(r"(?m)^[A-Za-z0-9._-]+(?:\[[^]]*\])?==.*\\$", text)
    assert len(pins) > 100
    assert len(pins) == len(re.findall(r"(?m)^[A-Za-z0-9]", text))
    assert "://" not in text
    assert "file:" not in text


def test_the_test_lock_holds_the_same_versions() -> None:
    def pins(lock: str) -> set[str]:
        return set(re.findall(r"(?m)^[A-Za-z0-9._-]+==[^ ;\\]+", (ROOT / lock).read_text()))

    assert pins("requirements.txt") < pins("requirements-test.txt")
