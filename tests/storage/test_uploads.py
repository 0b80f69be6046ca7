"""A file that two people sent is there until both are done with it."""

from pathlib import Path

import pytest

from endoscribe.storage.uploads import Uploads


def test_an_upload_is_deleted_by_the_last_who_holds_it(tmp_path: Path) -> None:
    shared, own, uploads = tmp_path / "shared.wav", tmp_path / "own.wav", Uploads()
    shared.touch()
    own.touch()
    with uploads.held([shared]):
        with uploads.held([shared, own]):
            assert shared.exists()
            assert own.exists()
        assert shared.exists()
        assert not own.exists()
    assert not shared.exists()


def test_an_upload_named_twice_or_gone_already_is_deleted_all_the_same(tmp_path: Path) -> None:
    path, uploads = tmp_path / "a.wav", Uploads()
    path.touch()
    with uploads.held([path, path]):
        assert path.exists()
    assert not path.exists()
    with uploads.held([path]):
        pass
    path.touch()
    with pytest.raises(RuntimeError), uploads.held([path]):
        raise RuntimeError
    assert not path.exists()
