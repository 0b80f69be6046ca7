"""The files that put EndoScribe on another machine agree with its code."""

import json
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values

from endoscribe.auth.modes import Passwords, auth_mode, networks
from endoscribe.settings import Settings
from tests.support.paths import ROOT

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
            if isinstance(part, dict) and key not in ("env", "args"):
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
    assert fly["build"]["args"] == {"TORCH": "cpu"}
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
    assert let_in <= copied
    assert all(any(f"{source}/".startswith(f"{each}/") for each in let_in) for source in copied)
    assert all((ROOT / source).exists() for source in copied)


@pytest.mark.parametrize("script", ["deploy/entrypoint.sh", "deploy/check_image.sh", ".ci/run"])
def test_scripts_are_executable_and_parse(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    shell = path.read_text().splitlines()[0].rsplit("/", 1)[-1].removeprefix("env ")
    subprocess.run([shell, "-n", str(path)], check=True)


def test_the_requirements_are_hashed_and_name_no_machine_or_address() -> None:
    text = (ROOT / "requirements.txt").read_text()
    pins = re.findall(r"(?m)^[A-Za-z0-9._-]+(?:\[[^]]*\])?==.*\\$", text)
    assert len(pins) > 100
    assert len(pins) == len(re.findall(r"(?m)^[A-Za-z0-9]", text))
    assert "://" not in text
    assert "file:" not in text


def test_the_lock_names_the_public_registry_and_hashes_every_file() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    (project,) = (each for each in lock["package"] if each["source"] == {"editable": "."})
    packages = [each for each in lock["package"] if each is not project]
    assert len(packages) > 200
    assert {each["source"]["registry"] for each in packages} == {"https://pypi.org/simple"}
    files = [
        file for each in packages for file in [*each.get("wheels", []), *([each["sdist"]] if "sdist" in each else [])]
    ]
    assert all(file["url"].startswith("https://files.pythonhosted.org/packages/") for file in files)
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"]) for file in files)


@pytest.fixture
def locked_project(tmp_path: Path) -> Path:
    """A folder with the lock and what it is held against."""
    for name in ("Makefile", "README.md", "pyproject.toml", "uv.lock", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def check_lock(project: Path) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--silent", "check-lock", f"VENV={sys.prefix}"]
    return subprocess.run(command, cwd=project, env=environ, check=False, capture_output=True, text=True)


def test_the_lock_fits_the_project_and_the_requirements_are_its_export(locked_project: Path) -> None:
    checked = check_lock(locked_project)
    assert checked.returncode == 0, checked.stderr


def test_a_dependency_that_is_not_locked_is_found(locked_project: Path) -> None:
    project = locked_project / "pyproject.toml"
    project.write_text(project.read_text().replace('"jinja2>=3.1"', '"jinja2>=3.1", "attrs<20"'))
    checked = check_lock(locked_project)
    assert checked.returncode != 0
    assert "uv.lock does not fit pyproject.toml: make lock" in checked.stderr


def test_requirements_that_were_changed_by_hand_are_found(locked_project: Path) -> None:
    requirements = locked_project / "requirements.txt"
    requirements.write_text(re.sub(r"(?m)^jinja2==.*", r"jinja2==0.1 \\", requirements.read_text()))
    checked = check_lock(locked_project)
    assert checked.returncode != 0
    assert "requirements.txt is not the export of uv.lock: make lock" in checked.stderr


def select(variant: str, *flags: str) -> str:
    script, lock = ROOT / "deploy" / "select_requirements.py", ROOT / "requirements.txt"
    command = [sys.executable, str(script), *flags, variant, str(lock)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def names(requirements: str) -> set[str]:
    return set(re.findall(r"(?m)^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", requirements))


def test_each_image_gets_its_part_of_the_lock() -> None:
    lock = names((ROOT / "requirements.txt").read_text())
    assert lock - names(select("cuda")) == {"triton", "torchcodec"}
    assert {name for name in names(select("cpu")) if name.startswith(("nvidia-", "torch==", "triton"))} == set()
    assert not {"torch", "whisperx", "ctranslate2"} & names(select("none"))
    assert {"gradio", "fastapi", "pydantic", "sqlalchemy"} <= names(select("none"))
    assert all("--hash=sha256:" in block for block in re.split(r"(?m)^(?=\w)", select("cpu"))[1:])


def test_only_the_cpu_builds_of_torch_come_without_a_hash() -> None:
    assert names(select("cpu", "--unhashed")) == {"torch", "torchaudio", "torchvision"}
    assert names(select("cpu", "--unhashed")) | names(select("cpu")) | {"triton", "torchcodec"} >= {
        name for name in names((ROOT / "requirements.txt").read_text()) if not name.startswith("nvidia-")
    }
    assert select("cuda", "--unhashed") == select("none", "--unhashed") == ""


def test_the_readme_makes_the_repository_a_space() -> None:
    _, front, body = (ROOT / "README.md").read_text().split("---\n", 2)
    card = yaml.safe_load(front)
    environment = dict(re.findall(r"(\w+)=(\S+)", (ROOT / "Dockerfile").read_text()))
    assert card["sdk"] == "docker"
    assert card["app_port"] == int(environment["PORT"])
    assert card["suggested_hardware"] in {"cpu-basic", "cpu-upgrade", "t4-small", "l4x1", "a10g-small", "l40sx1"}
    assert re.fullmatch(r"\d+[mh]", card["startup_duration_timeout"])
    assert len(card["short_description"]) <= 60
    assert {card["colorFrom"], card["colorTo"]} <= {
        "red",
        "yellow",
        "green",
        "blue",
        "indigo",
        "purple",
        "pink",
        "gray",
    }
    assert body.lstrip().startswith("# EndoScribe")


def test_a_space_is_a_demonstration_until_it_knows_its_users(tmp_path: Path) -> None:
    def demo(**environ: str) -> str | None:
        script = str(ROOT / "deploy" / "entrypoint.sh")
        show = [sys.executable, "-c", "import json, os; print(json.dumps(os.environ.get('ENDOSCRIBE_DEMO')))"]
        # `id` that names nobody: the script must not hand folders of this machine over.
        (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
        (tmp_path / "id").chmod(0o755)
        env = {"PATH": f"{tmp_path}:/usr/bin:/bin", **environ}
        answer = subprocess.run(["sh", script, *show], env=env, check=True, capture_output=True, text=True).stdout
        value: str | None = json.loads(answer)
        return value

    assert demo() is None
    assert demo(SPACE_ID="a/b") == "true"
    assert demo(SPACE_ID="a/b", ENDOSCRIBE_AUTH="users:/data/users") is None
    assert demo(SPACE_ID="a/b", ENDOSCRIBE_DEMO="false") == "false"


def test_compose_puts_tls_before_a_gpu_container() -> None:
    services = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    scribe, caddy = services["endoscribe"], services["caddy"]
    assert "data:/data" in scribe["volumes"]
    assert "ports" not in scribe  # only the proxy is reached from outside
    assert scribe["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert set(scribe["environment"]) <= NAMES
    assert "443:443" in caddy["ports"]
    assert "reverse_proxy endoscribe:7860" in (ROOT / "deploy" / "Caddyfile").read_text()


def test_cloud_run_gets_one_instance_with_a_gpu() -> None:
    service = yaml.safe_load((ROOT / "contrib" / "cloudrun.yaml").read_text())
    template = service["spec"]["template"]
    container = template["spec"]["containers"][0]
    assert (service["apiVersion"], service["kind"]) == ("serving.knative.dev/v1", "Service")
    assert template["metadata"]["annotations"]["autoscaling.knative.dev/maxScale"] == "1"
    assert template["spec"]["nodeSelector"] == {"run.googleapis.com/accelerator": "nvidia-l4"}
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container["ports"] == [{"containerPort": 7860}]
    assert {each["name"] for each in container["env"]} <= NAMES


def cloud_run_environment() -> dict[str, str]:
    service = yaml.safe_load((ROOT / "contrib" / "cloudrun.yaml").read_text())
    container = service["spec"]["template"]["spec"]["containers"][0]
    return {each["name"]: each["value"] for each in container["env"] if "value" in each}


def compose_environment() -> dict[str, str]:
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    environment: dict[str, str] = compose["services"]["endoscribe"]["environment"]
    return environment | {"ENDOSCRIBE_HOST_NAMES": "scribe.example.org"}


def fly_environment() -> dict[str, str]:
    environment: dict[str, str] = tomllib.loads((ROOT / "fly.toml").read_text())["env"]
    return environment


def modal_environment() -> dict[str, str]:
    source = (ROOT / "contrib" / "modal_app.py").read_text()
    return dict(re.findall(r'"(ENDOSCRIBE_\w+)": "([^"]+)"', source))


@pytest.mark.parametrize(
    "environment", [cloud_run_environment, compose_environment, fly_environment, modal_environment]
)
def test_where_strangers_reach_the_page_people_sign_in(environment: Callable[[], dict[str, str]]) -> None:
    """Without it the container, which listens on all addresses, would not start."""
    settings = Settings.from_environment({"ENDOSCRIBE_HOST": "0.0.0.0", **environment()}, None)
    assert isinstance(auth_mode(settings), Passwords)
    networks(settings.proxies, "ENDOSCRIBE_PROXIES")


def test_modules_are_compiled_when_the_image_is_built() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    packages = dockerfile.index("uv pip install")
    assert 0 < dockerfile.find("UV_COMPILE_BYTECODE=1") < packages
    assert dockerfile.index("compileall") > dockerfile.index("COPY endoscribe endoscribe")


def test_make_installs_with_bytecode_and_from_the_lock() -> None:
    """A machine that sets PYTHONDONTWRITEBYTECODE would otherwise compile all libraries at every start."""
    makefile = (ROOT / "Makefile").read_text()
    (install,) = re.findall(r"(?m)^SYNC := ((?:.*\\\n)*.*)", makefile)
    assert "UV_COMPILE_BYTECODE=1" in install
    assert "--frozen" in install
    assert len(re.findall(r"(?m)^\t\$\(SYNC\)", makefile)) == 2


def test_the_modal_app_compiles(tmp_path: Path) -> None:
    py_compile.compile(str(ROOT / "contrib" / "modal_app.py"), cfile=str(tmp_path / "modal_app.pyc"), doraise=True)


def test_the_guide_names_only_what_exists() -> None:
    guide = (ROOT / "docs" / "DEPLOYMENT.md").read_text() + (ROOT / "deploy" / "space.md").read_text()
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    assert set(re.findall(r"ENDOSCRIBE_[A-Z_]+", guide)) <= NAMES
    assert set(re.findall(r"`make ([a-z-]+)`", guide)) <= targets
    paths = re.findall(r"\]\(\.\./([^)#]+)\)", guide) + re.findall(r"\b((?:deploy|contrib)/\w+\.\w+)", guide)
    assert len(paths) > 5
    assert [path for path in paths if not (ROOT / path).exists()] == []
