"""The file of users: what is written, who is let in, and that nothing of a password shows."""

import io
import os
import stat
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from endoscribe.auth.users import UsersFile
from endoscribe.cli.main import main
from endoscribe.errors import EntryError

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "a long enough password"


@pytest.fixture
def users(tmp_path: Path) -> UsersFile:
    return UsersFile(tmp_path / "users.txt", QUICK)


def test_who_was_added_gets_in_with_their_password_only(users: UsersFile, tmp_path: Path) -> None:
    users.add("Dr. Ada Example", PASSWORD)
    users.add("ben", "another long password")
    assert users.names == ["Dr. Ada Example", "ben"]
    assert users.is_right("ben", "another long password")
    for name, password in (("ben", PASSWORD), ("ben", ""), ("Ben", "another long password"), ("cat", PASSWORD)):
        assert not users.is_right(name, password)
    assert not users.is_right("ben", "x" * 100_000)
    written = (tmp_path / "users.txt").read_text()
    assert "$argon2id$" in written
    assert "password" not in written
    assert stat.S_IMODE((tmp_path / "users.txt").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["users.txt"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes for others")
def test_what_root_writes_can_be_read_by_the_folders_owner(users: UsersFile, tmp_path: Path) -> None:
    os.chown(tmp_path, 1000, 1000)
    users.add("ada", PASSWORD)
    written = (tmp_path / "users.txt").stat()
    assert (written.st_uid, written.st_gid, stat.S_IMODE(written.st_mode)) == (1000, 1000, 0o600)


def test_a_change_of_the_file_counts_at_once(users: UsersFile, tmp_path: Path) -> None:
    users.add("ada", PASSWORD)
    seen_elsewhere = UsersFile(tmp_path / "users.txt", QUICK)
    before = seen_elsewhere.mark("ada")
    users.add("ada", "quite another password")
    assert not seen_elsewhere.is_right("ada", PASSWORD)
    assert seen_elsewhere.mark("ada") not in (before, None)
    users.remove("ada")
    assert not seen_elsewhere.is_right("ada", "quite another password")
    assert seen_elsewhere.mark("ada") is None


def test_a_token_is_its_users_until_they_go(users: UsersFile, tmp_path: Path) -> None:
    users.add("ada", PASSWORD)
    token = users.issue_token("ada")
    assert users.holder(token) == "ada"
    assert users.holder(token + "x") is None
    assert token not in (tmp_path / "users.txt").read_text()
    users.add("ada", "quite another password")
    assert users.holder(token) == "ada"
    users.remove("ada")
    assert users.holder(token) is None


@pytest.mark.parametrize("name", ["", "a:b", "a\nroot", " ada", "#ada", "a" * 90, "visitor:1", "ada\0"])
def test_a_name_that_could_break_the_file_is_refused(users: UsersFile, name: str) -> None:
    with pytest.raises(EntryError, match="A name has"):
        users.add(name, PASSWORD)


def test_a_short_password_is_refused(users: UsersFile) -> None:
    with pytest.raises(EntryError, match="12 characters"):
        users.add("ada", "short")


def test_a_broken_file_lets_nobody_in(users: UsersFile, tmp_path: Path) -> None:
    (tmp_path / "users.txt").write_text("# who may\nada:canary-password\n")
    with pytest.raises(EntryError, match=r"Line 2 of .*users\.txt") as refused:
        users.is_right("ada", "canary-password")
    assert "canary" not in str(refused.value)


def test_the_command_line_takes_the_password_from_its_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "users.txt")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert main(["users", "add", file, "ada"]) == 0
    assert main(["users", "list", file]) == 0
    assert capsys.readouterr().out == "ada can sign in.\nada\n"
    assert main(["users", "token", file, "ada"]) == 0
    token = capsys.readouterr().out.strip()
    found = UsersFile(tmp_path / "users.txt")
    assert found.is_right("ada", PASSWORD)
    assert found.holder(token) == "ada"
    assert main(["users", "remove", file, "ada"]) == 0
    assert main(["users", "remove", file, "ada"]) == 1
    assert "There is no user ada" in capsys.readouterr().err


def test_the_password_is_asked_twice_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    answers = iter([PASSWORD, "something else entirely"])
    monkeypatch.setattr("getpass.getpass", lambda _: next(answers))
    assert main(["users", "add", str(tmp_path / "users.txt"), "ada"]) == 1
    assert not (tmp_path / "users.txt").exists()
