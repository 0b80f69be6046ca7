"""The commands of whoever runs EndoScribe: back up, restore, check the audit trail."""

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from endoscribe.errors import AuditError
from endoscribe.settings import Settings

if TYPE_CHECKING:
    from endoscribe.storage.backup import Contents


def add_operations(commands: Any) -> None:
    """`backup`, `restore` and `audit`, beside the other commands."""
    backup = commands.add_parser("backup", help="write all sessions, recordings and the audit trail into one file")
    backup.add_argument("file", type=Path, metavar="FILE.tar")
    backup.set_defaults(run=run_backup)

    restore = commands.add_parser("restore", help="put a backup into an empty data folder and database")
    restore.add_argument("file", type=Path, metavar="FILE.tar")
    restore.set_defaults(run=run_restore)

    audit = commands.add_parser("audit", help="the audit trail").add_subparsers(required=True, metavar="COMMAND")
    verify = audit.add_parser("verify", help="hold every entry against its hash and the one before")
    verify.add_argument("--expect", metavar="HASH", help="a hash that was noted earlier and must still be there")
    verify.add_argument("--json", action="store_true", help="print JSON")
    verify.set_defaults(run=run_audit_verify)
    show = audit.add_parser("list", help="print the entries, one JSON object a line")
    show.add_argument("--session", metavar="ID", help="only what was done with this session")
    show.set_defaults(run=run_audit_list)


def run_backup(options: argparse.Namespace, settings: Settings) -> None:
    from endoscribe.services import open_store
    from endoscribe.storage.backup import write_backup

    with closing(open_store(settings)) as store:
        _tell(write_backup(store, options.file), "Kept")


def run_restore(options: argparse.Namespace, settings: Settings) -> None:
    from endoscribe.services import open_store
    from endoscribe.storage.backup import restore_backup

    with closing(open_store(settings)) as store:
        _tell(restore_backup(store, options.file), "Restored")


def run_audit_verify(options: argparse.Namespace, settings: Settings) -> None:
    """Raises AuditError when the trail does not hold."""
    from endoscribe.services import open_store

    with closing(open_store(settings)) as store:
        verdict = store.audit.verify(options.expect)
    if options.json:
        print(json.dumps({**vars(verdict), "is_intact": verdict.is_intact}))
    elif verdict.is_intact:
        print(f"{verdict.entries} entries, all as they were written. Newest hash: {verdict.head}")
    if verdict.broken_at is not None:
        raise AuditError(f"Entry {verdict.broken_at} of the audit trail is not what was written, or follows a gap.")
    if not verdict.is_expected:
        raise AuditError("The audit trail lacks the expected hash: its end was cut off, or it is another one.")


def run_audit_list(options: argparse.Namespace, settings: Settings) -> None:
    from endoscribe.services import open_store

    with closing(open_store(settings)) as store, closing(store.audit.entries(options.session)) as entries:
        for entry in entries:
            print(json.dumps(entry.to_json()))


def _tell(contents: "Contents", verb: str) -> None:
    counts = f"{contents.sessions} sessions, {contents.recordings} recordings, {contents.audit_entries} audit entries"
    print(f"{verb} {counts}. Newest hash of the audit trail: {contents.audit_head}", file=sys.stderr)
