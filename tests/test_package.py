"""`pip install .` gives a package that works away from the repository."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.paths import ROOT

DICTATION = "Colonoscopy. A 6 mm sessile polyp was found in the sigmoid colon and removed with a cold snare."


def pip(*arguments: str, cwd: Path | None = None) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the repository, with compiled modules in it as after any start."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("endoscribe", "procedure_schemas"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    (source / "endoscribe" / "__pycache__").mkdir()
    (source / "endoscribe" / "__pycache__" / "errors.cpython-311.pyc").write_bytes(b"")
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(built), ".", cwd=source)
    (path,) = built.glob("endoscribe-*.whl")
    return path


def files_below(folder: Path) -> set[str]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    return {path.relative_to(folder).as_posix() for path in found}


def test_the_wheel_holds_the_package_with_all_its_data_and_the_schemas_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    schemas = {f"endoscribe/procedure_schemas/{name}" for name in files_below(ROOT / "procedure_schemas")}
    assert held == schemas | {f"endoscribe/{name}" for name in files_below(ROOT / "endoscribe")}
    assert held >= {
        "endoscribe/procedure_schemas/col.yaml",
        "endoscribe/procedure_schemas/schema.json",
        "endoscribe/samples/samples.yaml",
        "endoscribe/speech/nltk_data/tokenizers/punkt_tab/english/collocations.tab",
        "endoscribe/storage/migrations/script.py.mako",
    }
    assert any(name.startswith("endoscribe/web/assets/") and name.endswith(".js") for name in held)
    assert any(name.startswith("endoscribe/storage/migrations/versions/") for name in held)


@pytest.mark.slow
def test_an_installed_package_lists_its_schemas_and_reads_a_dictation(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own; what EndoScribe needs is lent from this one."""
    environment, elsewhere = tmp_path / "environment", tmp_path / "elsewhere"
    elsewhere.mkdir()
    venv.create(environment, with_pip=False)
    python = str(environment / "bin" / "python")
    pip("--python", python, "install", "--no-deps", "--no-index", str(wheel))
    (packages,) = environment.glob("lib/python3.*/site-packages")
    (packages / "lent.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    (elsewhere / "dictation.txt").write_text(DICTATION)
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}

    def run(*arguments: str) -> str:
        return subprocess.run(
            [python, *arguments], cwd=elsewhere, env=environ, check=True, capture_output=True, text=True
        ).stdout

    where = run("-c", "import endoscribe.settings as s; print(s.SHIPPED_SCHEMA_DIR)").strip()
    assert Path(where) == packages.resolve() / "endoscribe" / "procedure_schemas"
    listed = run("-m", "endoscribe", "schemas", "list")
    assert all(procedure in listed for procedure in ("col", "egd", "ercp", "eus"))
    options = ("--procedure", "col", "--extractor", "offline", "--json", "dictation.txt")
    record = run("-m", "endoscribe", "extract", *options)
    assert json.loads(record)
    assert "sigmoid" in record
