"""What EndoScribe is made of, as a CycloneDX 1.6 document: `python deploy/sbom.py [FILE]`, else to standard output.

Standard library only. All of it comes from requirements.txt: each package with its version, the digests of the files
that may be installed for it, the machines that it is for, and what needs it. The same lock gives the same bytes.
"""

import json
import re
import sys
import tomllib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
#: As uv writes a pin: name, extras, version, the marker of the machines that it is for.
PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)(?: ; ([^\\]+?))? \\")
DIGEST = re.compile(r"--hash=sha256:([0-9a-f]{64})")
#: The first line after "via", or one name a line below it.
NEEDED_BY = re.compile(r"(?m)^    # (?:via |  )([A-Za-z0-9._-]+)")


@dataclass(frozen=True)
class Package:
    """One pin of the lock; `needed_by` are names of packages."""

    name: str
    version: str
    marker: str | None
    digests: tuple[str, ...]
    needed_by: tuple[str, ...]

    @property
    def purl(self) -> str:
        return purl(self.name, self.version)

    def component(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "type": "library",
            "bom-ref": self.purl,
            "name": self.name,
            "version": self.version,
            "hashes": [{"alg": "SHA-256", "content": digest} for digest in self.digests],
            "purl": self.purl,
        }
        if self.marker:
            told["properties"] = [{"name": "environment marker", "value": self.marker}]
        return told


def purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name.lower().replace('_', '-')}@{version}"


def packages(lock: str) -> list[Package]:
    """The pins of a lock, in its order; raises ValueError for one that is not pinned and hashed."""
    found = []
    for block in re.split(r"(?m)^(?=[A-Za-z0-9])", lock)[1:]:
        pin, digests = PIN.match(block), DIGEST.findall(block)
        if pin is None or not digests:
            raise ValueError(f"not pinned and hashed: {block.splitlines()[0]}")
        found.append(Package(pin[1], pin[2], pin[3], tuple(digests), tuple(NEEDED_BY.findall(block))))
    return found


def document(lock: str, project: Mapping[str, Any]) -> dict[str, Any]:
    """The CycloneDX document of a lock and the [project] that it is for."""
    name, version = project["name"], project["version"]
    made_of = packages(lock)
    root = {
        "type": "application",
        "bom-ref": purl(name, version),
        "name": name,
        "version": version,
        "description": project["description"],
        "licenses": [{"license": {"id": project["license"]["text"]}}],
    }
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {version}\n{lock}").urn,
        "version": 1,
        "metadata": {"component": root},
        "components": [package.component() for package in made_of],
        "dependencies": [
            _needs(name, version, made_of),
            *(_needs(each.name, each.version, made_of) for each in made_of),
        ],
    }


def _needs(name: str, version: str, made_of: Sequence[Package]) -> dict[str, Any]:
    return {"ref": purl(name, version), "dependsOn": [each.purl for each in made_of if name in each.needed_by]}


def main(arguments: Sequence[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    made = document((ROOT / "requirements.txt").read_text(encoding="utf-8"), project)
    text = json.dumps(made, indent=1) + "\n"
    if arguments:
        Path(arguments[0]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
