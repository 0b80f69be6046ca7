"""The commands of whoever runs EndoScribe: back up, restore, check the audit trail."""

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from endoscribe.cli.options import AsJson, read_settings
from endoscribe.cli.output import say, tell
from endoscribe.errors import AuditError

if TYPE_CHECKING:
    from endoscribe.storage.backup import Contents

app = typer.Typer()
audit = typer.Typer()
app.add_typer(audit, name="audit", help="The audit trail.")

BackupFile = Annotated[Path, typer.Argument(metavar="FILE.tar")]


@app.command()
def backup(file: BackupFile) -> None:
    """Write all sessions, recordings and the audit trail into one file."""
    from endoscribe.services import open_store
    from endoscribe.storage.backup import write_backup

    with closing(open_store(read_settings())) as store:
        _tell_contents(write_backup(store, file), "Kept")


@app.command()
def restore(file: BackupFile) -> None:
    """Put a backup into an empty data folder and database."""
    from endoscribe.services import open_store
    from endoscribe.storage.backup import restore_backup

    with closing(open_store(read_settings())) as store:
        _tell_contents(restore_backup(store, file), "Restored")


@audit.command()
def verify(
    expect: Annotated[
        str | None,
        typer.Option("--expect", metavar="HASH", help="a hash that was noted earlier and must still be there"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hold every entry against its hash and the one before."""
    from endoscribe.services import open_store

    with closing(open_store(read_settings())) as store:
        verdict = store.audit.verify(expect)
    if as_json:
        say(json.dumps({**vars(verdict), "is_intact": verdict.is_intact}))
    elif verdict.is_intact:
        say(f"{verdict.entries} entries, all as they were written. Newest hash: {verdict.head}")
    if verdict.broken_at is not None:
        raise AuditError(f"Entry {verdict.broken_at} of the audit trail is not what was written, or follows a gap.")
    if not verdict.is_expected:
        raise AuditError("The audit trail lacks the expected hash: its end was cut off, or it is another one.")


@audit.command("list")
def list_entries(
    session: Annotated[
        str | None, typer.Option("--session", metavar="ID", help="only what was done with this session")
    ] = None,
) -> None:
    """Print the entries, one JSON object a line."""
    from endoscribe.services import open_store

    with closing(open_store(read_settings())) as store, closing(store.audit.entries(session)) as entries:
        for entry in entries:
            say(json.dumps(entry.to_json()))


def _tell_contents(contents: "Contents", verb: str) -> None:
    counts = f"{contents.sessions} sessions, {contents.recordings} recordings, {contents.audit_entries} audit entries"
    tell(f"{verb} {counts}. Newest hash of the audit trail: {contents.audit_head}")
