"""`make sbom` names everything that is locked, in the form of CycloneDX's own schema, and nothing of this machine."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.support.paths import ROOT

LOCK = (ROOT / "requirements.txt").read_text()


def made() -> str:
    return subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "sbom.py")], check=True, capture_output=True, text=True, cwd="/"
    ).stdout


@pytest.fixture(scope="module")
def text() -> str:
    return made()


@pytest.fixture(scope="module")
def sbom(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def test_it_is_valid_cyclonedx(text: str) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(text) is None
    assert validator.validate_str(text.replace('"type": "library"', '"type": "a library"', 1)) is not None


def test_every_pin_of_the_lock_is_in_it_with_its_version_and_all_its_digests(sbom: dict[str, Any]) -> None:
    pins = re.findall(r"(?m)^([A-Za-z0-9._-]+)(?:\[.*\])?==([^ ;\\]+)", LOCK)
    assert len(pins) > 100
    assert [(each["name"], each["version"]) for each in sbom["components"]] == pins
    assert all(each["hashes"] for each in sbom["components"])
    digests = [digest["content"] for each in sbom["components"] for digest in each["hashes"]]
    assert digests == re.findall(r"sha256:([0-9a-f]{64})", LOCK)


def test_it_says_what_needs_what_and_where(sbom: dict[str, Any]) -> None:
    """The library refuses a graph with unknown ends; every package is needed by something that the project needs."""
    Bom.from_json(sbom).validate()  # type: ignore[attr-defined]
    needs = {each["ref"]: set(each["dependsOn"]) for each in sbom["dependencies"]}
    reached, coming = set(), {sbom["metadata"]["component"]["bom-ref"]}
    while coming:
        reached |= coming
        coming = set().union(*(needs[each] for each in coming)) - reached
    assert reached == set(needs)
    (triton,) = (each for each in sbom["components"] if each["name"] == "triton")
    assert "sys_platform == 'linux'" in triton["properties"][0]["value"]


def test_the_same_lock_gives_the_same_bytes_without_addresses_or_places(text: str) -> None:
    assert text == made()
    assert "://" not in text
    assert str(ROOT) not in text
    assert not re.search(r'"/|file:', text)
